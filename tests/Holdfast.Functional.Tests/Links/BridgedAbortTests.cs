using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Links;

/// <summary>Clients of bridged upgrades that leave at any step, and slow ones: what they took of the gateway comes back, and nobody else notices.</summary>
public sealed class BridgedAbortTests : IAsyncLifetime
{
    private readonly EchoEndpoint _echo = new();
    private readonly KeptAlive _kept = new();

    [Fact]
    public async Task Clients_that_leave_at_random_steps_leave_no_descriptor_behind()
    {
        await using var gateway = await GatewayProcess.StartAsync(_kept.In(new GatewaySetup { Endpoints = [_echo.Port] }));
        var before = gateway.Sockets();
        await LeaveAsync(gateway.Address, 50, seed: 1);
        await Processes.UntilAsync(() => gateway.Sockets() == before, "every socket was let go");
        await LeaveAsync(gateway.Address, 500, seed: 2);
        await Processes.UntilAsync(() => gateway.Sockets() == before, "every socket was let go");
        gateway.CheckNeighbour();
        Assert.Equal(1, await gateway.MetricAsync("holdfast_connections"));
    }

    [Fact]
    public async Task Clients_that_leave_while_their_handshake_waits_take_it_along()
    {
        using var silent = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(_kept.In(new GatewaySetup { Endpoints = [((IPEndPoint)silent.LocalEndPoint!).Port] }));
        for (var i = 0; i < 20; i++)
        {
            using var client = KeptAlive.Connect(gateway);
            client.Send(Upgrades.Request());
            using var endpoint = RawPeer.Accept(silent);
            _ = endpoint.ReceiveHead();
            if (i % 2 == 0)
                client.Reset();
            else
                client.Dispose();
            Assert.Empty(endpoint.ReceiveToEnd());
        }

        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_slow_reader_holds_the_endpoint_back_and_gets_every_byte()
    {
        const int Messages = 400, Length = 100_000;
        using var endpoints = RawPeer.Listen(receiveBuffer: 4096);
        await using var gateway = await GatewayFixture.StartAsync(_kept.In(new GatewaySetup { Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port] }));
        using var client = KeptAlive.Connect(gateway, receiveBuffer: 4096);
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        var sent = 0;
        var sending = Task.Run(
            () =>
            {
                for (; sent < Messages; Interlocked.Increment(ref sent))
                    endpoint.Send(Frames.FromServer(Frames.Binary, Pattern(sent, Length)));
            },
            TestContext.Current.CancellationToken);
        await Processes.UntilAsync(() => !endpoint.Socket.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectWrite), "the endpoint was held back");
        Assert.InRange(Volatile.Read(ref sent), 1, Messages - 1);
        for (var i = 0; i < Messages; i++)
            Assert.True(Pattern(i, Length).AsSpan().SequenceEqual(client.ReceiveFrame().Payload));
        await sending;
        client.Reset();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _kept.Dispose();
        _echo.Dispose();
        return ValueTask.CompletedTask;
    }

    private static byte[] Pattern(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Eight at a time, each as far as chance lets it come.</summary>
    private static Task LeaveAsync(IPEndPoint address, int count, int seed) => Parallel.ForAsync(
        0, count, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken }, (i, _) =>
    {
        Leave(address, new Random((seed * 100_000) + i));
        return ValueTask.CompletedTask;
    });

    private static void Leave(IPEndPoint address, Random random)
    {
        using var client = RawPeer.Connect(address);
        var steps = new List<Action>
        {
            () => client.Send("GET /first HTTP/1.1\r\nHost: test.example\r\n\r\n"),
            () => _ = client.ReceiveHead(),
            () => _ = client.Receive(2),
            () => Cut(Upgrades.Request()),
            () => _ = client.ReceiveHead(),
            () => Cut(Encoding.Latin1.GetString(Frames.FromClient(Frames.Binary, new byte[random.Next(200_000)]))),
            () => _ = client.ReceiveFrame(),
            () => client.Send(Frames.CloseFrame(client: true, 1000)),
            () => _ = client.ReceiveFrame(),
        };
        foreach (var step in steps.Take(random.Next(1, steps.Count + 1)))
            step();
        switch (random.Next(3))
        {
            case 0:
                client.Reset();
                break;
            case 1:
                client.Finish();
                break;
        }

        // In pieces, the first of which may be all that is sent.
        void Cut(string text)
        {
            var at = random.Next(text.Length + 1);
            client.Send(text[..at]);
            client.Send(text[at..]);
        }
    }
}
