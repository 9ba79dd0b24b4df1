using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>Connections that serve more than one request, on either side, and those that must not.</summary>
public sealed class KeepAliveTests
{
    [Fact]
    public async Task One_connection_on_either_side_serves_many_requests()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/0"));
        using var endpoint = peers.Accept();
        for (var i = 0; i < 50; i++)
        {
            Assert.StartsWith($"GET /{i} HTTP/1.1\r\n", endpoint.ReceiveHead(), StringComparison.Ordinal);
            endpoint.Send(i % 2 == 0 ? HttpPeers.Ok($"answer {i}") : $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nanswer \r\n{(i < 10 ? 1 : 2)}\r\n{i}\r\n0\r\n\r\n");
            Assert.Equal($"answer {i}", HttpPeers.Answer(client).Body);
            client.Send(HttpPeers.Get($"/{i + 1}"));
        }

        peers.AssertNoConnection();
    }

    [Fact]
    public async Task Clients_share_the_connections_of_those_that_are_done()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var first = peers.Connect();
        first.Send(HttpPeers.Get("/a"));
        using var endpoint = peers.Accept();
        Exchange(first);
        first.Dispose();
        using var second = peers.Connect();
        second.Send(HttpPeers.Request("POST", "/b", "Content-Length: 0"));
        Exchange(second);
        peers.AssertNoConnection();

