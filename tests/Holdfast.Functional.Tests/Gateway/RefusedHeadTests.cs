using System.Net.Sockets;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>Request heads that are refused before anything is dialled; one gateway for all rows.</summary>
public sealed class RefusedHeadTests : IAsyncLifetime
{
    private const string Start = "GET /ws HTTP/1.1\r\nHost: test.example\r\n";
    private const string Plain = "POST /form HTTP/1.1\r\nHost: test.example\r\n";

    internal static readonly Dictionary<string, (string Head, int Status, string Outcome)> Heads = new(StringComparer.Ordinal)
    {
        ["bare LF after the request line"] = Bad("GET /ws HTTP/1.1\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["bare LF after a header"] = Bad(Start + "X-A: b\n" + Upgrades.Lines + "\r\n"),
        ["bare LFs only"] = Bad("GET / HTTP/1.1\nHost: test.example\n\n"),
        ["bare CR in a value"] = Bad(Start + "X-A: b\rc\r\n" + Upgrades.Lines + "\r\n"),
        ["NUL in a value"] = Bad(Start + "X-A: b\0c\r\n" + Upgrades.Lines + "\r\n"),
        ["control byte in a value"] = Bad(Start + "X-A: b\u0001c\r\n" + Upgrades.Lines + "\r\n"),
        ["DEL in a value"] = Bad(Start + "X-A: b\u007fc\r\n" + Upgrades.Lines + "\r\n"),
        ["NUL in a name"] = Bad(Start + "X\0A: b\r\n" + Upgrades.Lines + "\r\n"),
        ["space in a name"] = Bad(Start + "X A: b\r\n" + Upgrades.Lines + "\r\n"),
        ["space before the colon"] = Bad(Start + "X-A : b\r\n" + Upgrades.Lines + "\r\n"),
        ["byte over 127 in a name"] = Bad(Start + "X\u00e9A: b\r\n" + Upgrades.Lines + "\r\n"),
        ["quote in a name"] = Bad(Start + "X\"A: b\r\n" + Upgrades.Lines + "\r\n"),
        ["slash in a name"] = Bad(Start + "X/A: b\r\n" + Upgrades.Lines + "\r\n"),
        ["empty name"] = Bad(Start + ": b\r\n" + Upgrades.Lines + "\r\n"),
        ["line without a colon"] = Bad(Start + "nothing\r\n" + Upgrades.Lines + "\r\n"),
        ["obs-fold"] = Bad(Start + "X-A: b\r\n c\r\n" + Upgrades.Lines + "\r\n"),
        ["first header folded"] = Bad("GET /ws HTTP/1.1\r\n Host: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["two Content-Lengths"] = Bad(Start + "Content-Length: 0\r\nContent-Length: 0\r\n" + Upgrades.Lines + "\r\n"),
        ["a list of Content-Lengths"] = Bad(Start + "Content-Length: 0, 0\r\n" + Upgrades.Lines + "\r\n"),
        ["signed Content-Length"] = Bad(Start + "Content-Length: +0\r\n" + Upgrades.Lines + "\r\n"),
        ["hexadecimal Content-Length"] = Bad(Start + "Content-Length: 0x0\r\n" + Upgrades.Lines + "\r\n"),
        ["empty Content-Length"] = Bad(Start + "Content-Length:\r\n" + Upgrades.Lines + "\r\n"),
        ["Content-Length past 2^63"] = Bad(Plain + "Content-Length: 9223372036854775808\r\n\r\n"),
        ["plain: two Content-Lengths"] = Bad(Plain + "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
        ["plain: Transfer-Encoding with Content-Length"] = Bad(Plain + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ["plain: two Transfer-Encodings"] = Bad(Plain + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ["plain: identity before chunked"] = Bad(Plain + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
        ["plain: Transfer-Encoding in HTTP/1.0"] = Bad("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ["no Host"] = Bad("GET /ws HTTP/1.1\r\n" + Upgrades.Lines + "\r\n"),
        ["two Hosts"] = Bad(Start + "Host: other.example\r\n" + Upgrades.Lines + "\r\n"),
        ["the same Host twice"] = Bad(Start + "Host: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["space in Host"] = Bad("GET /ws HTTP/1.1\r\nHost: a b\r\n" + Upgrades.Lines + "\r\n"),
        ["user in Host"] = Bad("GET /ws HTTP/1.1\r\nHost: me@a\r\n" + Upgrades.Lines + "\r\n"),
        ["path in Host"] = Bad("GET /ws HTTP/1.1\r\nHost: a/b\r\n" + Upgrades.Lines + "\r\n"),
        ["absolute form with another authority"] = Bad("GET http://other.example/ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["absolute form with another scheme"] = Bad("GET ftp://test.example/ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["authority form"] = Bad("CONNECT test.example:80 HTTP/1.1\r\nHost: test.example\r\n\r\n"),
        ["target without a slash"] = Bad("GET ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["asterisk without OPTIONS"] = Bad("GET * HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["fragment in the target"] = Bad("GET /ws#x HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["byte over 127 in the target"] = Bad("GET /\u00e9 HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["NUL in the target"] = Bad("GET /a\0b HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["tab in the target"] = Bad("GET /a\tb HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["two spaces in the request line"] = Bad("GET  /ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["no space before the version"] = Bad("GET /ws!HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["two spaces before the version"] = Bad("GET /ws  HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["another version"] = Bad("GET /ws HTTP/1.2\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["no version"] = Bad("GET /ws\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["separator in the method"] = Bad("GE(T /ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["upgrade in HTTP/1.0"] = Bad("GET /ws HTTP/1.0\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["upgrade by POST"] = Bad("POST /ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["upgrade by get in lower case"] = Bad("get /ws HTTP/1.1\r\nHost: test.example\r\n" + Upgrades.Lines + "\r\n"),
        ["upgrade with a body by length"] = Bad(Start + "Content-Length: 5\r\n" + Upgrades.Lines + "\r\nhello"),
        ["upgrade with a chunked body"] = Bad(Start + "Transfer-Encoding: chunked\r\n" + Upgrades.Lines + "\r\n0\r\n\r\n"),
        ["no key"] = Bad(Keyed("")),
        ["two keys"] = Bad(Keyed($"Sec-WebSocket-Key: {Upgrades.Key}\r\nSec-WebSocket-Key: {Upgrades.Key}\r\n")),
        ["key of 15 bytes"] = Bad(Keyed("Sec-WebSocket-Key: " + Convert.ToBase64String(new byte[15]) + "\r\n")),
        ["key of 17 bytes"] = Bad(Keyed("Sec-WebSocket-Key: " + Convert.ToBase64String(new byte[17]) + "\r\n")),
        ["key not in base64"] = Bad(Keyed("Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n")),
        ["empty key"] = Bad(Keyed("Sec-WebSocket-Key:\r\n")),
        ["no version of the protocol"] = (Upgrades.Request().Replace("Sec-WebSocket-Version: 13\r\n", "", StringComparison.Ordinal), 426, "bad_version"),
        ["version 8 of the protocol"] = (Upgrades.Request().Replace("Version: 13", "Version: 8", StringComparison.Ordinal), 426, "bad_version"),
        ["two versions of the protocol"] = (Upgrades.Request("/ws", "Sec-WebSocket-Version: 8"), 426, "bad_version"),
        ["101 header lines"] = (Start + string.Concat(Enumerable.Range(0, 101).Select(i => $"X-{i}: y\r\n")) + "\r\n", 431, "head_too_large"),
        ["a head of 33 KiB"] = (Start + "X-A: " + new string('a', 33 * 1024) + "\r\n\r\n", 431, "head_too_large"),
        ["a head that never ends"] = (Start + "X-A: " + new string('a', 40 * 1024), 431, "head_too_large"),
        ["a target of 33 KiB"] = ("GET /" + new string('a', 33 * 1024) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431, "head_too_large"),
    };

    private readonly Socket _endpoints = RawPeer.Listen();
    private GatewayFixture _gateway = null!;

    /// <summary>Many short rows in one test: each costs a connection, not a gateway.</summary>
    [Fact]
    public async Task Each_bad_head_is_answered_closed_logged_and_counted_and_nothing_is_dialled()
    {
        foreach (var (name, (head, status, outcome)) in Heads)
        {
            var counted = await _gateway.MetricAsync("holdfast_handshakes_total", $"outcome=\"{outcome}\"");
            using var client = _gateway.Connect();
            client.Send(head);
            var answer = client.ReceiveHead();
            Assert.True(Upgrades.Status(answer) == status, $"{name}: {answer}");
            Assert.Contains("close", Upgrades.Value(answer, "Connection"), StringComparison.Ordinal);
            Assert.Equal(status == 426 ? "13" : null, Upgrades.Value(answer, "Sec-WebSocket-Version"));
            var body = client.ReceiveToEnd();       // A reset would throw: the answer must not be lost to it.
            Assert.Equal(Upgrades.Value(answer, "Content-Length"), body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
            var line = await _gateway.Log.OfAsync(client);
            Assert.Equal(("handshake", outcome, status, 0), (
                line.GetProperty("event").GetString(), line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32(), line.GetProperty("attempts").GetInt32()));
            Assert.Equal(counted + 1, await _gateway.MetricAsync("holdfast_handshakes_total", $"outcome=\"{outcome}\""));
        }

        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead), "an endpoint was dialled");
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task Bytes_after_a_refused_upgrade_are_never_read_as_a_next_request()
    {
        const string Smuggled = "GET /second HTTP/1.1\r\nHost: test.example\r\n\r\n";
        using var client = _gateway.Connect();
        client.Send(Start + "Content-Length: 46\r\n" + Upgrades.Lines + "\r\n" + Smuggled + Smuggled);

        Assert.Equal(400, Upgrades.Status(client.ReceiveHead()));
        Assert.DoesNotContain("HTTP/1.1", System.Text.Encoding.Latin1.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead), "an endpoint was dialled");
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task Bytes_after_an_upgrade_that_the_endpoint_refuses_reach_nobody()
    {
        using var client = _gateway.Connect();
        client.Send(Upgrades.Request() + "GET /second HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");

        Assert.Equal(401, Upgrades.Status(client.ReceiveHead()));
        Assert.Equal("no"u8.ToArray(), client.ReceiveToEnd());
        Assert.Empty(endpoint.ReceiveToEnd());
        client.Dispose();
        await _gateway.SettledAsync();
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead), "an endpoint was dialled again");
    }

    [Fact]
    public async Task Early_frames_wait_for_the_verified_101_and_then_pass()
    {
        var frame = Frames.FromClient(Frames.Text, "early"u8);
        using var client = _gateway.Connect();
        client.Send([.. System.Text.Encoding.Latin1.GetBytes(Upgrades.Request()), .. frame]);
        using var endpoint = RawPeer.Accept(_endpoints);
        var head = endpoint.ReceiveHead();
        await _gateway.TurnAsync();
        Assert.Equal(0, endpoint.Socket.Available);
        endpoint.Send(Upgrades.Switching(head));

        Assert.Equal(frame, endpoint.Receive(frame.Length));
        client.Dispose();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await _gateway.SettledAsync();
    }

    [Theory]
    [InlineData("GET http://test.example/ws?a=b HTTP/1.1\r\nHost: test.example\r\n", "GET /ws?a=b HTTP/1.1")]
    [InlineData("GET /ws?%2e%2e//../x HTTP/1.1\r\nhost:test.example\r\n", "GET /ws?%2e%2e//../x HTTP/1.1")]
    [InlineData("GET /a/../b//c HTTP/1.1\r\nHOST: test.example:8080 \r\nX-A: caf\u00e9\tx\r\nContent-Length: 0\r\n", "GET /a/../b//c HTTP/1.1")]
    public async Task Unusual_but_right_heads_pass_as_they_are_even_byte_by_byte(string start, string line)
    {
        using var client = _gateway.Connect();
        foreach (var b in System.Text.Encoding.Latin1.GetBytes(start + "connection: keep-alive,  UPGRADE\r\nUPGRADE: WebSocket\r\nsec-websocket-version:13\r\n"
            + $"sec-websocket-key:   {Upgrades.Key}\r\n\r\n"))
            client.Send([b]);
        using var endpoint = RawPeer.Accept(_endpoints);
        var head = endpoint.AnswerUpgrade();

        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        Assert.StartsWith(line + "\r\n", head, StringComparison.Ordinal);
        Assert.Equal(start.Contains("X-A", StringComparison.Ordinal) ? "caf\u00e9\tx" : null, Upgrades.Value(head, "X-A"));
        Assert.Null(Upgrades.Value(head, "Content-Length"));
        client.Reset();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await _gateway.SettledAsync();
    }

    public async ValueTask InitializeAsync() =>
        _gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [((System.Net.IPEndPoint)_endpoints.LocalEndPoint!).Port] });

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _endpoints.Dispose();
    }

    private static (string Head, int Status, string Outcome) Bad(string head) => (head, 400, "bad_request");

    private static string Keyed(string key) => Upgrades.Request().Replace($"Sec-WebSocket-Key: {Upgrades.Key}\r\n", key, StringComparison.Ordinal);
}
