using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Links;

/// <summary>How connections end whose upgrade Kestrel read, beside those that a loop accepted: each peer sees the same, and the access log says the same.</summary>
public sealed class BridgedEndTests : IAsyncLifetime
{
    private static readonly string[] Compared =
    [
        "event", "backend", "endpoint", "path", "reason", "side", "closeCode", "bytesFromClient", "bytesFromEndpoint", "messagesFromClient", "messagesFromEndpoint",
    ];

    private readonly Socket _endpoints = RawPeer.Listen(receiveBuffer: 4096);
    private readonly KeptAlive _kept = new();

    [Theory]
    [InlineData("client close", "downstream_close")]
    [InlineData("client close and FIN", "downstream_close")]
    [InlineData("client FIN", "downstream_eof")]
    [InlineData("client reset", "downstream_reset")]
    [InlineData("client error", "downstream_protocol_error")]
    [InlineData("endpoint close", "upstream_close")]
    [InlineData("endpoint FIN", "upstream_eof")]
    [InlineData("endpoint reset", "upstream_reset")]
    [InlineData("endpoint error", "upstream_protocol_error")]
    [InlineData("admin", "admin_close")]
    [InlineData("drain", "drained")]
    [InlineData("shutdown", "shutdown")]
    public async Task The_same_cause_has_the_same_end(string cause, string reason)
    {
        var direct = await EndAsync(bridged: false, cause);
        var bridged = await EndAsync(bridged: true, cause);
        Assert.Equal(reason, direct.Line["reason"]);
        Assert.Equal(direct.Line, bridged.Line);
        Assert.Equal(direct.ToClient, bridged.ToClient);
        Assert.Equal(direct.ToEndpoint, bridged.ToEndpoint);
    }

    [Theory]
    [InlineData("idle", "idle_timeout")]
    [InlineData("dead", "downstream_dead")]
    [InlineData("endpoint dead", "upstream_dead")]
    public async Task Time_ends_both_alike(string cause, string reason)
    {
        var direct = await PassTimeAsync(bridged: false, cause);
        var bridged = await PassTimeAsync(bridged: true, cause);
        Assert.Equal(reason, direct.Line["reason"]);
        Assert.Equal(direct.Line, bridged.Line);
        Assert.Equal(direct.ToClient, bridged.ToClient);
        Assert.Equal(direct.ToEndpoint, bridged.ToEndpoint);
    }

