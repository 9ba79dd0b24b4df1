using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using Holdfast.Functional.Tests.Rehearse;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>The npm packages ws, on both sides of the gateway, and socket.io, unmodified.</summary>
[Collection(NodeSamples.Collection)]
public sealed class WsPartsTests
{
    /// <summary>Until the endpoint closes, or the test is over.</summary>
    private const string Endless = "protocol: opaque, quiet: 1m, quietMax: 5m, patience: 5m";

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Compression_is_not_agreed_on_and_messages_pass_from_one_server_to_the_next(bool clientDeflates, bool serverDeflates)
    {
        await using var servers = await NodeServers.StartAsync("ws-server.js", "protocol: opaque, quiet: 100ms", ["a"], Deflate(serverDeflates));
        await using var client = await NodeScript.StartClientAsync("ws-client.js", servers.Gateway.Address.Port, Deflate(clientDeflates));
        await client.PrintsAsync("open ''");
        var repeated = new string('a', 3000);
        await SayAsync("a", 1);

        _ = await servers.AddAsync("b");
        await servers.DrainAsync(servers["a"]);
        await servers["b"].PrintsAsync("connected 1");
        await servers["a"].PrintsAsync("closed 1001");
        await SayAsync("b", 2);
        await servers.RemoveAsync(servers["a"]);
        servers["b"].Kill();
        _ = await servers.AddAsync("c");
        await servers["c"].PrintsAsync("connected 2");
        await SayAsync("c", 3);
        await LeaveAsync(client, servers);

        async Task SayAsync(string server, int count)
        {
            await client.DoAsync("say?text=" + repeated);
            await client.PrintsAsync($"text {server} {repeated}");
            await client.DoAsync("binary?size=100000");
            await client.PrintsAsync("binary 100000 true", count);
        }
    }

    [Fact]
    public async Task A_close_without_a_code_on_a_draining_endpoint_is_no_end()
    {
        await using var servers = await NodeServers.StartAsync("ws-server.js", Endless, ["a"]);
        await using var client = await NodeScript.StartClientAsync("ws-client.js", servers.Gateway.Address.Port);
        await client.PrintsAsync("open");
        await servers["a"].PrintsAsync("connected 0");

        // Nobody else is there: the endpoint serves on, drained as it is, until it closes.
        await servers.DrainAsync(servers["a"]);
        await client.DoAsync("say?text=one");
        await client.PrintsAsync("text a one");
        await servers["a"].DoAsync("leave");
        await servers["a"].PrintsAsync("closed 1005");
        await servers.HeldAsync(1);
        await client.DoAsync("say?text=two");
        await client.DoAsync("ping?data=held");
        await client.PrintsAsync("pong held");
        _ = await servers.AddAsync("b");
        await servers["b"].PrintsAsync("connected 1");
        await client.PrintsAsync("text b two");
        Assert.Equal(1, await servers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"close_first\"", "outcome=\"completed\""));
        await LeaveAsync(client, servers);
    }

    [Fact]
    public async Task A_close_without_a_code_by_an_endpoint_in_service_is_the_end()
    {
        await using var servers = await NodeServers.StartAsync("ws-server.js", Endless, ["a", "b"]);
        await using var client = await NodeScript.StartClientAsync("ws-client.js", servers.Gateway.Address.Port);
        await client.PrintsAsync("open");
        await Task.WhenAll(servers["a"].DoAsync("leave"), servers["b"].DoAsync("leave"));
        await client.PrintsAsync("closed 1005");
        await servers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Neither_side_takes_the_other_for_dead_while_its_endpoint_is_replaced()
    {
        await using var servers = await NodeServers.StartAsync("ws-server.js", Endless, ["a"]);
        await using var client = await NodeScript.StartClientAsync("ws-client.js", servers.Gateway.Address.Port);
        await servers["a"].PrintsAsync("connected 0");
        await PingAsync("a", 1);

        // Held, and the old endpoint still open: its pings are the client's to answer, and the client's are the endpoint's.
        _ = await servers.AddAsync("b");
        await servers.DrainAsync(servers["a"]);
        await servers.HeldAsync(1);
        await PingAsync("a", 2);
        await PingAsync("a", 3);

        // A ping is on its way to the client when the endpoint leaves: the late pong is nobody's.
        await servers["a"].DoAsync("heartbeat");
        await servers["a"].DoAsync("leave");
        await servers["b"].PrintsAsync("connected 1");
        await PingAsync("b", 1);
        await PingAsync("b", 2);
        await servers.RemoveAsync(servers["a"]);
        servers["b"].Kill();
        await servers.HeldAsync(1);
        await client.DoAsync("ping?data=nobody");
        await client.PrintsAsync("pong nobody");
        _ = await servers.AddAsync("c");
        await servers["c"].PrintsAsync("connected 2");
        await PingAsync("c", 1);
        Assert.All(servers.All, s => Assert.Equal(0, s.CountOf("terminated")));
        await LeaveAsync(client, servers);

        // A round of the server's search for the dead, which finds none, and a ping of the client's.
        async Task PingAsync(string server, int round)
        {
            await servers[server].DoAsync("heartbeat");
            await servers[server].PrintsAsync(string.Create(CultureInfo.InvariantCulture, $"pong {round}"));
            await client.DoAsync($"ping?data={server}{round}");
            await client.PrintsAsync($"pong {server}{round}");
        }
    }

    [Fact]
    public async Task A_socket_io_server_that_closes_on_a_draining_endpoint_is_replaced()
    {
        await using var servers = await NodeServers.StartAsync("socketio-server.js", Endless, ["a"]);
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{servers.Gateway.Address.Port}/socket.io/?EIO=4&transport=websocket"), limit.Token);
        await GreetAsync("a");
        await servers.DrainAsync(servers["a"]);
        await servers["a"].DoAsync("leave");
        await servers.HeldAsync(1);
        _ = await servers.AddAsync("b");

        // Socket.IO is not one of the protocols that are made anew: its next server greets, and expects, as for the first time.
        await GreetAsync("b");
        Assert.Equal(1, await servers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"close_first\"", "outcome=\"completed\""));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", limit.Token);
        await servers.Gateway.SettledAsync();

        // Engine.IO: 0 opens, 4 carries a message. Socket.IO in it: 0 connects the namespace, 2 is an event.
        async Task GreetAsync(string server)
        {
            Assert.StartsWith("0{\"sid\":", await ReceiveAsync(), StringComparison.Ordinal);
            await SendAsync("40");
            Assert.StartsWith("40{\"sid\":", await ReceiveAsync(), StringComparison.Ordinal);
            await SendAsync("42[\"say\",\"hello\"]");
            Assert.Equal($"42[\"said\",\"{server} hello\"]", await ReceiveAsync());
        }

        Task SendAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, limit.Token);

        async Task<string> ReceiveAsync()
        {
            var buffer = new byte[4096];
            var read = await socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
            return Encoding.UTF8.GetString(buffer, 0, read.Count);
        }
    }

    private static (string Name, string Value) Deflate(bool isOn) => ("DEFLATE", isOn ? "true" : "false");

    /// <summary>Nothing ended before the client did.</summary>
    private static async Task LeaveAsync(NodeScript client, NodeServers servers)
    {
        Assert.DoesNotContain(client.Lines.All, l => l.StartsWith("failed", StringComparison.Ordinal) || l.StartsWith("closed", StringComparison.Ordinal));
        await client.DoAsync("leave");
        await client.PrintsAsync("left 1000");
        await servers.Gateway.SettledAsync();
    }
}
