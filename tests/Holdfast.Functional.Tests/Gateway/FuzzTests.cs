using System.Net;
using System.Net.Sockets;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>Seeded garbage from clients and endpoints at a gateway's process, for a bounded time: it must live on, its neighbours too, and keep nothing.</summary>
public sealed class FuzzTests
{
    private const int Seed = 20_261;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task Random_heads_from_clients_break_nothing()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Route = "timeouts: {request: 2s}" });
        await RunAsync(gateway, random =>
        {
            using var client = gateway.Connect();
            var bytes = Mutated(random, System.Text.Encoding.Latin1.GetBytes(random.Next(3) == 0
                ? "POST /form HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                : Upgrades.Request("/ws", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate", "Cookie: a=b")));
            SendInPieces(client, bytes, random);
            Leave(client, random);
        });
    }

    [Fact]
    public async Task Random_frames_from_clients_and_endpoints_break_nothing()
    {
        using var endpoints = RawPeer.Listen();
        var seed = Seed;
        var serving = new Thread(() => Serve(endpoints, () => new Random(Interlocked.Increment(ref seed)))) { IsBackground = true };
        serving.Start();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port],
            Route = "timeouts: {connect: 1s, handshake: 1s}",
        });
        await RunAsync(gateway, random =>
        {
            using var client = gateway.Connect();
            client.Send(Upgrades.Request());
            if (random.Next(4) > 0 && Upgrades.Status(client.ReceiveHead()) != 101)
                return;
            SendInPieces(client, FrameGarbage(random, masked: true), random);
            Leave(client, random);
        });
    }

    private static async Task RunAsync(GatewayProcess gateway, Action<Random> once)
    {
        _ = await gateway.ReadyAsync();
        var before = gateway.Sockets();
        var started = TimeProvider.System.GetTimestamp();
        var rounds = 0;
        var clients = Enumerable.Range(0, 4).Select(i => Task.Factory.StartNew(
            () =>
            {
                var random = new Random(Seed + i);
                while (TimeProvider.System.GetElapsedTime(started) < Duration)
                {
                    try
                    {
                        once(random);
                    }
                    catch (Exception e) when (e is SocketException { SocketErrorCode: not SocketError.TimedOut } or EndOfStreamException)
                    {
                        // The gateway closed or reset: its right. A time-out would be a hang and fails the test.
                    }

                    Interlocked.Increment(ref rounds);
                }
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)).ToArray();
        var all = Task.WhenAll(clients);
        while (!all.IsCompleted)
        {
            gateway.CheckNeighbour();
            Assert.Equal(200, await gateway.ReadyAsync());
            await Task.WhenAny(all, Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None));
        }

        await all;
        Assert.True(rounds > 100, "too few rounds to mean anything");
        Assert.False(gateway.Exited.IsCompleted);
        gateway.CheckNeighbour();
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (await gateway.MetricAsync("holdfast_connections") != 1)
            await Task.Delay(TimeSpan.FromMilliseconds(50), limit.Token);
        // The forwarder keeps idle connections to the endpoint, some seconds long; mute clients their ten.
        while (gateway.Sockets() > before + 2)
            await Task.Delay(TimeSpan.FromMilliseconds(50), limit.Token);
        Assert.DoesNotContain(gateway.Output.All, l => l.Contains("because of a bug", StringComparison.Ordinal) || l.Contains("   at ", StringComparison.Ordinal));
    }

    private static void Serve(Socket endpoints, Func<Random> newRandom)
    {
        while (true)
        {
            RawPeer peer;
            try
            {
                peer = new RawPeer(endpoints.Accept());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            var random = newRandom();
            new Thread(() =>
            {
                using (peer)
                {
                    try
                    {
                        var head = peer.ReceiveHead();
                        var answer = System.Text.Encoding.Latin1.GetBytes(Upgrades.Switching(head));
                        SendInPieces(peer, random.Next(3) == 0 ? Mutated(random, answer) : [.. answer, .. FrameGarbage(random, masked: false)], random);
                        Leave(peer, random);
                    }
                    catch (Exception e) when (e is SocketException or EndOfStreamException or ObjectDisposedException)
                    {
                        // The gateway let go.
                    }
                }
            })
            { IsBackground = true }.Start();
        }
    }

    private static byte[] FrameGarbage(Random random, bool masked)
    {
        var bytes = new List<byte>();
        for (var i = random.Next(1, 8); i > 0; i--)
        {
            var payload = new byte[random.Next(4) switch { 0 => 0, 1 => random.Next(130), 2 => random.Next(2000), _ => random.Next(20) }];
            random.NextBytes(payload);
            var opcode = random.Next(6) switch { 0 => 0, 1 => 2, 2 => 8, 3 => 9, 4 => 10, _ => 1 };
            bytes.AddRange(masked ? Frames.FromClient(opcode, payload, random.Next(4) > 0) : Frames.FromServer(opcode, payload, random.Next(4) > 0));
        }

        return random.Next(2) == 0 ? [.. bytes] : Mutated(random, [.. bytes]);
    }

    private static byte[] Mutated(Random random, byte[] bytes)
    {
        var list = bytes.ToList();
        for (var i = random.Next(4); i > 0 && list.Count > 0; i--)
        {
            var at = random.Next(list.Count);
            switch (random.Next(5))
            {
                case 0:
                    list[at] = (byte)random.Next(256);
                    break;
                case 1:
                    list.Insert(at, (byte)random.Next(256));
                    break;
                case 2:
                    list.RemoveRange(at, Math.Min(random.Next(1, 6), list.Count - at));
                    break;
                case 3:
                    list.InsertRange(at, list.GetRange(at, Math.Min(random.Next(1, 40), list.Count - at)));
                    break;
                default:
                    list.RemoveRange(at, list.Count - at);
                    break;
            }
        }

        return [.. list];
    }

    private static void SendInPieces(RawPeer peer, byte[] bytes, Random random)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            var n = random.Next(3) == 0 ? Math.Min(bytes.Length - sent, random.Next(1, 30)) : bytes.Length - sent;
            peer.Send(bytes.AsSpan(sent, n));
            sent += n;
        }
    }

    private static void Leave(RawPeer peer, Random random)
    {
        switch (random.Next(3))
        {
            case 0:
                peer.Reset();
                break;
            case 1:
                peer.Finish();
                peer.Socket.ReceiveTimeout = 20;        // Reads a while, then leaves.
                try
                {
                    _ = peer.ReceiveToEnd();
                }
                catch (SocketException)
                {
                    // Nothing came, or a reset.
                }

                break;
        }
    }
}
