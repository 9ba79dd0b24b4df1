using System.Diagnostics;
using System.Globalization;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>Bodies both ways, what goes before them and what comes behind.</summary>
public sealed class BodyTests
{
    [Fact]
    public async Task A_client_that_expects_100_is_told_to_go_on_when_the_endpoint_says_so()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/up", "Content-Length: 4", "Expect: 100-continue"));
        using var endpoint = peers.Accept();
        Assert.Equal("100-continue", Upgrades.Value(endpoint.ReceiveHead(), "Expect"));
        endpoint.Send("HTTP/1.1 100 Continue\r\n\r\n");
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", client.ReceiveHead());
        client.Send("body");
        Assert.Equal("body"u8.ToArray(), endpoint.Receive(4));
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        client.Send(HttpPeers.Get("/next"));
        Assert.StartsWith("GET /next ", endpoint.ReceiveHead(), StringComparison.Ordinal);
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_knows_nothing_of_100_gets_the_body_all_the_same()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/up", "Transfer-Encoding: chunked", "Expect: 100-continue"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", client.ReceiveHead());
        client.Send("4\r\nbody\r\n0\r\n\r\n");
        Assert.Equal("body"u8.ToArray(), HttpPeers.Chunks(endpoint, out _));
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task An_answer_in_place_of_100_reaches_a_client_that_never_sends_its_body()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("PUT", "/up", "Content-Length: 1000000", "Expect: 100-continue"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal((413, "close", "big"), (Upgrades.Status(head), Upgrades.Value(head, "Connection"), body));
        Assert.Equal("", HttpPeers.ToEnd(endpoint));
        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_before_the_body_has_come_is_relayed_and_both_connections_end(bool isClosing)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/up", "Content-Length: 1000000") + "some");
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        Assert.Equal("some"u8.ToArray(), endpoint.Receive(4));
        endpoint.Send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
        if (isClosing)
            endpoint.Dispose();
        var (head, body) = HttpPeers.Answer(client);
        Assert.Equal((403, "close", "no"), (Upgrades.Status(head), Upgrades.Value(head, "Connection"), body));
        client.Finish();
        Assert.Equal("", HttpPeers.ToEnd(client));
        if (!isClosing)
            Assert.Equal("", HttpPeers.ToEnd(endpoint));
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_may_answer_while_it_reads()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/echo", "Transfer-Encoding: chunked"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.Equal(200, Upgrades.Status(client.ReceiveHead()));
        for (var i = 0; i < 20; i++)
        {
            // Each is sent only when the one before has come back.
            var chunk = string.Create(CultureInfo.InvariantCulture, $"3\r\n{i:d3}\r\n");
            client.Send(chunk);
            Assert.Equal(chunk, Encoding.ASCII.GetString(endpoint.Receive(chunk.Length)));
            endpoint.Send(chunk);
            Assert.Equal(chunk, Encoding.ASCII.GetString(client.Receive(chunk.Length)));
        }

        client.Send("0\r\n\r\n");
        Assert.Equal("0\r\n\r\n"u8.ToArray(), endpoint.Receive(5));
        endpoint.Send("0\r\n\r\n");
        Assert.Equal("0\r\n\r\n"u8.ToArray(), client.Receive(5));
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Trailers_of_a_request_pass_but_for_those_that_must_not()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/up", "Transfer-Encoding: chunked", "Trailer: X-Sum")
            + "4\r\nbody\r\n0\r\nX-Sum: abc\r\nContent-Length: 5\r\nHost: evil\r\nX-Forwarded-For: 1.2.3.4\r\nHoldfast-Connection-Id: 1\r\nAuthorization: x\r\n\r\n");
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        Assert.Equal("body"u8.ToArray(), HttpPeers.Chunks(endpoint, out var trailers));
        Assert.Equal("X-Sum: abc\r\n", trailers);
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData("TE: trailers", "X-Sum: abc\r\n")]
    [InlineData("TE: gzip, trailers", "X-Sum: abc\r\n")]
    [InlineData("X-A: b", "")]
    public async Task Trailers_of_an_answer_pass_to_a_client_that_takes_them(string line, string expected)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        for (var i = 0; i < 2; i++)
        {
            client.Send(HttpPeers.Get("/t", line));
            using var endpoint = peers.Accept();
            Assert.Equal(expected.Length > 0 ? "trailers" : null, Upgrades.Value(endpoint.ReceiveHead(), "TE"));
            // In pieces, so that no read holds them whole.
            endpoint.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
            var head = client.ReceiveHead();
            Assert.Equal("chunked", Upgrades.Value(head, "Transfer-Encoding"));
            endpoint.Send("3\r\nllo\r\n0\r\nX-Su");
            endpoint.Send("m: abc\r\nContent-Length: 5\r\nHoldfast-X: 1\r\nSet-Cookie: a\r\n\r\n");
            Assert.Equal("hello"u8.ToArray(), HttpPeers.Chunks(client, out var trailers));
            Assert.Equal(expected, trailers);
            endpoint.Dispose();
        }

        await peers.Gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\n\r\n")]
    [InlineData("GET", "HTTP/1.1 204 No Content\r\n\r\n")]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n")]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("DELETE", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
    public async Task Answers_without_a_body_leave_both_connections_fit_for_the_next(string method, string answer)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request(method, "/1"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send(answer);
        var head = client.ReceiveHead();
        Assert.Equal(Upgrades.Status(answer), Upgrades.Status(head));
        client.Send(HttpPeers.Get("/2"));
        Assert.StartsWith("GET /2 ", endpoint.ReceiveHead(), StringComparison.Ordinal);
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        peers.AssertNoConnection();
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_204_with_a_length_is_passed_on_without_it()
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get());
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello");
        var head = client.ReceiveHead();
        Assert.Equal((204, null), (Upgrades.Status(head), Upgrades.Value(head, "Content-Length")));
        Assert.Equal("", HttpPeers.ToEnd(endpoint));
        await peers.Gateway.SettledAsync();
    }

    /// <summary>A gigabyte up, at an endpoint that reads it slowly at first: what the gateway holds of it stays small.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_gigabyte_passes_through_a_few_buffers(bool isUpload)
    {
        const long Size = 1L << 30;
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(isUpload ? HttpPeers.Request("PUT", "/big", $"Content-Length: {Size}") : HttpPeers.Get("/big"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        if (!isUpload)
        {
            endpoint.Send($"HTTP/1.1 200 OK\r\nContent-Length: {Size}\r\n\r\n");
            _ = client.ReceiveHead();
        }

        var (from, to) = isUpload ? (client, endpoint) : (endpoint, client);
        using var process = Process.GetCurrentProcess();
        GC.Collect();
        process.Refresh();
        var (heapBefore, before) = (GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64);
        var piece = new byte[1 << 20];
        new Random(5).NextBytes(piece);
        var sent = 0L;
        var sending = Task.Run(() =>
        {
            for (; sent < Size; sent += piece.Length)
                from.Send(piece);
        }, TestContext.Current.CancellationToken);

        // Nobody reads: the sender comes to a halt with what the kernel's buffers and the gateway's take.
        var last = -1L;
        await Processes.UntilAsync(() => Interlocked.Exchange(ref last, Volatile.Read(ref sent)) == Volatile.Read(ref sent), "the sender was stopped");
        Assert.True(Volatile.Read(ref sent) < 64 << 20, $"{Volatile.Read(ref sent)} bytes were taken from the sender though nobody read");
        var received = new byte[piece.Length];
        for (var at = 0L; at < Size; at += received.Length)
        {
            to.ReceiveInto(received);
            Assert.True(received.AsSpan().SequenceEqual(piece), "the body was changed");
        }

        await sending;
        process.Refresh();
        Assert.True(GC.GetTotalMemory(forceFullCollection: true) - heapBefore < 8 << 20, "the managed heap grew");
        Assert.True(process.WorkingSet64 - before < 64 << 20, $"the process grew by {process.WorkingSet64 - before} bytes");
        if (isUpload)
        {
            endpoint.Send(HttpPeers.Ok());
            Assert.Equal("ok", HttpPeers.Answer(client).Body);
        }

        var line = await peers.LineAsync("/big");
        Assert.Equal(Size, line.GetProperty(isUpload ? "bytesFromClient" : "bytesFromEndpoint").GetInt64());
        await peers.Gateway.SettledAsync();
    }
}
