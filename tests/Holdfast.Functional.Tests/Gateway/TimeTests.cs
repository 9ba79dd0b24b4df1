using System.Net;
using System.Net.Sockets;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>What time does to connections, on a clock of the test's own: slow heads, pings, idleness, stalls.</summary>
public sealed class TimeTests : IAsyncLifetime
{
    private readonly Socket _endpoints = RawPeer.Listen(receiveBuffer: 4096);
    private GatewayFixture _gateway = null!;

    [Fact]
    public async Task A_head_that_is_not_whole_after_10_s_is_408_however_often_a_byte_comes()
    {
        using var client = _gateway.Connect();
        foreach (var b in "GET / HTTP"u8.ToArray())
        {
            client.Send([b]);
            await _gateway.AdvanceAsync(TimeSpan.FromMilliseconds(990));
        }

        Assert.Equal(0, client.Socket.Available);
        await _gateway.AdvanceAsync(TimeSpan.FromMilliseconds(200));
        Assert.Equal(408, Upgrades.Status(client.ReceiveHead()));
        _ = client.ReceiveToEnd();
        var line = await _gateway.Log.OfAsync(client);
        Assert.Equal(("head_timeout", 408), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
        Assert.Equal(1, await _gateway.MetricAsync("holdfast_handshakes_total", "outcome=\"head_timeout\""));
        client.Dispose();
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task A_connection_that_never_says_a_word_is_closed_after_10_s()
    {
        using var client = _gateway.Connect();
        await _gateway.AdvanceAsync(TimeSpan.FromSeconds(9.9));
        Assert.False(client.Socket.Poll(0, SelectMode.SelectRead));
        await _gateway.AdvanceAsync(TimeSpan.FromSeconds(0.2));
        Assert.Empty(client.ReceiveToEnd());
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task Each_leg_is_pinged_by_its_own_pings_and_the_pongs_are_swallowed()
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        var payloads = new HashSet<string>();
        for (var i = 0; i < 3; i++)
        {
            await _gateway.AdvanceAsync(TimeSpan.FromSeconds(31));
            var (down, up) = (client.ReceiveFrame(), endpoint.ReceiveFrame());
            Assert.Equal((Frames.Ping, false), (down.Opcode, down.Masked));
            Assert.Equal((Frames.Ping, true), (up.Opcode, up.Masked));
            Assert.True(payloads.Add(Convert.ToHexString(down.Payload)) && payloads.Add(Convert.ToHexString(up.Payload)), "a ping's payload came twice");
            client.Send(Frames.FromClient(Frames.Pong, down.Payload));
            endpoint.Send(Frames.FromServer(Frames.Pong, up.Payload));
        }

        // What comes next on each leg is this and no pong.
        client.Send(Frames.FromClient(Frames.Ping, "mine"u8));
        Assert.Equal("mine"u8.ToArray(), endpoint.ReceiveFrame().Payload);
        endpoint.Send(Frames.FromServer(Frames.Pong, "mine"u8));
        var pong = client.ReceiveFrame();
        Assert.Equal(Frames.Pong, pong.Opcode);
        Assert.Equal("mine"u8.ToArray(), pong.Payload);
        client.Dispose();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData(true, "downstream_dead", "downstream")]
    [InlineData(false, "upstream_dead", "upstream")]
    public async Task A_peer_that_answers_no_ping_is_dead_after_pongTimeout(bool clientDies, string reason, string side)
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        await _gateway.AdvanceAsync(TimeSpan.FromSeconds(31));
        var (down, up) = (client.ReceiveFrame(), endpoint.ReceiveFrame());
        if (clientDies)
            endpoint.Send(Frames.FromServer(Frames.Pong, up.Payload));
        else
            client.Send(Frames.FromClient(Frames.Pong, down.Payload));
        await _gateway.AdvanceAsync(TimeSpan.FromSeconds(19));
        Assert.Equal(2, _gateway.Host.Runtime.Established);

        await _gateway.AdvanceAsync(TimeSpan.FromSeconds(2));
        if (clientDies)
            Assert.Equal(1001, endpoint.ReceiveFrame().CloseCode);
        else
            Assert.Equal(1012, client.ReceiveFrame().CloseCode);
        client.Dispose();
        endpoint.Dispose();
        await _gateway.AdvanceAsync(TimeSpan.FromSeconds(10));
        var line = await _gateway.Log.OfAsync(port);
        Assert.Equal((reason, side), (line.GetProperty("reason").GetString(), line.GetProperty("side").GetString()));
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_takes_no_byte_for_pongTimeout_is_stalled()
    {
        var (client, endpoint) = _gateway.Open(_endpoints, clientBuffer: 4096);
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        var sending = Task.Run(() => SendUntilLost(endpoint), TestContext.Current.CancellationToken);
        // Held back: the endpoint's socket takes no more.
        await Dev.Processes.UntilAsync(() => !endpoint.Socket.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectWrite), "the endpoint was held back");
        _gateway.CheckNeighbour();

        for (var i = 0; i < 60 && _gateway.Host.Runtime.Established > 1; i++)
            await _gateway.AdvanceAsync(TimeSpan.FromSeconds(1));
        var line = await _gateway.Log.OfAsync(port);
        Assert.Equal(("downstream_stalled", "downstream"), (line.GetProperty("reason").GetString(), line.GetProperty("side").GetString()));
        client.Dispose();
        endpoint.Dispose();
        await sending;
        await _gateway.SettledAsync();

        static void SendUntilLost(RawPeer endpoint)
        {
            var frame = Frames.FromServer(Frames.Binary, new byte[64 * 1024]);
            try
            {
                while (true)
                    endpoint.Send(frame);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The gateway let go of it, as it should.
            }
        }
    }

    [Fact]
    public async Task A_pair_that_relays_nothing_for_idleTimeout_is_closed_though_it_answers_pings()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port],
            Backend = "keepAlive: {pingInterval: 0s, idleTimeout: 60s}",
        }, manualTime: true);
        var (client, endpoint) = gateway.Open(endpoints);
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(59));
        client.Send(Frames.FromClient(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), endpoint.ReceiveFrame().Payload);
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(59));
        Assert.Equal(2, gateway.Host.Runtime.Established);
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(2));

        Assert.Equal(Frames.Close, client.ReceiveFrame().Opcode);
        Assert.Equal(Frames.Close, endpoint.ReceiveFrame().Opcode);
        client.Dispose();
        endpoint.Dispose();
        Assert.Equal("idle_timeout", (await gateway.Log.OfAsync(port)).GetProperty("reason").GetString());
        await gateway.SettledAsync();
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(
        new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port], Backend = "slowStart: 0s, spill: 64KiB" }, manualTime: true);

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _endpoints.Dispose();
    }
}
