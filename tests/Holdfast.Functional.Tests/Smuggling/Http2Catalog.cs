using System.Globalization;

namespace Holdfast.Functional.Tests.Smuggling;

internal sealed record Http2Request(IReadOnlyList<HeaderField> Fields)
{
    /// <summary>One frame each; none: the head ends the stream.</summary>
    public IReadOnlyList<string> Data { get; init; } = [];

    public IReadOnlyList<HeaderField> Trailers { get; init; } = [];

    /// <summary>Each byte of the data has a frame of its own.</summary>
    public bool Trickles { get; init; }

    /// <summary>The head is cut over CONTINUATION frames.</summary>
    public bool Cuts { get; init; }
}

/// <summary>A request over HTTP/2, and what the endpoint sees of it.</summary>
/// <param name="Expected">Null: refused, in whichever way; of one that has a body the endpoint may see a part, or, of the length 0, all that there is.</param>
internal sealed record Http2Case(string Name, Http2Request Request, Step? Expected);

/// <summary>Requests that HTTP/1.1 could not frame as they are: what a gateway writes for an endpoint must not depend on it (h2 downgrade).</summary>
internal static class Http2Catalog
{
    private static readonly HeaderField Method = new(":method", "GET"), Scheme = new(":scheme", "https"), Authority = new(":authority", "test.example"), Path = new(":path", $"/{Parts.Id}/main");

    private static readonly string[] Injections =
    [
        "a\r\nTransfer-Encoding: chunked", "a\r\nContent-Length: 5", "a\r\nHost: other.example", $"a\r\n\r\n{Parts.Smuggled}", "a\nTransfer-Encoding: chunked", $"a\n\n{Parts.Smuggled}", "a\rTransfer-Encoding: chunked", "\r\na", "a\r\n", "a\n", "a\r", "\na",
        "a\0b", "a\r\n b", "a\r\n\tb", "a\r\nX-Forwarded-For: forged", "a\r\nHoldfast-Connection-Id: forged",
    ];

    private static readonly Lazy<IReadOnlyList<Http2Case>> Cases = new(static () => [.. Heads(), .. Pseudo(), .. Bodies(), .. Trailers(), .. Bytes()]);

    public static IReadOnlyList<Http2Case> All => Cases.Value;

