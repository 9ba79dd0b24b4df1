using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Links;

/// <summary>WebSocket upgrades that come on a connection which has carried a plain request before.</summary>
public sealed class BridgedUpgradeTests : IAsyncLifetime
{
    private readonly Socket _endpoints = RawPeer.Listen();
    private readonly KeptAlive _kept = new();
    private GatewayFixture _gateway = null!;

    [Fact]
    public async Task The_second_request_may_be_an_upgrade_with_its_first_frame_in_the_same_segment()
    {
        using var client = KeptAlive.Connect(_gateway);
        client.Send([.. Encoding.ASCII.GetBytes(Upgrades.Request("/ws?x=%41", "X-One: 1")), .. Frames.FromClient(Frames.Text, "early"u8)]);
        using var endpoint = RawPeer.Accept(_endpoints);
        var request = endpoint.AnswerUpgrade("X-Two: 2", "Sec-WebSocket-Extensions: foo", "Set-Cookie: a=b", "Set-Cookie: c=d");
        Assert.StartsWith("GET /ws?x=%41 HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Equal("1", Upgrades.Value(request, "X-One"));
        Assert.Equal(Upgrades.Key, Upgrades.Value(request, "Sec-WebSocket-Key"));
        Assert.Equal("127.0.0.1", Upgrades.Value(request, "X-Forwarded-For"));

        var head = client.ReceiveHead();
        Assert.StartsWith("HTTP/1.1 101 Switching Protocols\r\n", head, StringComparison.Ordinal);
        Assert.Equal(("2", Upgrades.Accept, "foo"), (Upgrades.Value(head, "X-Two"), Upgrades.Value(head, "Sec-WebSocket-Accept"), Upgrades.Value(head, "Sec-WebSocket-Extensions")));
        Assert.Equal(["a=b", "c=d"], Upgrades.Values(head, "Set-Cookie"));
        Assert.Equal(["Upgrade"], Upgrades.Values(head, "Connection"));
        Assert.Equal(["websocket"], Upgrades.Values(head, "Upgrade"));

        Assert.Equal("early"u8.ToArray(), endpoint.ReceiveFrame().Payload);
        endpoint.Send(Frames.FromServer(Frames.Text, "answer"u8));
        Assert.Equal("answer"u8.ToArray(), client.ReceiveFrame().Payload);
        End(client, endpoint);
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(125)]
    [InlineData(200_000)]
    [InlineData(40_000_000)]
    public async Task Messages_of_any_length_pass_both_ways(int length)
    {
        using var client = KeptAlive.Connect(_gateway);
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        var payload = new byte[length];
        new Random(length).NextBytes(payload);
        for (var i = 0; i < 3; i++)
        {
            var sending = Task.Run(() => client.Send(Frames.FromClient(Frames.Binary, payload)), TestContext.Current.CancellationToken);
            var heard = endpoint.ReceiveFrame();
            await sending;
            Assert.True(payload.AsSpan().SequenceEqual(heard.Payload));
            sending = Task.Run(() => endpoint.Send(Frames.FromServer(Frames.Binary, payload)), TestContext.Current.CancellationToken);
            heard = client.ReceiveFrame();
            await sending;
            Assert.True(payload.AsSpan().SequenceEqual(heard.Payload));
        }

        End(client, endpoint);
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 404 Nothing here\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a=b\r\n\r\nhello")]
    [InlineData("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n")]
    [InlineData("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno")]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n")]
    [InlineData("SSH-2.0-x\r\n\r\n")]
    public async Task A_refusal_is_the_same_as_on_a_fresh_connection_and_ends_this_one(string answer)
    {
        var direct = Refused(_gateway.Connect(), answer);
        var bridged = Refused(KeptAlive.Connect(_gateway), answer);
        Assert.Equal(direct.Body, bridged.Body);
        Assert.Equal(direct.Head.Split("\r\n")[0], bridged.Head.Split("\r\n")[0]);
        Assert.Equal(HeadersOf(direct.Head), HeadersOf(bridged.Head));
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("POST /ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n", 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n", 426)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: test.example\r\nOrigin: http://evil.example\r\n" + Upgrades.Lines + "\r\n", 403)]
    public async Task What_the_gateway_itself_refuses_is_the_same_too(string request, int status)
    {
        var (direct, bridged) = (Sent(_gateway.Connect()), Sent(KeptAlive.Connect(_gateway)));
        Assert.Equal(status, Upgrades.Status(bridged.Head));
        Assert.Equal(direct.Body, bridged.Body);
        Assert.Equal(HeadersOf(direct.Head), HeadersOf(bridged.Head));
        await _gateway.SettledAsync();

        (string Head, string Body) Sent(RawPeer client)
        {
            using (client)
            {
                client.Send(request);
                return (client.ReceiveHead(), Encoding.ASCII.GetString(client.ReceiveToEnd()));
            }
        }
    }

    [Fact]
    public async Task Limits_count_and_refuse_it_as_any_other()
    {
        await using var gateway = await GatewayFixture.StartAsync(_kept.In(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
            Backend = "slowStart: 0s, limits: {connectionsPerEndpoint: 1}, handshakes: {queue: 1, queueTimeout: 100ms}",
        }));
        using var client = KeptAlive.Connect(gateway);
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));

