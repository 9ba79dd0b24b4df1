using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>Requests that are no upgrades, forwarded to the same backends.</summary>
public sealed class PlainHttpTests : IAsyncLifetime
{
    private readonly Socket _endpoints = RawPeer.Listen();
    private GatewayFixture _gateway = null!;

    [Theory]
    [InlineData("HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\nhello", 200, "hello")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, "hello")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello")]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", 204, "")]
    [InlineData("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n", 304, "")]
    [InlineData("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello", 404, "hello")]
    [InlineData("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, "")]
    [InlineData("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello")]
    public async Task Answers_pass_whole(string answer, int status, string body)
    {
        using var client = _gateway.Connect();
        client.Send("GET /page?x=%41 HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using (var endpoint = RawPeer.Accept(_endpoints))
        {
            Assert.StartsWith("GET /page?x=%41 HTTP/1.1\r\n", endpoint.ReceiveHead(), StringComparison.Ordinal);
            endpoint.Send(answer);
            endpoint.Finish();
            var head = client.ReceiveHead();
            Assert.Equal(status, Upgrades.Status(head));
            Assert.Equal(Upgrades.Values(answer, "Set-Cookie"), Upgrades.Values(head, "Set-Cookie"));
            Assert.Null(Upgrades.Value(head, "Connection"));
            Assert.Equal(body, Encoding.ASCII.GetString(ReceiveBody(client, head)));
        }

        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nX-A: a\u0001b\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("SSH-2.0-x\r\n\r\n")]
    [InlineData("")]
    public async Task Answers_that_are_wrong_or_none_are_502(string answer)
    {
        using var client = _gateway.Connect();
        client.Send("POST /page HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1\r\n\r\nx");
        using (var endpoint = RawPeer.Accept(_endpoints))
        {
            _ = endpoint.ReceiveHead();
            _ = endpoint.Receive(1);
            endpoint.Send(answer);
            endpoint.Finish();
            var head = client.ReceiveHead();
            Assert.Equal(502, Upgrades.Status(head));
            Assert.DoesNotContain("hello", Encoding.ASCII.GetString(ReceiveBody(client, head)), StringComparison.Ordinal);
        }

        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task HEAD_has_the_headers_and_no_body()
    {
        using var client = _gateway.Connect();
        client.Send("HEAD / HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        Assert.StartsWith("HEAD / ", endpoint.ReceiveHead(), StringComparison.Ordinal);
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n");

        var head = client.ReceiveHead();
        Assert.Equal(("12345", "\"x\""), (Upgrades.Value(head, "Content-Length"), Upgrades.Value(head, "ETag")));
        client.Send("GET /next HTTP/1.1\r\nHost: test.example\r\n\r\n");
        Assert.StartsWith("GET /next ", endpoint.ReceiveHead(), StringComparison.Ordinal);
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", client.ReceiveHead(), StringComparison.Ordinal);
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Bodies_stream_up_by_length_and_in_chunks(bool chunked)
    {
        const int Size = 3_000_000;
        var body = new byte[Size];
        new Random(7).NextBytes(body);
        using var client = _gateway.Connect();
        client.Send("PUT /up HTTP/1.1\r\nHost: test.example\r\nContent-Type: x/y\r\n" + (chunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {Size}\r\n\r\n"));
        using var endpoint = RawPeer.Accept(_endpoints);        // It is asked before the body has come.
        var head = endpoint.ReceiveHead();
        Assert.Equal("x/y", Upgrades.Value(head, "Content-Type"));
        Assert.Equal(chunked ? (null, "chunked") : ($"{Size}", null), (Upgrades.Value(head, "Content-Length"), Upgrades.Value(head, "Transfer-Encoding")));
        var sending = Task.Run(() =>
        {
            if (chunked)
                client.Send($"{Size:x};name=value\r\n");
            client.Send(body);
            if (chunked)
                client.Send("\r\n0\r\nX-Trailer: y\r\n\r\n");
        }, TestContext.Current.CancellationToken);
        Assert.True(body.AsSpan().SequenceEqual(chunked ? ReceiveChunks(endpoint) : endpoint.Receive(Size)), "the body was changed");
        await sending;
        endpoint.Send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");

        Assert.Equal(201, Upgrades.Status(client.ReceiveHead()));
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task A_malformed_chunk_is_400_and_no_whole_request_for_the_endpoint()
    {
        using var client = _gateway.Connect();
        client.Send("POST /up HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();

        Assert.Equal(400, Upgrades.Status(client.ReceiveHead()));
        Assert.DoesNotContain("0\r\n\r\n", Encoding.ASCII.GetString(ToEndOrReset(endpoint)), StringComparison.Ordinal);
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task Server_sent_events_arrive_one_by_one_and_the_clients_leaving_ends_the_stream()
    {
        using var client = _gateway.Connect();
        client.Send("GET /events HTTP/1.1\r\nHost: test.example\r\nAccept: text/event-stream\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.Equal("text/event-stream", Upgrades.Value(client.ReceiveHead(), "Content-Type"));   // Before any event.
        for (var i = 0; i < 20; i++)
        {
            // Each is sent only when the one before has been seen.
            var data = $"data: {i}\n\n";
            var chunk = $"{data.Length:x}\r\n{data}\r\n";
            endpoint.Send(chunk);
            Assert.Equal(chunk, Encoding.ASCII.GetString(client.Receive(chunk.Length)));
        }

        client.Dispose();
        Assert.Empty(ToEndOrReset(endpoint));
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_a_long_poll_cancels_it_at_the_endpoint()
    {
        using var client = _gateway.Connect();
        client.Send("GET /poll HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        client.Dispose();

        Assert.Empty(ToEndOrReset(endpoint));
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_not_taken_for_whole()
    {
        using var client = _gateway.Connect();
        client.Send("GET /cut HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        _ = client.ReceiveHead();
        Assert.Equal("5\r\nhello\r\n"u8.ToArray(), client.Receive(10));
        endpoint.Dispose();

        Assert.DoesNotContain("0\r\n\r\n", Encoding.ASCII.GetString(ToEndOrReset(client)), StringComparison.Ordinal);
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("GET http://test.example/a%2fb?c HTTP/1.1\r\nHost: test.example\r\n\r\n", "GET /a%2fb?c HTTP/1.1")]
    [InlineData("GET /a/../b/%2e%2e//c HTTP/1.1\r\nHost: test.example\r\n\r\n", "GET /a/../b/%2e%2e//c HTTP/1.1")]
    [InlineData("GET /x HTTP/1.1\r\nHost: test.example\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n", "GET /x HTTP/1.1")]
    [InlineData("GET /y HTTP/1.0\r\nHost: test.example\r\n\r\n", "GET /y HTTP/1.1")]
    public async Task Targets_pass_as_they_are_and_other_upgrades_as_plain_requests(string request, string line)
    {
        using var client = _gateway.Connect();
        client.Send(request);
        using var endpoint = RawPeer.Accept(_endpoints);
        var head = endpoint.ReceiveHead();
        Assert.StartsWith(line + "\r\n", head, StringComparison.Ordinal);
        Assert.Null(Upgrades.Value(head, "Upgrade"));
        Assert.DoesNotContain("HTTP2-Settings", head, StringComparison.Ordinal);
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

        Assert.Equal(200, Upgrades.Status(client.ReceiveHead()));
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task No_route_is_404_no_endpoint_503_or_502_and_no_answer_in_time_504()
    {
        using var silent = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)silent.LocalEndPoint!).Port],
            Route = "hosts: [known.example], timeouts: {request: 300ms}",
            Routes = ["path: {prefix: /refused}, backend: refused"],
            Backends = [$"refused: {{endpoints: [\"127.0.0.1:{Processes.FreePort()}\"]}}"],
        });
        Assert.Equal(404, Ask("/", "other.example"));
        Assert.Equal(502, Ask("/refused", "other.example"));
        Assert.Equal(504, Ask("/", "known.example"));
        await gateway.SettledAsync();

        int Ask(string path, string host)
        {
            using var client = gateway.Connect();
            client.Send($"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            return Upgrades.Status(client.ReceiveHead());
        }
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port] });

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _endpoints.Dispose();
    }

    private static byte[] ToEndOrReset(RawPeer peer)
    {
        using var all = new MemoryStream();
        var buffer = new byte[4096];
        try
        {
            for (int n; (n = peer.Socket.Receive(buffer)) > 0;)
                all.Write(buffer, 0, n);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Aborted: as good an end.
        }

        return all.ToArray();
    }

    private static byte[] ReceiveChunks(RawPeer peer)
    {
        using var all = new MemoryStream();
        while (true)
        {
            var line = new StringBuilder();
            while (!line.ToString().EndsWith("\r\n", StringComparison.Ordinal))
                line.Append((char)peer.Receive(1)[0]);
            var size = Convert.ToInt32(line.ToString().Trim().Split(';')[0], 16);
            all.Write(peer.Receive(size));
            _ = peer.Receive(2);
            if (size == 0)
                return all.ToArray();
        }
    }

    /// <summary>As the head frames it.</summary>
    private static byte[] ReceiveBody(RawPeer client, string head) => Upgrades.Value(head, "Transfer-Encoding") is not null
        ? ReceiveChunks(client)
        : Upgrades.Status(head) is 204 or 304 ? [] : client.Receive(int.Parse(Upgrades.Value(head, "Content-Length")!, System.Globalization.CultureInfo.InvariantCulture));
}
