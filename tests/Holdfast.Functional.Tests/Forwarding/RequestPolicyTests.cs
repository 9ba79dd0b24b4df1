using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>What a request in flight counts as, and what is told of it.</summary>
public sealed class RequestPolicyTests
{
    [Theory]
    [InlineData("connectionsPerEndpoint: 2", 503, "backend_full", "connections_per_endpoint")]
    [InlineData("connectionsPerClientAddress: 2", 429, "client_address_limit", "connections_per_client_address")]
    [InlineData("connectionsPerKey: {header: x-tenant, max: 2}", 429, "key_limit", "connections_per_key")]
    public async Task A_request_in_flight_counts_as_a_connection(string limit, int status, string error, string name)
    {
        await using var peers = await HttpPeers.StartAsync(change: s => s with { Backend = $"slowStart: 0s, limits: {{{limit}}}" });
        // One of each kind.
        using var polling = peers.Connect();
        polling.Send(HttpPeers.Get("/poll"));
        using var first = peers.Accept();
        _ = first.ReceiveHead();
        using var socket = peers.Connect();
        socket.Send(Upgrades.Request());
        using var second = peers.Accept();
        _ = second.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(socket.ReceiveHead()));

        using var third = peers.Connect();
        for (var i = 0; i < 2; i++)
        {
            // Neither another request nor another WebSocket; and the client's connection is kept.
            third.Send(HttpPeers.Get("/refused"));
            var (head, body) = HttpPeers.Answer(third);
            Assert.Equal((status, "1", "application/json", null), (Upgrades.Status(head), Upgrades.Value(head, "Retry-After"), Upgrades.Value(head, "Content-Type"), Upgrades.Value(head, "Connection")));
            using var json = JsonDocument.Parse(body);
            Assert.Equal((error, 1), (json.RootElement.GetProperty("error").GetString(), json.RootElement.GetProperty("retryAfter").GetInt32()));
            Assert.NotEmpty(json.RootElement.GetProperty("message").GetString()!);
        }

