using System.Globalization;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
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

    /// <summary>Nobody reads at first: the sender must come to a halt. Then a gigabyte passes, and what the gateway holds of it stays small.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task A_gigabyte_passes_through_a_few_buffers(bool isUpload, bool isChunked)
    {
        const int Piece = 1 << 20, Pieces = 1024;
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [((System.Net.IPEndPoint)endpoints.LocalEndPoint!).Port] }, neighbour: false);
        using var client = gateway.Connect();
        client.Send(HttpPeers.Get("/warm"));
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        var before = gateway.PrivateDirty();

        var framing = isChunked ? "Transfer-Encoding: chunked" : string.Create(CultureInfo.InvariantCulture, $"Content-Length: {(long)Piece * Pieces}");
        client.Send(isUpload ? HttpPeers.Request("PUT", "/big", framing) : HttpPeers.Get("/big"));
        _ = endpoint.ReceiveHead();
        if (!isUpload)
        {
            endpoint.Send($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
            _ = client.ReceiveHead();
        }

        var (from, to) = isUpload ? (client, endpoint) : (endpoint, client);
        var piece = new byte[Piece];
        new Random(5).NextBytes(piece);
        var sent = 0;
        var sending = Task.Run(() =>
        {
            while (sent < Pieces)
            {
                from.Send(isChunked ? "100000\r\n" : "");
                from.Send(piece);
                from.Send(isChunked ? "\r\n" : "");
                Interlocked.Increment(ref sent);
            }

            from.Send(isChunked ? "0\r\n\r\n" : "");
        }, TestContext.Current.CancellationToken);
        await StoppedAsync();
        AssertSmall();
        var received = new byte[Piece];
        if (isChunked)
        {
            using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
            ReadChunks(to, hash);
            using var expected = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
            for (var i = 0; i < Pieces; i++)
                expected.AppendData(piece);
            Assert.Equal(expected.GetCurrentHash(), hash.GetCurrentHash());
        }
        else
        {
            for (var i = 0; i < Pieces; i++)
            {
                to.ReceiveInto(received);
                Assert.True(received.AsSpan().SequenceEqual(piece), "the body was changed");
                if (i % 256 == 0)
                    AssertSmall();
            }
        }

        await sending;
        AssertSmall();
        if (!isUpload)
            return;
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);

        // The kernel's buffers may take a good part of 16 MiB on either side.
        async Task StoppedAsync()
        {
            var (last, since) = (-1, TimeProvider.System.GetTimestamp());
            await Processes.UntilAsync(
                () =>
                {
                    if (Volatile.Read(ref sent) != last)
                        (last, since) = (Volatile.Read(ref sent), TimeProvider.System.GetTimestamp());
                    return TimeProvider.System.GetElapsedTime(since) > TimeSpan.FromMilliseconds(500);
                },
                "the sender was stopped");
            Assert.True(last < 48, $"{last} MiB were taken from the sender though nobody read");
        }

        void AssertSmall() => Assert.True(gateway.PrivateDirty() - before < 32 << 20, $"the gateway grew by {gateway.PrivateDirty() - before} bytes");
    }

    private static void ReadChunks(RawPeer peer, System.Security.Cryptography.IncrementalHash hash)
    {
        // Buffered: a size line a byte at a time would take as many system calls.
        using var stream = new BufferedStream(new System.Net.Sockets.NetworkStream(peer.Socket), 1 << 16);
        var buffer = new byte[1 << 16];
        while (true)
        {
            var size = Convert.ToInt32(Line(), 16);
            for (var left = size; left > 0;)
            {
                var n = stream.Read(buffer, 0, Math.Min(left, buffer.Length));
                Assert.NotEqual(0, n);
                hash.AppendData(buffer, 0, n);
                left -= n;
            }

            Assert.Equal("", Line());
            if (size == 0)
                return;
        }

        string Line()
        {
            var line = new StringBuilder();
            for (int b; (b = stream.ReadByte()) != '\n';)
                line.Append((char)b);
            return line.ToString().TrimEnd('\r');
        }
    }
}
