using System.Text;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Listeners;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Holdfast.Tests.Forwarding;

/// <summary>HTTP/2 requests as HTTP/1.1 heads: what a peer could smuggle in if the server above let it pass.</summary>
public sealed class Http2HeadTests
{
    public static TheoryData<string, string, string, string> Smuggled => new()
    {
        { "/", "x-a\r\nX-Evil", "b", nameof(HeadFault.HeaderName) },
        { "/", "x-a: b\r\nX-Evil", "b", nameof(HeadFault.HeaderName) },
        { "/", "x a", "b", nameof(HeadFault.HeaderName) },
        { "/", "x-\u00e9", "b", nameof(HeadFault.HeaderName) },
        { "/", "x-\u0142", "b", nameof(HeadFault.HeaderName) },
        { "/", ":authority", "b", nameof(HeadFault.HeaderName) },
        { "/", "x-a", "b\r\nX-Evil: c", nameof(HeadFault.ControlByte) },
        { "/", "x-a", "b\nX-Evil: c", nameof(HeadFault.ControlByte) },
        { "/", "x-a", "b\0", nameof(HeadFault.ControlByte) },
        { "/", "x-a", "\u0142", nameof(HeadFault.ControlByte) },
        { "/", "connection", "close", nameof(HeadFault.HeaderName) },
        { "/", "Keep-Alive", "x", nameof(HeadFault.HeaderName) },
        { "/", "proxy-connection", "x", nameof(HeadFault.HeaderName) },
        { "/", "transfer-encoding", "chunked", nameof(HeadFault.HeaderName) },
        { "/", "upgrade", "websocket", nameof(HeadFault.HeaderName) },
        { "/", "http2-settings", "x", nameof(HeadFault.HeaderName) },
        { "/", "te", "chunked", nameof(HeadFault.Malformed) },
        { "/", "content-length", "1, 1", nameof(HeadFault.ContentLength) },
        { "/", "content-length", "+1", nameof(HeadFault.ContentLength) },
        { "/", "host", "other.example", nameof(HeadFault.Host) },
        { "/ HTTP/1.1\r\nX-Evil: b\r\n\r\nGET /", "x-a", "b", nameof(HeadFault.Target) },
        { "/a b", "x-a", "b", nameof(HeadFault.Target) },
        { "/a#b", "x-a", "b", nameof(HeadFault.Target) },
        { "/\u00e9", "x-a", "b", nameof(HeadFault.Target) },
        { "", "x-a", "b", nameof(HeadFault.Target) },
        { "a", "x-a", "b", nameof(HeadFault.Target) },
        { "http://test.example/", "x-a", "b", nameof(HeadFault.Target) },
        { "*", "x-a", "b", nameof(HeadFault.Target) },
        { "/" + new string('a', 33 * 1024), "x-a", "b", nameof(HeadFault.TooLarge) },
        { "/", "x-a", new string('a', 33 * 1024), nameof(HeadFault.TooLarge) },
    };

    [Theory]
    [MemberData(nameof(Smuggled))]
    public void What_would_break_the_other_form_is_refused(string target, string name, string value, string fault)
    {
        var request = new HttpRequestFeature { Method = "GET", RawTarget = target, Headers = { ["Host"] = "test.example" } };
        request.Headers.Append(name, value);
        var head = new RequestHead();
        Assert.Equal(Enum.Parse<HeadFault>(fault), Parse(head, request));
    }

    [Theory]
    [InlineData("GE T")]
    [InlineData("")]
    [InlineData("GET / HTTP/1.1\r\nX: y\r\n\r\nGET")]
    public void So_is_a_method_that_is_none(string method) =>
        Assert.Equal(HeadFault.Malformed, Parse(new RequestHead(), new HttpRequestFeature { Method = method, RawTarget = "/", Headers = { ["Host"] = "a" } }));

    [Fact]
    public void Too_many_lines_are_431()
    {
        var request = new HttpRequestFeature { Method = "GET", RawTarget = "/", Headers = { ["Host"] = "a" } };
        for (var i = 0; i < 100; i++)
            request.Headers.Append($"x-{i}", "b");
        Assert.Equal(HeadFault.TooManyHeaders, Parse(new RequestHead(), request));
    }