        using (var refused = peers.Connect())
            Assert.Equal(status, Upgrades.Status(refused.Upgrade()));
        // A request is counted when it is over, which may be a little after its answer.
        await peers.Gateway.UntilMetricAsync(3, "holdfast_limit_refusals_total", $"limit=\"{name}\"");
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_requests_in_flight", "backend=\"test\""));
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_connections", "backend=\"test\""));

        // Who is done makes room.
        first.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(polling).Body);
        await Processes.UntilAsync(() => peers.Gateway.Host.Runtime.Backends.Single(b => b.Name == "test").RequestsInFlight == 0, "the request was over");
        third.Send(HttpPeers.Get("/allowed"));
        _ = first.ReceiveHead();
        first.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(third).Body);
        Assert.Equal(error, (await peers.LineAsync("/refused")).GetProperty("outcome").GetString());
        socket.Dispose();
        second.Dispose();
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Requests_in_flight_weigh_in_the_balance()
    {
        await using var peers = await HttpPeers.StartAsync(endpoints: 2);
        var clients = new List<RawPeer>();
        var counts = new int[2];
        for (var i = 0; i < 10; i++)
        {
            // Event streams and sockets by turns.
            clients.Add(peers.Connect());
            clients[^1].Send(i % 2 == 0 ? HttpPeers.Get("/events") : Upgrades.Request());
            var which = -1;
            await Processes.UntilAsync(() => (which = peers.Listeners.ToList().FindIndex(static l => l.Poll(0, SelectMode.SelectRead))) >= 0, "an endpoint was connected to");
            var endpoint = peers.Accept(which);
            clients.Add(endpoint);
            var head = endpoint.ReceiveHead();
            endpoint.Send(i % 2 == 0 ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" : Upgrades.Switching(head));
            _ = clients[^2].ReceiveHead();
            counts[which]++;
        }

        Assert.Equal([5, 5], counts);
        clients.ForEach(c => c.Dispose());
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_request_that_runs_out_of_time_is_504_or_cut_and_the_endpoint_let_go()
    {
        await using var peers = await HttpPeers.StartAsync(change: s => s with { Route = "timeouts: {request: 500ms}" });
        using (var client = peers.Connect())
        {
            client.Send(HttpPeers.Get("/silent"));
            using var endpoint = peers.Accept();
            _ = endpoint.ReceiveHead();
            var (head, body) = HttpPeers.Answer(client);
            Assert.Equal((504, null, "The endpoint did not answer in time.\n"), (Upgrades.Status(head), Upgrades.Value(head, "Connection"), body));
            Assert.Equal("", HttpPeers.ToEnd(endpoint));
        }

        using (var client = peers.Connect())
        {
            client.Send(HttpPeers.Request("POST", "/half", "Content-Length: 10") + "half");
            using var endpoint = peers.Accept();
            _ = endpoint.ReceiveHead();
            var (head, body) = HttpPeers.Answer(client);
            Assert.Equal((504, "close", "The request's time ran out while its body was sent.\n"), (Upgrades.Status(head), Upgrades.Value(head, "Connection"), body));
            Assert.Equal("half", HttpPeers.ToEnd(endpoint));
        }

        using (var client = peers.Connect())
        {
            client.Send(HttpPeers.Get("/begun"));
            using var endpoint = peers.Accept();
            _ = endpoint.ReceiveHead();
            endpoint.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
            _ = client.ReceiveHead();
            Assert.DoesNotContain("0\r\n\r\n", HttpPeers.ToEnd(client), StringComparison.Ordinal);
            Assert.Equal("", HttpPeers.ToEnd(endpoint));
        }

        foreach (var (path, status) in ((string, int)[])[("/silent", 504), ("/half", 504), ("/begun", 200)])
        {
            var line = await peers.LineAsync(path);
            Assert.Equal(("request_timeout", status), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
        }

        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_draining_endpoint_keeps_its_requests_to_their_end_and_is_not_gone_before()
    {
        await using var peers = await HttpPeers.StartAsync(endpoints: 2, s => s with { Backend = "slowStart: 0s, drain: {delay: 0s, duration: 0s}" });
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/long"));
        var which = -1;
        await Processes.UntilAsync(() => (which = peers.Listeners.ToList().FindIndex(static l => l.Poll(0, SelectMode.SelectRead))) >= 0, "an endpoint was connected to");
        using var endpoint = peers.Accept(which);
        _ = endpoint.ReceiveHead();
        await peers.Gateway.ApplyAsync(new GatewaySetup { Endpoints = [peers.PortOf(1 - which)] });
        // Its successor serves meanwhile.
        using (var other = peers.Connect())
        {
            other.Send(HttpPeers.Get("/other"));
            using var successor = peers.Accept(1 - which);
            _ = successor.ReceiveHead();
            successor.Send(HttpPeers.Ok());
            Assert.Equal("ok", HttpPeers.Answer(other).Body);
        }

        var backend = peers.Gateway.Host.Runtime.Backends.Single(b => b.Name == "test");
        peers.Gateway.Host.Runtime.ForgetGone();
        Assert.Equal(1, backend.Leaving.Length);
        endpoint.Send(HttpPeers.Ok("late"));
        Assert.Equal("late", HttpPeers.Answer(client).Body);
        Assert.Equal("", HttpPeers.ToEnd(endpoint));        // It is kept for nobody.
        await Processes.UntilAsync(() => backend.Leaving.Length == 0, "the endpoint was gone");
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_request_has_its_line_and_is_counted()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/told?secret=1", "Content-Length: 4") + "body");
        using var endpoint = peers.Accept();
        var head = endpoint.ReceiveHead();
        _ = endpoint.Receive(4);
        endpoint.Send("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello");
        Assert.Equal("hello", HttpPeers.Answer(client).Body);

        var line = await peers.LineAsync("/told");
        Assert.Equal(
            ("POST", "forwarded", 201, 1, 4, 5, "test"),
            (line.GetProperty("method").GetString(), line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32(), line.GetProperty("attempts").GetInt32(),
                line.GetProperty("bytesFromClient").GetInt32(), line.GetProperty("bytesFromEndpoint").GetInt32(), line.GetProperty("backend").GetString()));
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)client.Socket.LocalEndPoint!).Port}"), line.GetProperty("client").GetString());
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{peers.PortOf(0)}"), line.GetProperty("endpoint").GetString());
        Assert.Equal(Upgrades.Value(head, "Holdfast-Connection-Id"), line.GetProperty("id").GetString());
        Assert.True(line.GetProperty("durationMs").GetInt64() >= 0);
        Assert.DoesNotContain("secret", line.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_requests_total", "backend=\"test\"", "code=\"2xx\""));
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_request_seconds_count", "backend=\"test\""));
        await peers.Gateway.SettledAsync();
    }
}
