using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>What endpoints do wrong in a handshake: the client's status, the outcome, who is asked next.</summary>
public sealed class EndpointFaultTests
{
    [Fact]
    public async Task Endpoints_that_refuse_are_tried_three_times_in_all_and_then_it_is_502()
    {
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = FreePortsThatRefuse(4) });
        using var client = gateway.Connect();

        Assert.Equal(502, Upgrades.Status(client.Upgrade()));
        await AssertLineAsync(gateway, client, "endpoint_failed", 502, attempts: 3);
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_refusing_endpoint_costs_no_client_its_connection_while_another_serves()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [FreePortsThatRefuse(1)[0], echo.Port] });
        for (var i = 0; i < 20; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade()));
        }

        Assert.Equal(20, echo.Connections);
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_accepts_and_never_answers_is_504_after_the_handshake_time_out()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(
            new GatewaySetup { Endpoints = [Port(endpoints)], Route = "timeouts: {handshake: 7s}" }, manualTime: true);
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.ReceiveHead();

        await gateway.AdvanceAsync(TimeSpan.FromSeconds(6.9));
        Assert.Equal(0, client.Socket.Available);
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(0.2));
        Assert.Equal(504, Upgrades.Status(client.ReceiveHead()));
        await AssertLineAsync(gateway, client, "endpoint_timeout", 504, attempts: 1);
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_silent_endpoint_gets_half_of_the_time_and_another_the_rest()
    {
        using var first = RawPeer.Listen();
        using var second = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(
            new GatewaySetup { Endpoints = [Port(first), Port(second)], Backend = "loadBalancing: roundRobin" }, manualTime: true);
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        await gateway.TurnAsync();
        var (silent, other) = first.Poll(0, SelectMode.SelectRead) ? (first, second) : (second, first);
        using var dead = RawPeer.Accept(silent);
        _ = dead.ReceiveHead();

        await gateway.AdvanceAsync(TimeSpan.FromSeconds(5.1));
        using var endpoint = RawPeer.Accept(other);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        Assert.Empty(dead.ReceiveToEnd());
        client.Reset();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 502, "not_upgraded")]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", 502, "not_upgraded")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $\r\nSec-WebSocket-Accept: $\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $\r\nSec-WebSocket-Protocol: chess\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: $\n\n\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("SSH-2.0-OpenSSH_9.9\r\n\r\n", 502, "endpoint_failed")]
    [InlineData("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nno", 502, "endpoint_failed")]
    public async Task A_wrong_answer_is_502(string answer, int status, string outcome)
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)] });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request("/ws", "Sec-WebSocket-Protocol: chat, superchat"));
        using (var endpoint = RawPeer.Accept(endpoints))
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send(answer.Replace("$", Upgrades.Accept, StringComparison.Ordinal));
            Assert.Equal(status, Upgrades.Status(client.ReceiveHead()));
            Assert.DoesNotContain("hi", System.Text.Encoding.Latin1.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        }

        await AssertLineAsync(gateway, client, outcome, status, attempts: 1);
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_endpoint_that_leaves_before_its_answer_is_whole_is_502(bool reset)
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)] });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 101 Switching Proto");
        if (reset)
            endpoint.Reset();
        else
            endpoint.Dispose();

        Assert.Equal(502, Upgrades.Status(client.ReceiveHead()));
        await AssertLineAsync(gateway, client, "endpoint_failed", 502, attempts: 1);
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_response_head_over_the_cap_is_502()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)] });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 403 Forbidden\r\nX-A: " + new string('a', 33 * 1024));

        Assert.Equal(502, Upgrades.Status(client.ReceiveHead()));
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 5\r\n\r\nhello", 302, "hello")]
    [InlineData("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n", 401, "")]
    [InlineData("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 403, "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nConnection: close\r\n\r\nuntil close", 429, "until close")]
    [InlineData("HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nbad-and-more", 500, "bad")]
    [InlineData("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", 503, "busy")]
    public async Task A_refusal_is_the_clients_answer_with_its_body(string answer, int status, string body)
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)] });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using (var endpoint = RawPeer.Accept(endpoints))
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send(answer);
            endpoint.Finish();
            var head = client.ReceiveHead();
            Assert.Equal(answer[..answer.IndexOf('\r', StringComparison.Ordinal)], head[..head.IndexOf('\r', StringComparison.Ordinal)]);
            Assert.Equal("close", Upgrades.Value(head, "Connection"));
            foreach (var name in (string[])["Location", "WWW-Authenticate", "Retry-After", "Content-Length", "Transfer-Encoding"])
                Assert.Equal(Upgrades.Value(answer, name), Upgrades.Value(head, name));
            Assert.Equal(body, System.Text.Encoding.Latin1.GetString(client.ReceiveToEnd()));
        }

        await AssertLineAsync(gateway, client, "endpoint_refused", status, attempts: 1);
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task Gateway_errors_are_tried_elsewhere_and_the_last_one_is_relayed(int status)
    {
        using var first = RawPeer.Listen();
        using var second = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(first), Port(second)], Backend = "loadBalancing: roundRobin" });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        var asked = await WhichAsync(first, second);
        using (var endpoint = RawPeer.Accept(asked))
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send($"HTTP/1.1 {status} First\r\nContent-Length: 1\r\n\r\n1");
            Assert.Empty(endpoint.ReceiveToEnd());
        }

        using (var endpoint = RawPeer.Accept(ReferenceEquals(asked, first) ? second : first))
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send($"HTTP/1.1 {status} Last\r\nContent-Length: 1\r\n\r\n2");
            Assert.StartsWith($"HTTP/1.1 {status} Last\r\n", client.ReceiveHead(), StringComparison.Ordinal);
            Assert.Equal("2"u8.ToArray(), client.ReceiveToEnd());
        }

        await AssertLineAsync(gateway, client, "endpoint_refused", status, attempts: 2);
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Interim_answers_are_passed_over()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)] });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        var head = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + Upgrades.Switching(head, "Set-Cookie: a=b", "Holdfast-Secret: x"));
        var answer = client.ReceiveHead();

        Assert.Equal(101, Upgrades.Status(answer));
        Assert.Equal("a=b", Upgrades.Value(answer, "Set-Cookie"));
        Assert.Null(Upgrades.Value(answer, "Holdfast-Secret"));
        client.Reset();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_during_the_handshake_is_told_nothing_and_its_endpoint_is_let_go()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)] });
        using var client = gateway.Connect();
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.ReceiveHead();
        client.Dispose();

        Assert.Empty(endpoint.ReceiveToEnd());
        var line = await gateway.Log.OfAsync(port);
        Assert.Equal("client_gone", line.GetProperty("outcome").GetString());
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Without_a_route_it_is_404()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [echo.Port],
            Route = "hosts: [known.example]",
        });
        using var lost = gateway.Connect();
        Assert.Equal(404, Upgrades.Status(lost.Upgrade()));
        await AssertLineAsync(gateway, lost, "no_route", 404, attempts: 0);
        lost.Dispose();
        Assert.Equal(0, echo.Connections);
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_listeners_limit_counts_handshakes_too_and_frees_places_with_ends()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [Port(endpoints)], Listener = "limits: {connections: 3}" });
        var (established, endpoint) = gateway.Open(endpoints);
        using var inFlight = gateway.Connect();
        inFlight.Send(Upgrades.Request());
        using var slow = RawPeer.Accept(endpoints);         // With the neighbour, three places are taken.
        using var refused = gateway.Connect();
        var head = refused.Upgrade();

        Assert.Equal(503, Upgrades.Status(head));
        Assert.Equal("1", Upgrades.Value(head, "Retry-After"));
        await AssertLineAsync(gateway, refused, "gateway_full", 503, attempts: 0);
        refused.Dispose();
        established.Reset();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        inFlight.Dispose();
        _ = slow.ReceiveToEnd();
        await gateway.SettledAsync();
        for (var i = 0; i < 2; i++)
        {
            var (client, again) = gateway.Open(endpoints);
            using (client)
            using (again)
                client.Finish();
        }

        await gateway.SettledAsync();
    }

    private static async Task AssertLineAsync(GatewayFixture gateway, RawPeer client, string outcome, int status, int attempts)
    {
        var line = await gateway.Log.OfAsync(client);
        Assert.Equal(("handshake", outcome, status, attempts), (
            line.GetProperty("event").GetString(), line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32(), line.GetProperty("attempts").GetInt32()));
        // The one that was tried last is named, though its place has been given back.
        Assert.Equal(attempts > 0, line.GetProperty("endpoint").GetString() is { Length: > 0 });
        Assert.Equal(1, await gateway.MetricAsync("holdfast_handshakes_total", $"outcome=\"{outcome}\""));
    }

    private static async Task<Socket> WhichAsync(Socket first, Socket second)
    {
        await Processes.UntilAsync(() => first.Poll(0, SelectMode.SelectRead) || second.Poll(0, SelectMode.SelectRead), "an endpoint was dialled");
        return first.Poll(0, SelectMode.SelectRead) ? first : second;
    }

    private static int Port(Socket listener) => ((IPEndPoint)listener.LocalEndPoint!).Port;

    private static int[] FreePortsThatRefuse(int count) => [.. Cli.Dev.FreePorts.Pick(count, new Random())];
}