    [Fact]
    public void A_request_is_the_head_that_it_would_have_been()
    {
        var request = new HttpRequestFeature { Method = "POST", RawTarget = "/a%2fb?c=d", Headers = { ["Host"] = "test.example:8443" } };
        request.Headers["Cookie"] = new StringValues(["a=1", "b=2", "c=3"]);
        request.Headers["x-two"] = new StringValues(["1", "2"]);
        request.Headers["te"] = "trailers";
        request.Headers["x-latin"] = "\u00e9";
        var head = new RequestHead();
        Assert.Equal(HeadFault.None, Parse(head, request, hasBody: true));
        Assert.Equal(
            [
                "POST /a%2fb?c=d", "Host: test.example:8443", "Cookie: a=1; b=2; c=3", "x-two: 1", "x-two: 2", "te: trailers", "x-latin: \u00e9", "Transfer-Encoding: chunked",
            ],
            LinesOf(head));
        Assert.Equal((BodyFraming.Chunked, false), (head.Framing, head.IsUpgrade));

        request.Headers["Content-Length"] = "5";
        Assert.Equal(HeadFault.None, Parse(head, request, hasBody: true));
        Assert.Equal((BodyFraming.Length, 5L), (head.Framing, head.ContentLength));
        request.Headers.Remove("Content-Length");
        Assert.Equal(HeadFault.None, Parse(head, request, hasBody: false));
        Assert.Equal(BodyFraming.None, head.Framing);
    }

    [Fact]
    public void An_extended_connect_is_an_upgrade_with_a_key_of_ours()
    {
        var request = new HttpRequestFeature { Method = "CONNECT", RawTarget = "/ws", Headers = { ["Host"] = "a", ["sec-websocket-version"] = "13", ["sec-websocket-key"] = "theirs" } };
        var head = new RequestHead();
        Assert.Equal(HeadFault.None, Parse(head, request, hasBody: true, protocol: "websocket"));
        Assert.Equal(["GET /ws", "Host: a", "sec-websocket-version: 13", "Connection: Upgrade", "Upgrade: websocket"], LinesOf(head)[..^1]);
        Assert.Null(Holdfast.Gateway.Handshakes.UpgradeRules.Check(head, out _));
        _ = head.TryGet("sec-websocket-key"u8, out var first);
        var key = Encoding.ASCII.GetString(first);
        _ = Parse(head, request, hasBody: true, protocol: "websocket");
        _ = head.TryGet("sec-websocket-key"u8, out var second);
        Assert.NotEqual(key, Encoding.ASCII.GetString(second));
        Assert.Equal(HeadFault.None, Parse(head, request, hasBody: true, protocol: "webtransport"));
        Assert.Equal(("CONNECT", false), (Encoding.ASCII.GetString(head.Method), head.IsUpgrade));
        Assert.NotEqual(HeadFault.None, Parse(head, new HttpRequestFeature { Method = "CONNECT", RawTarget = "", Headers = { ["Host"] = "a" } }, hasBody: true));
    }

    private static HeadFault Parse(RequestHead head, HttpRequestFeature request, bool hasBody = false, string? protocol = null)
    {
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(request);
        features.Set<IHttpRequestBodyDetectionFeature>(new Body(hasBody));
        if (protocol is not null)
            features.Set<IHttpExtendedConnectFeature>(new Connect(protocol));
        return Http2Head.Parse(head, features);
    }

    private static List<string> LinesOf(RequestHead head)
    {
        List<string> lines = [$"{Encoding.Latin1.GetString(head.Method)} {Encoding.Latin1.GetString(head.Target)}"];
        for (var i = 0; i < head.HeaderCount; i++)
            lines.Add($"{Encoding.Latin1.GetString(head.Name(i))}: {Encoding.Latin1.GetString(head.Value(i))}");
        return lines;
    }

    private sealed class Body(bool canHaveBody) : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody { get; } = canHaveBody;
    }

    private sealed class Connect(string protocol) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => true;

        public string? Protocol { get; } = protocol;

        public ValueTask<Stream> AcceptAsync() => throw new NotSupportedException();
    }
}