        var heads = new List<string>();
        foreach (var other in (RawPeer[])[gateway.Connect(), KeptAlive.Connect(gateway)])
        {
            using (other)
            {
                heads.Add(other.Upgrade() + Encoding.ASCII.GetString(other.ReceiveToEnd()));
                Assert.Equal(503, Upgrades.Status(heads[^1]));
            }
        }

        Assert.Equal(HeadersOf(heads[0]), HeadersOf(heads[1]));
        client.Reset();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_refusal_without_length_ends_with_the_endpoints_connection()
    {
        using var client = KeptAlive.Connect(_gateway);
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.0 403 Forbidden\r\n\r\nhello");
        endpoint.Finish();
        var head = client.ReceiveHead();
        Assert.Equal((403, "close"), (Upgrades.Status(head), Upgrades.Value(head, "Connection")));
        Assert.Contains("hello", Encoding.ASCII.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\nhello")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n64\r\nhello")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nhello")]
    public async Task A_refusal_that_is_cut_short_is_not_taken_for_a_whole_one(string rest)
    {
        using var client = KeptAlive.Connect(_gateway);
        client.Send(Upgrades.Request());
        using (var endpoint = RawPeer.Accept(_endpoints))
        {
            _ = endpoint.ReceiveHead();
            endpoint.Send("HTTP/1.1 403 Forbidden\r\n" + rest);
        }

        _ = client.ReceiveToReset();
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")]
    [InlineData("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")]
    public async Task What_came_behind_a_refused_upgrade_is_never_executed(string answer)
    {
        using var client = KeptAlive.Connect(_gateway);
        client.Send(Upgrades.Request() + "GET /smuggled HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        client.Send("GET /smuggled HTTP/1.1\r\nHost: test.example\r\n\r\n");
        endpoint.Send(answer);
        var text = Encoding.ASCII.GetString([.. Encoding.ASCII.GetBytes(client.ReceiveHead()), .. ToEnd(client)]);
        Assert.Single(text.Split("HTTP/1.1 ")[1..]);
        await _gateway.SettledAsync();
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead));
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(_kept.In(new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port] }));

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _kept.Dispose();
        _endpoints.Dispose();
    }

    private static void End(RawPeer client, RawPeer endpoint)
    {
        client.Send(Frames.CloseFrame(client: true, 4001, "bye"));
        var close = endpoint.ReceiveFrame();
        Assert.Equal((Frames.Close, 4001), (close.Opcode, close.CloseCode));
        endpoint.Send(Frames.CloseFrame(client: false, 4002, "bye bye"));
        close = client.ReceiveFrame();
        Assert.Equal((Frames.Close, 4002), (close.Opcode, close.CloseCode));
        Assert.Empty(client.ReceiveToEnd());
        Assert.Empty(endpoint.ReceiveToEnd());
    }

    private static byte[] ToEnd(RawPeer client)
    {
        try
        {
            return client.ReceiveToEnd();
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return [];      // For what it sent last. Nothing of the answer may be missing then, which the caller sees.
        }
    }

    private (string Head, string Body) Refused(RawPeer client, string answer)
    {
        using (client)
        {
            client.Send(Upgrades.Request());
            using var endpoint = RawPeer.Accept(_endpoints);
            _ = endpoint.ReceiveHead();
            endpoint.Send(answer);
            if (!answer.StartsWith("HTTP", StringComparison.Ordinal))
                endpoint.Finish();
            return (client.ReceiveHead(), Encoding.ASCII.GetString(client.ReceiveToEnd()));
        }
    }

    /// <summary>The lines in any order, but for Date, which only the server framework adds.</summary>
    private static IEnumerable<string> HeadersOf(string head) =>
        head.Split("\r\n").Skip(1).Where(l => !l.StartsWith("Date:", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
}