    private static IEnumerable<Http2Case> Heads()
    {
        yield return Good("plain", With());
        yield return Good("cut over frames", With(new HeaderField("x-a", "b")) with { Cuts = true });
        yield return Good("te: trailers", With(new HeaderField("te", "trailers")));
        yield return Good("an empty value", With(new HeaderField("x-a", "")));
        yield return Good("a value of 20,000 bytes", With(new HeaderField("x-a", new string('b', 12_000))));
        yield return Good("host equal to authority", With(new HeaderField("host", "test.example")));
        yield return Good("two cookies", With(new HeaderField("cookie", "a=b"), new HeaderField("cookie", "c=d")));
        foreach (var name in (string[])["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "holdfast-connection-id", "holdfast-rehomed", "x-forwarded-client-cert"])
            yield return Good("forged " + name, With(new HeaderField(name, HeaderRules.Forged)));
        foreach (var name in (string[])["transfer_encoding", "x-transfer-encoding", "content_length"])
            yield return Good(name, With(new HeaderField(name, "chunked")));

        // What concerns a connection has no place in HTTP/2 (RFC 9113 8.2.2); nor have upper-case names (8.2.1).
        foreach (var value in (string[])["chunked", "CHUNKED", "identity", "gzip, chunked", "", "xchunked"])
            yield return Bad("transfer-encoding: " + value, With(new HeaderField("transfer-encoding", value)));
        foreach (var (name, value) in ((string, string)[])
        [
            ("connection", "close"), ("connection", "transfer-encoding"), ("connection", "keep-alive"), ("connection", "upgrade"), ("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"), ("upgrade", "websocket"), ("upgrade", "h2c"),
            ("te", "gzip"), ("te", "chunked"), ("te", "trailers, chunked"), ("Transfer-Encoding", "chunked"), ("TRANSFER-ENCODING", "chunked"), ("X-A", "b"), ("Content-Length", "0"), ("Host", "test.example"), ("host", "test.example\r\nX: y"), ("", "b"), ("x a", "b"), ("x\ta", "b"), ("x:a", "b"), (" x", "b"), ("x ", "b"), ("x\r\ny", "b"), ("x: y\r\nz", "b"), ("x\ny", "b"), ("x\0y", "b"),
            ("x: y\r\n\r\nGET /smuggled HTTP/1.1\r\nz", "b"), ("transfer-encoding ", "chunked"), ("transfer-encoding\0", "chunked"), ("transfer-encoding: chunked\r\nx", "b"), ("x(", "b"), ("x/y", "b"), ("\u00e9", "b"), ("x\u007f", "b"),
        ])
            yield return Bad($"{Parts.Shown(name)}: {Parts.Shown(value)}", With(new HeaderField(name, value)));
        // Host gives way to :authority (RFC 9113 8.3.1): the endpoint sees one, and that is :authority's.
        foreach (var host in (string[])["other.example", "test.example, other.example", ""])
            yield return Good("host: " + host, With(new HeaderField("host", host)));
        yield return Good("two hosts", With(new HeaderField("host", "test.example"), new HeaderField("host", "other.example")));
        foreach (var value in Injections)
        {
            yield return Bad("value " + Parts.Shown(value), With(new HeaderField("x-a", value)));
            yield return Bad("cookie " + Parts.Shown(value), With(new HeaderField("cookie", value)));
            yield return Bad("value, cut over frames " + Parts.Shown(value), With(new HeaderField("x-a", value)) with { Cuts = true });
            yield return Bad("user-agent " + Parts.Shown(value), With(new HeaderField("user-agent", value)) with { Data = ["hello"] });
        }

        yield return Bad("101 headers", With([.. Enumerable.Range(0, 101).Select(i => new HeaderField(string.Create(CultureInfo.InvariantCulture, $"x-{i}"), "y"))]));
        yield return Bad("a value of 60,000 bytes", With(new HeaderField("x-a", new string('b', 15_000)), new HeaderField("x-b", new string('b', 20_000))) with { Cuts = true });
    }

    private static IEnumerable<Http2Case> Pseudo()
    {
        foreach (var path in (string[])
        [
            "", "*", "main", " /main", "/main HTTP/1.1", "/main HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: y", $"/main HTTP/1.1\r\nHost: test.example\r\n\r\n{Parts.Smuggled}", "/main\r\n", "/main\n", "/main\r", "/main\0", "/ma in", "/ma\tin",
            "/main#fragment", "/main\u00e9", "/main\u007f", "http://test.example/main", "https://other.example/main", "//\r\n/main", "/\r\nHost: other.example", "?main", "\\main", "#",
        ])
            yield return Bad(":path " + Parts.Shown(path), new Http2Request([Method, Scheme, Authority, new HeaderField(":path", path.StartsWith('/') ? $"/{Parts.Id}{path}" : path)]));
        yield return Good("the path as it is", new Http2Request([Method, Scheme, Authority, Path with { Value = $"/{Parts.Id}/a/../b//c?d=%0d%0a&e" }]), $"/{Parts.Id}/a/../b//c?d=%0d%0a&e");
        foreach (var method in (string[])["", " ", "GET ", " GET", "G ET", "GET\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", $"GET /{Parts.Id}/smuggled HTTP/1.1\r\nHost: test.example\r\n\r\nGET", "GET\0", "G(T", "GET\t", "G\u00c9T", "CONNECT"])
            yield return Bad(":method " + Parts.Shown(method), new Http2Request([Method with { Value = method }, Scheme, Authority, Path]));
        foreach (var authority in (string[])
        [
            " ", "test.example ", " test.example", "test example", "test.example\r\n", "test.example\r\nX: y", $"test.example\r\n\r\n{Parts.Smuggled}", "test.example\n", "test.example\0", "user@test.example", "test.example/", "test.example/path",
            "test.example?q", "test.example#f", "http://test.example", "test.example, other.example", "test.example:x", "test.example:65536", "test.example:", ":443", "[::1", "test.example\u00e9", "test\texample",
        ])
            yield return Bad(":authority " + Parts.Shown(authority), new Http2Request([Method, Scheme, Authority with { Value = authority }, Path]));
        foreach (var scheme in (string[])["", "ftp", "http", "https\r\nX: y", "https://x/?", "https ", "HTTP\0"])
            yield return Bad(":scheme " + Parts.Shown(scheme), new Http2Request([Method, Scheme with { Value = scheme }, Authority, Path]));
        yield return Bad("no :method", new Http2Request([Scheme, Authority, Path]));
        yield return Bad("no :scheme", new Http2Request([Method, Authority, Path]));
        yield return Bad("no :path", new Http2Request([Method, Scheme, Authority]));
        yield return Bad("no :authority and no host", new Http2Request([Method, Scheme, Path]));
        yield return Good("host in place of :authority", new Http2Request([Method, Scheme, Path, new HeaderField("host", "test.example")]));
        foreach (var twice in (HeaderField[])[Method, Scheme, Authority, Path, Path with { Value = $"/{Parts.Id}/smuggled" }, Method with { Value = "POST" }, Authority with { Value = "other.example" }])
            yield return Bad($"two {twice.Name}, {twice.Value}", new Http2Request([Method, Scheme, Authority, Path, twice]));
        foreach (var odd in (HeaderField[])[new(":status", "200"), new(":x", "y"), new(":", "y"), new(":path ", "/x"), new(":Path", "/x"), new(":protocol", "websocket"), new(":method\0", "GET")])
            yield return Bad("also " + Parts.Shown(odd.Name), new Http2Request([Method, Scheme, Authority, Path, odd]));
        yield return Bad("a pseudo-header behind others", new Http2Request([Method, Scheme, Authority, new HeaderField("x-a", "b"), Path]));
        yield return Bad("a pseudo-header again, behind others", new Http2Request([Method, Scheme, Authority, Path, new HeaderField("x-a", "b"), Path]));
        yield return Bad("CONNECT", new Http2Request([Method with { Value = "CONNECT" }, Authority]));
        yield return Bad("CONNECT to another", new Http2Request([Method with { Value = "CONNECT" }, Authority with { Value = "127.0.0.1:22" }]) with { Data = [Parts.Smuggled] });
        foreach (var protocol in (string[])["connect-udp", "x", "", "websocket\r\nX: y", "WebSocket\0"])
            yield return Bad("extended CONNECT to " + Parts.Shown(protocol), new Http2Request([Method with { Value = "CONNECT" }, new HeaderField(":protocol", protocol), Scheme, Authority, Path]));
    }

    private static IEnumerable<Http2Case> Bodies()
    {
        Http2Request Post(string? length, params string[] data) =>
            new([Method with { Value = "POST" }, Scheme, Authority, Path, .. length is null ? [] : (HeaderField[])[new("content-length", length)]]) { Data = data };
        Http2Case Passes(string name, Http2Request request, string body) => new(name, request, Step.Pass("POST", "main", body));
        yield return Passes("no length", Post(null, Parts.Smuggled), Parts.Smuggled);
        yield return Passes("no length, many frames", Post(null, Parts.Smuggled) with { Trickles = true }, Parts.Smuggled);
        yield return Passes("a length", Post(Length(Parts.Smuggled), Parts.Smuggled), Parts.Smuggled);
        yield return Passes("a length, many frames", Post(Length(Parts.Smuggled), Parts.Smuggled) with { Trickles = true }, Parts.Smuggled);
        yield return Passes("a length of 0", Post("0", ""), "");
        yield return Passes("no length, chunks as data", Post(null, "0\r\n\r\n" + Parts.Smuggled), "0\r\n\r\n" + Parts.Smuggled);
        yield return Passes("no data", Post(null, ""), "");
        yield return new Http2Case("GET with a body", new Http2Request([Method, Scheme, Authority, Path]) { Data = [Parts.Smuggled] }, Step.Pass("GET", "main", Parts.Smuggled));
        foreach (var length in (string[])["0", "1", "5", "1000", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "+5", "5, 5", "0x5", "5 5", "", "a", "5\r\nTransfer-Encoding: chunked", "5\0"])
            yield return Bad("length " + Parts.Shown(length), Post(length, Parts.Smuggled));
        yield return Bad("a length, and an end without data", Post("5"));
        yield return Bad("a length, and data of one byte less", Post(Length(Parts.Smuggled), Parts.Smuggled[..^1]));
        yield return Bad("a length, and data of one byte more", Post(Length(Parts.Smuggled), Parts.Smuggled + "x"));
        foreach (var (first, second) in ((string, string)[])[("5", "5"), ("0", "5"), ("5", "0"), (Length(Parts.Smuggled), "0")])
        {
            yield return Bad(
                $"lengths {first} and {second}",
                new Http2Request([Method with { Value = "POST" }, Scheme, Authority, Path, new("content-length", first), new("content-length", second)]) { Data = [Parts.Smuggled] });
        }

        foreach (var coding in (string[])["chunked", "Chunked", "gzip", "identity"])
        {
            yield return Bad(
                $"transfer-encoding: {coding}, with chunks",
                new Http2Request([Method with { Value = "POST" }, Scheme, Authority, Path, new("transfer-encoding", coding)]) { Data = ["0\r\n\r\n" + Parts.Smuggled] });
            yield return Bad(
                $"transfer-encoding: {coding}, with a length",
                new Http2Request([Method with { Value = "POST" }, Scheme, Authority, Path, new("content-length", Length(Parts.Smuggled)), new("transfer-encoding", coding)]) { Data = [Parts.Smuggled] });
        }

        static string Length(string body) => body.Length.ToString(CultureInfo.InvariantCulture);
    }

    private static IEnumerable<Http2Case> Trailers()
    {
        Http2Request Post(params HeaderField[] trailers) => new([Method with { Value = "POST" }, Scheme, Authority, Path]) { Data = ["hello"], Trailers = trailers };
        foreach (var name in (string[])["x-trailer", "content-length", "host", "authorization", "x-forwarded-for", "holdfast-connection-id", "cookie", "trailer", "expect", "content-type", "x a", "x\r\ny"])
            yield return new Http2Case("trailer " + Parts.Shown(name), Post(new HeaderField(name, "5")), Step.Pass("POST", "main", "hello"));
        foreach (var (name, value) in ((string, string)[])[(":path", "/x"), (":method", "GET"), ("X-Trailer", "y"), ("", "b")])
            yield return Bad($"trailer {Parts.Shown(name)}: {Parts.Shown(value)}", Post(new HeaderField(name, value)));
    }

    private static IEnumerable<Http2Case> Bytes()
    {
        foreach (var b in Enumerable.Range(0, 32).Append(127).Select(i => (char)i))
        {
            var shown = string.Create(CultureInfo.InvariantCulture, $"0x{(int)b:x2}");
            yield return Bad(shown + " in a name", With(new HeaderField($"x{b}a", "y")));
            yield return Bad(shown + " in the path", new Http2Request([Method, Scheme, Authority, Path with { Value = $"/{Parts.Id}/ma{b}in" }]));
            yield return Bad(shown + " in the method", new Http2Request([Method with { Value = $"GE{b}T" }, Scheme, Authority, Path]));
            yield return Bad(shown + " in the authority", new Http2Request([Method, Scheme, Authority with { Value = $"te{b}st" }, Path]));
            yield return b == '\t' ? Good(shown + " in a value", With(new HeaderField("x-a", "y\tz"))) : Bad(shown + " in a value", With(new HeaderField("x-a", $"y{b}z")));
        }
    }

    private static Http2Request With(params HeaderField[] fields) => new([Method, Scheme, Authority, Path, .. fields]);

    private static Http2Case Good(string name, Http2Request request, string target = "main") => new(name, request, Step.Pass("GET", target));

    private static Http2Case Bad(string name, Http2Request request) => new(name, request, null);
}
