using System.Globalization;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>Endpoints that die at every step of an exchange: the client is told, or its answer cut, and no request is ever run twice.</summary>
public sealed class EndpointEndTests
{
    [Theory]
    [InlineData("GET", "", false)]
    [InlineData("GET", "", true)]
    [InlineData("POST", "", false)]
    [InlineData("POST", "", true)]
    [InlineData("GET", "HTTP/1.1 2", false)]
    [InlineData("POST", "HTTP/1.1 2", true)]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Le", false)]
    [InlineData("POST", "HTTP/1.1 200 OK\r\nContent-Le", true)]
    [InlineData("GET", "HTTP/1.1 103 Early Hints\r\n\r\n", false)]
    public async Task A_connection_that_ends_before_the_answers_head_is_502_and_the_request_is_not_sent_again(string method, string answer, bool reset)
    {
        await using var peers = await HttpPeers.StartAsync(endpoints: 2);
        using var client = peers.Connect();
        client.Send(HttpPeers.Request(method, "/once", "Content-Length: 4") + "body");
        var which = await WhichAsync(peers);
        using (var endpoint = peers.Accept(which))
        {
            Assert.StartsWith(method + " /once HTTP/1.1\r\n", endpoint.ReceiveHead(), StringComparison.Ordinal);
            Assert.Equal("body"u8.ToArray(), endpoint.Receive(4));
            endpoint.Send(answer);
            HttpPeers.End(endpoint, reset);
        }

        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal(502, Upgrades.Status(head));
        Assert.Equal("The endpoint closed the connection without a whole answer's head. The request is not sent again: it may have been executed.\n", body);
        peers.AssertNoConnection();
        Assert.Equal("no_answer", (await peers.LineAsync("/once")).GetProperty("outcome").GetString());

        // The client's connection is good for more.
        client.Send(HttpPeers.Get("/more"));
        using (var endpoint = peers.Accept(await WhichAsync(peers)))
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send(HttpPeers.Ok());
            Assert.Equal("ok", HttpPeers.Answer(client).Body);
        }

        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData("Content-Length: 5\r\n\r\n", false)]
    [InlineData("Content-Length: 5\r\n\r\n", true)]
    [InlineData("Content-Length: 5\r\n\r\nhel", false)]
    [InlineData("Content-Length: 5\r\n\r\nhel", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhe", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\n", false)]
    [InlineData("X-To: end\r\n\r\nhel", true)]
    public async Task An_answer_that_breaks_off_is_cut_for_the_client_too(string answer, bool reset)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/cut"));
        using (var endpoint = peers.Accept())
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send("HTTP/1.1 200 OK\r\n" + answer);
            var head = client.ReceiveHead();
            Assert.Equal(200, Upgrades.Status(head));
            HttpPeers.End(endpoint, reset);

            var rest = HttpPeers.ToEnd(client);
            if (Upgrades.Value(head, "Content-Length") is { } length)
                Assert.True(rest.Length < int.Parse(length, CultureInfo.InvariantCulture), rest);
            else
                Assert.DoesNotContain("0\r\n\r\n", rest, StringComparison.Ordinal);
        }

        peers.AssertNoConnection();
        var line = await peers.LineAsync("/cut");
        Assert.Equal(("answer_cut", 200), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData("2\r\nhe\r\nnonsense\r\n")]
    [InlineData("2\r\nhel\r\n0\r\n\r\n")]
    [InlineData("-2\r\nhe\r\n0\r\n\r\n")]
    [InlineData("2\nhe\r\n0\r\n\r\n")]
    [InlineData("fffffffffffffffff\r\nhe")]
    [InlineData("2\r\nhe\r\n0\r\nX A: b\r\n\r\n")]
    public async Task Malformed_chunks_are_502_or_a_cut(string chunks)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/chunks"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
        Assert.Equal("", HttpPeers.ToEnd(endpoint));

        var line = await peers.LineAsync("/chunks");
        Assert.Equal("bad_answer", line.GetProperty("outcome").GetString());
        if (line.GetProperty("status").GetInt32() == 502)
            Assert.Equal(502, Upgrades.Status(HttpPeers.Answer(client).Head));
        else
            Assert.DoesNotContain("0\r\n\r\n", HttpPeers.ToEnd(client), StringComparison.Ordinal);
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task An_answer_to_the_end_of_the_connection_is_whole_when_that_ends_in_order()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get());
        using (var endpoint = peers.Accept())
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send("HTTP/1.1 200 OK\r\n\r\nhel");
            endpoint.Send("lo");
        }

        Assert.Equal("hello", HttpPeers.Answer(client).Body);
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_refuses_is_passed_over_and_the_body_arrives_whole_at_the_next()
    {
        await using var peers = await HttpPeers.StartAsync(change: s => s with { Endpoints = [.. Enumerable.Repeat(0, 5).Select(_ => Processes.FreePort()), .. s.Endpoints], Backend = "slowStart: 0s, loadBalancing: roundRobin, health: {eject: {afterFailures: 0}}" });
        // Of six endpoints one listens; a request tries three.
        var served = 0;
        for (var i = 0; i < 12; i++)
        {
            using var client = peers.Connect();
            client.Send(HttpPeers.Request("POST", "/up", "Content-Length: 4") + "body");
            var answering = Task.Run(() => HttpPeers.Answer(client), TestContext.Current.CancellationToken);
            await Processes.UntilAsync(() => answering.IsCompleted || peers.Listeners[0].Poll(0, System.Net.Sockets.SelectMode.SelectRead), "something happened");
            if (!answering.IsCompleted)
            {
                using var endpoint = peers.Accept();
                _ = endpoint.ReceiveHead();
                Assert.Equal("body"u8.ToArray(), endpoint.Receive(4));
                endpoint.Send(HttpPeers.Ok("ok", "Connection: close"));
                served++;
            }

            var (head, body) = await answering;
            if (Upgrades.Status(head) != 200)
                Assert.Equal((502, "The endpoint refused the connection.\n"), (Upgrades.Status(head), body));
        }

        Assert.InRange(served, 4, 8);
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_cannot_be_connected_to_in_time_is_504_and_says_so()
    {
        // A listener that accepts nobody, its queue full: the kernel drops the SYN.
        using var full = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        full.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.IPv6Loopback, 0));
        full.Listen(0);
        var port = ((System.Net.IPEndPoint)full.LocalEndPoint!).Port;
        using var first = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        await first.ConnectAsync(System.Net.IPAddress.IPv6Loopback, port, TestContext.Current.CancellationToken);
        await using var peers = await HttpPeers.StartAsync(change: s => s with
        {
            Routes = ["path: {prefix: /full}, timeouts: {connect: 300ms}, backend: full"],
            Backends = [$"full: {{endpoints: [\"[::1]:{port}\"]}}"],
        });
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/full"));
        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal((504, "The connect to the endpoint timed out.\n"), (Upgrades.Status(head), body));
        Assert.Equal("connect_timeout", (await peers.LineAsync("/full")).GetProperty("outcome").GetString());
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_head_that_never_ends_is_502_at_32_KiB()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get());
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\n");
        endpoint.Send(string.Concat(Enumerable.Repeat("X-A: " + new string('b', 1000) + "\r\n", 33)));
        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal((502, "The head of the endpoint's answer is over 32 KiB.\n"), (Upgrades.Status(head), body));
        _ = HttpPeers.ToEnd(endpoint);
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_large_head_that_comes_in_pieces_passes()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get());
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        var lines = Enumerable.Range(0, 30).Select(i => $"X-{i}: {new string((char)('a' + (i % 26)), 1000)}").ToList();
        var answer = Encoding.ASCII.GetBytes(HttpPeers.Ok("hello", [.. lines]));
        for (var at = 0; at < answer.Length; at += 1500)
        {
            endpoint.Send(answer.AsSpan(at, Math.Min(1500, answer.Length - at)));
            await Task.Yield();
        }

        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal("hello", body);
        Assert.All(Enumerable.Range(0, 30), i => Assert.Equal(new string((char)('a' + (i % 26)), 1000), Upgrades.Value(head, $"X-{i}")));
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Informational_answers_without_end_are_502()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get());
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send(string.Concat(Enumerable.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 17)));
        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal((502, "The endpoint sent too many informational answers.\n"), (Upgrades.Status(head), body));
        await peers.Gateway.SettledAsync();
    }

    /// <summary>The endpoint that was connected to.</summary>
    private static async Task<int> WhichAsync(HttpPeers peers)
    {
        var which = -1;
        await Processes.UntilAsync(
            () => (which = peers.Listeners.ToList().FindIndex(static l => l.Poll(0, System.Net.Sockets.SelectMode.SelectRead))) >= 0, "an endpoint was connected to");
        return which;
    }
}