        void Exchange(RawPeer client)
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send(HttpPeers.Ok());
            Assert.Equal("ok", HttpPeers.Answer(client).Body);
        }
    }

    [Fact]
    public async Task As_many_connections_are_kept_as_there_were_requests_at_once()
    {
        const int Requests = 300;
        await using var peers = await HttpPeers.StartAsync();
        var clients = Enumerable.Range(0, Requests).Select(_ => peers.Connect()).ToList();
        clients.ForEach(c => c.Send(HttpPeers.Get("/1")));
        var endpoints = clients.Select(_ => peers.Accept()).ToList();
        for (var round = 1; round <= 2; round++)
        {
            endpoints.ForEach(e =>
            {
                Assert.StartsWith($"GET /{round} ", e.ReceiveHead(), StringComparison.Ordinal);
                e.Send(HttpPeers.Ok("ok", "Keep-Alive: timeout=61"));
            });
            Assert.All(clients, c => Assert.Equal("ok", HttpPeers.Answer(c).Body));
            await Processes.UntilAsync(() => peers.Gateway.Host.IdleUpstreamConnections == Requests, "the connections were kept");
            if (round == 1)
                clients.ForEach(c => c.Send(HttpPeers.Get("/2")));
        }

        peers.AssertNoConnection();
        clients.Concat(endpoints).ToList().ForEach(p => p.Dispose());
    }

    [Fact]
    public async Task Pipelined_requests_are_answered_in_their_order()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/1") + HttpPeers.Request("POST", "/2", "Content-Length: 3") + "abc" + HttpPeers.Get("/3"));
        using var endpoint = peers.Accept();
        for (var i = 1; i <= 3; i++)
        {
            Assert.Contains($" /{i} HTTP/1.1\r\n", endpoint.ReceiveHead(), StringComparison.Ordinal);
            if (i == 2)
                Assert.Equal("abc"u8.ToArray(), endpoint.Receive(3));
            endpoint.Send(HttpPeers.Ok($"{i}"));
            Assert.Equal($"{i}", HttpPeers.Answer(client).Body);
        }

        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_that_the_endpoint_has_closed_meanwhile_is_not_used(bool reset)
    {
        await using var peers = await HttpPeers.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            using var client = peers.Connect();
            client.Send(HttpPeers.Get());
            using var endpoint = peers.Accept();        // Each time another.
            _ = endpoint.ReceiveHead();
            endpoint.Send(HttpPeers.Ok());
            Assert.Equal("ok", HttpPeers.Answer(client).Body);
            await Processes.UntilAsync(() => peers.Gateway.Host.IdleUpstreamConnections == 1, "the connection was kept");
            HttpPeers.End(endpoint, reset);
        }

        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=0\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx")]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")]
    public async Task A_connection_that_is_not_to_be_used_again_is_closed(string answer)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        for (var i = 0; i < 2; i++)
        {
            client.Send(HttpPeers.Get());
            using var endpoint = peers.Accept();
            _ = endpoint.ReceiveHead();
            endpoint.Send(answer);
            Assert.Equal("ok", HttpPeers.Answer(client).Body);
            Assert.Equal("", HttpPeers.ToEnd(endpoint));
        }

        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task What_comes_after_an_answer_is_never_the_next_requests_answer()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/1"));
        using (var endpoint = peers.Accept())
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send(HttpPeers.Ok("one"));
            Assert.Equal("one", HttpPeers.Answer(client).Body);
            await Processes.UntilAsync(() => peers.Gateway.Host.IdleUpstreamConnections == 1, "the connection was kept");
            endpoint.Send(HttpPeers.Ok("forged"));
            client.Send(HttpPeers.Get("/2"));
            using var other = peers.Accept();
            Assert.StartsWith("GET /2 ", other.ReceiveHead(), StringComparison.Ordinal);
            other.Send(HttpPeers.Ok("two"));
            Assert.Equal("two", HttpPeers.Answer(client).Body);
        }

        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Idle_connections_are_closed_before_most_endpoints_would_close_them()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get());
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        Assert.Equal("", HttpPeers.ToEnd(endpoint));        // The gateway's own end: the endpoint has closed nothing.
        Assert.Equal(0, peers.Gateway.Host.IdleUpstreamConnections);
    }

    [Fact]
    public async Task A_draining_endpoints_idle_connections_are_closed()
    {
        await using var peers = await HttpPeers.StartAsync(endpoints: 2, s => s with { Backend = "slowStart: 0s, loadBalancing: roundRobin" });
        var endpoints = new List<RawPeer>();
        using var client = peers.Connect();
        for (var i = 0; i < 2; i++)
        {
            client.Send(HttpPeers.Get());
            var which = -1;
            await Processes.UntilAsync(() => (which = peers.Listeners.ToList().FindIndex(static l => l.Poll(0, System.Net.Sockets.SelectMode.SelectRead))) >= 0, "an endpoint was connected to");
            var endpoint = peers.Accept(which);
            _ = endpoint.ReceiveHead();
            // Long enough that only the drain ends it.
            endpoint.Send(HttpPeers.Ok("ok", "Keep-Alive: timeout=61"));
            Assert.Equal("ok", HttpPeers.Answer(client).Body);
            endpoints.Add(endpoint);
        }

        var port = ((System.Net.IPEndPoint)endpoints[0].Socket.LocalEndPoint!).Port;
        Assert.True((int)await peers.Gateway.SendAsync(HttpMethod.Post, $"/v1/backends/test/endpoints/127.0.0.1:{port}/drain") < 300);
        Assert.Equal("", HttpPeers.ToEnd(endpoints[0]));
        await Processes.UntilAsync(() => peers.Gateway.Host.IdleUpstreamConnections == 1, "the other's was kept");
        Assert.False(endpoints[1].Socket.Poll(0, System.Net.Sockets.SelectMode.SelectRead));
        endpoints.ForEach(e => e.Dispose());
    }

    [Theory]
    [InlineData("HTTP/1.0", "", "close")]
    [InlineData("HTTP/1.0", "Connection: keep-alive\r\n", "keep-alive")]
    [InlineData("HTTP/1.1", "Connection: close\r\n", "close")]
    [InlineData("HTTP/1.1", "", null)]
    public async Task A_client_is_kept_as_it_asks(string version, string line, string? connection)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send($"GET / {version}\r\nHost: test.example\r\n{line}\r\n");
        using var endpoint = peers.Accept();
        var head = endpoint.ReceiveHead();
        Assert.StartsWith("GET / HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Null(Upgrades.Value(head, "Connection"));
        endpoint.Send(HttpPeers.Ok());
        var answer = HttpPeers.Answer(client);
        Assert.Equal(connection, Upgrades.Value(answer.Head, "Connection"));
        if (connection == "close")
            Assert.Equal("", HttpPeers.ToEnd(client));
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task While_the_gateway_leaves_answers_say_close_and_requests_in_flight_end_in_order()
    {
        await using var peers = await HttpPeers.StartAsync(change: s => s with { Shutdown = "delay: 5m, duration: 0s" });
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/before"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        var stopping = peers.Gateway.Host.StopAsync(atOnce: false);
        await Processes.UntilAsync(() => peers.Gateway.Host.Runtime.Phase == Holdfast.Gateway.Hosting.GatewayPhase.Draining, "the gateway was leaving");
        endpoint.Send(HttpPeers.Ok());
        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal(("close", "ok"), (Upgrades.Value(head, "Connection"), body));
        Assert.Equal("", HttpPeers.ToEnd(client));

        _ = peers.Gateway.Host.StopAsync(atOnce: true);
        await stopping;
    }
}