    [Fact]
    public async Task A_reset_is_told_from_an_end_however_much_is_on_its_way_to_the_client()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup(""));
        for (var i = 0; i < 30; i++)
        {
            using var client = Open(gateway, bridged: true, out var endpoint);
            var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
            using (endpoint)
            {
                long sent = 0;
                var sending = Task.Run(() => SendUntilLost(endpoint, ref sent), TestContext.Current.CancellationToken);
                for (var frames = 0; frames < i; frames++)
                    _ = client.ReceiveFrame();
                client.Reset();
                _ = endpoint.ReceiveToEnd();
                endpoint.Dispose();
                await sending;
            }

            Assert.Equal("downstream_reset", (await KeptAlive.EndOfAsync(gateway, port)).GetProperty("reason").GetString());
        }

        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_has_ended_in_order_is_let_go_of_however_long_the_endpoint_sends()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup(""));
        using var client = Open(gateway, bridged: true, out var endpoint);
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        using (endpoint)
        {
            long sent = 0;
            var sending = Task.Run(() => SendUntilLost(endpoint, ref sent), TestContext.Current.CancellationToken);
            _ = client.ReceiveFrame();
            client.Finish();
            await Processes.UntilAsync(() => gateway.Host.Runtime.Established == 1, "the client was let go of");
            await sending;
        }

        Assert.Equal("downstream_eof", (await KeptAlive.EndOfAsync(gateway, port)).GetProperty("reason").GetString());
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_takes_nothing_stalls_the_endpoint_and_is_reset_after_pongTimeout()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup("keepAlive: {pingInterval: 0s, pongTimeout: 20s}"), manualTime: true);
        using var client = Open(gateway, bridged: true, out var endpoint, receiveBuffer: 4096);
        using (endpoint)
        {
            long sent = 0;
            var sending = Task.Run(() => SendUntilLost(endpoint, ref sent), TestContext.Current.CancellationToken);
            await Processes.UntilAsync(() => !endpoint.Socket.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectWrite), "the endpoint was held back");
            // What the kernel takes for a client that reads nothing is some megabytes, and all else that waits on the way is less than two.
            Assert.InRange(Volatile.Read(ref sent), 1, 30_000_000);
            gateway.CheckNeighbour();
            for (var i = 0; i < 60 && gateway.Host.Runtime.Established > 1; i++)
                await gateway.AdvanceAsync(TimeSpan.FromSeconds(1));
            Assert.Equal("downstream_stalled", (await KeptAlive.EndOfAsync(gateway, client)).GetProperty("reason").GetString());
            _ = client.ReceiveToReset();
            endpoint.Dispose();
            await sending;
        }

        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Where_no_ping_is_sent_a_client_that_takes_nothing_for_long_is_reset()
    {
        await using var gateway = await GatewayFixture.StartAsync(
            Setup("keepAlive: {pingInterval: 0s, pongTimeout: 300s}, spill: 8MiB") with { LongestPiece = TimeSpan.FromSeconds(1) });
        using var client = Open(gateway, bridged: true, out var endpoint, receiveBuffer: 4096);
        using (endpoint)
        {
            long sent = 0;
            var sending = Task.Run(() => SendUntilLost(endpoint, ref sent), TestContext.Current.CancellationToken);
            await Processes.UntilAsync(() => gateway.Host.Runtime.Established == 1, "the client was given up");
            endpoint.Dispose();
            await sending;
            Assert.Equal("downstream_stalled", (await KeptAlive.EndOfAsync(gateway, client)).GetProperty("reason").GetString());
            _ = client.ReceiveToReset();
        }

        await gateway.SettledAsync();
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _kept.Dispose();
        _endpoints.Dispose();
        return ValueTask.CompletedTask;
    }

    private GatewaySetup Setup(string backend) => _kept.In(new GatewaySetup
    {
        Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
        Backend = "slowStart: 0s, drain: {duration: 0s}" + (backend.Length == 0 ? "" : ", " + backend),
    });

    private async Task<Ended> EndAsync(bool bridged, string cause)
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup(""));
        using var client = Open(gateway, bridged, out var endpoint);
        using (endpoint)
        {
            client.Send(Frames.FromClient(Frames.Text, "from the client"u8));
            Assert.Equal("from the client"u8.ToArray(), endpoint.ReceiveFrame().Payload);
            endpoint.Send(Frames.FromServer(Frames.Text, "from the endpoint"u8));
            Assert.Equal("from the endpoint"u8.ToArray(), client.ReceiveFrame().Payload);
            var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
            var stopping = Task.CompletedTask;
            switch (cause)
            {
                case "client close":
                    client.Send(Frames.CloseFrame(client: true, 3456, "from the client"));
                    break;
                case "client close and FIN":
                    client.Send(Frames.CloseFrame(client: true, 3456, "from the client"));
                    client.Finish();
                    break;
                case "client FIN":
                    client.Finish();
                    break;
                case "client reset":
                    client.Reset();
                    break;
                case "client error":
                    client.Send([0xFF, 0xFF, 0xFF]);
                    break;
                case "endpoint close":
                    endpoint.Send(Frames.CloseFrame(client: false, 4567, "from the endpoint"));
                    break;
                case "endpoint FIN":
                    endpoint.Finish();
                    break;
                case "endpoint reset":
                    endpoint.Reset();
                    break;
                case "endpoint error":
                    endpoint.Send([0xFF, 0xFF, 0xFF]);
                    break;
                case "admin":
                    var id = (await ViewAsync(gateway)).GetProperty("id").GetString()!;
                    Assert.Equal(HttpStatusCode.OK, await gateway.SendAsync(HttpMethod.Delete, "/v1/connections/" + id));
                    break;
                case "drain":
                    var address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_endpoints.LocalEndPoint!).Port}");
                    Assert.Equal(HttpStatusCode.OK, await gateway.SendAsync(HttpMethod.Post, $"/v1/backends/test/endpoints/{address}/drain"));
                    break;
                default:
                    stopping = gateway.Host.StopAsync(atOnce: true);
                    break;
            }

            var hasLeft = cause is "client reset" or "client FIN" or "client close and FIN";
            // Who is told first answers first: an answer behind the end of a connection may find it reset.
            var toClient = cause == "endpoint close" ? SeenByClient(client) : "";
            var toEndpoint = cause == "endpoint reset" ? "" : SeenByEndpoint(endpoint);
            if (!hasLeft && cause != "endpoint close")
                toClient = SeenByClient(client);
            endpoint.Dispose();
            await stopping;
            var line = await KeptAlive.EndOfAsync(gateway, port);
            if (cause != "shutdown")
                await gateway.SettledAsync();
            return new Ended(Fields(line), toClient, toEndpoint);
        }
    }

    private async Task<Ended> PassTimeAsync(bool bridged, string cause)
    {
        var keepAlive = cause == "idle" ? "pingInterval: 0s, idleTimeout: 60s" : "pingInterval: 30s, pongTimeout: 20s";
        await using var gateway = await GatewayFixture.StartAsync(Setup($"keepAlive: {{{keepAlive}}}"), manualTime: true);
        using var client = Open(gateway, bridged, out var endpoint);
        using (endpoint)
        {
            if (cause == "idle")
            {
                await gateway.AdvanceAsync(TimeSpan.FromSeconds(61));
            }
            else
            {
                await gateway.AdvanceAsync(TimeSpan.FromSeconds(31));
                var (alive, dead) = cause == "dead" ? (endpoint, client) : (client, endpoint);
                var ping = alive.ReceiveFrame();
                Assert.Equal(Frames.Ping, ping.Opcode);
                Assert.Equal(Frames.Ping, dead.ReceiveFrame().Opcode);
                var pong = cause == "dead" ? Frames.FromServer(Frames.Pong, ping.Payload) : Frames.FromClient(Frames.Pong, ping.Payload);
                alive.Send(pong);
                var received = cause == "dead" ? "bytesFromEndpoint" : "bytesFromClient";
                while ((await ViewAsync(gateway)).GetProperty(received).GetInt64() < pong.Length)
                    await Task.Yield();
                await gateway.AdvanceAsync(TimeSpan.FromSeconds(21));
            }

            var toClient = SeenByClient(client);
            var toEndpoint = SeenByEndpoint(endpoint);
            var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
            client.Dispose();
            endpoint.Dispose();
            var line = Fields(await KeptAlive.EndOfAsync(gateway, port));
            // The pong may have been read before the moment, or be among the last bytes.
            line.Remove("bytesFromClient");
            line.Remove("bytesFromEndpoint");
            return new Ended(line, toClient, toEndpoint);
        }
    }

    private RawPeer Open(GatewayFixture gateway, bool bridged, out RawPeer endpoint, int receiveBuffer = 0)
    {
        var client = bridged ? KeptAlive.Connect(gateway, receiveBuffer) : gateway.Connect(receiveBuffer);
        client.Send(Upgrades.Request());
        endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        return client;
    }

    private static void SendUntilLost(RawPeer endpoint, ref long sent)
    {
        var frame = Frames.FromServer(Frames.Binary, new byte[64 * 1024]);
        try
        {
            while (true)
            {
                endpoint.Send(frame);
                Interlocked.Add(ref sent, frame.Length);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The gateway let go of it, as it should.
        }
    }

    private static async Task<JsonElement> ViewAsync(GatewayFixture gateway)
    {
        using var http = new HttpClient();
        using var answer = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://{gateway.Host.AdminAddress}/v1/connections"), TestContext.Current.CancellationToken));
        return answer.RootElement.GetProperty("connections").EnumerateArray().Single(c => c.GetProperty("backend").GetString() == "test").Clone();
    }

    private static Dictionary<string, string> Fields(JsonElement line) =>
        Compared.Where(name => line.TryGetProperty(name, out _)).ToDictionary(name => name, name => line.GetProperty(name).ToString());

    /// <summary>What a client that answers a Close frame gets, and how it ends.</summary>
    private static string SeenByClient(RawPeer client) => Seen(client, frame => client.Send(Frames.FromClient(Frames.Close, frame.Payload)));

    private static string SeenByEndpoint(RawPeer endpoint) => Seen(endpoint, frame => endpoint.Send(Frames.FromServer(Frames.Close, frame.Payload)));

    private static string Seen(RawPeer peer, Action<ReceivedFrame> answer)
    {
        var seen = "";
        try
        {
            while (true)
            {
                var frame = peer.ReceiveFrame();
                // The time after which to come back is random.
                seen += frame.Opcode == Frames.Close
                    ? $"{frame.Opcode} {frame.CloseCode} {new string([.. System.Text.Encoding.UTF8.GetString(frame.Payload.AsSpan(Math.Min(2, frame.Payload.Length))).Where(c => !char.IsDigit(c))])}; "
                    : $"{frame.Opcode} {Convert.ToHexString(frame.Payload)}; ";
                if (frame.Opcode != Frames.Close)
                    continue;
                answer(frame);
            }
        }
        catch (EndOfStreamException)
        {
            return seen + "FIN";
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            return seen + "reset";
        }
        catch (IOException e) when (e.InnerException is SocketException)
        {
            return seen + "reset";
        }
    }

    private sealed record Ended(Dictionary<string, string> Line, string ToClient, string ToEndpoint);
}
