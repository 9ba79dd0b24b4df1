namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>What an endpoint says to one request, and what the client gets of it.</summary>
/// <param name="Bytes">All in one piece, so that what is too much is there when the answer ends.</param>
/// <param name="Status">That the client gets.</param>
/// <param name="Body">That the client gets; null: an answer that breaks off, or the gateway's own text.</param>
/// <param name="IsKept">The connection serves other requests afterwards.</param>
internal sealed record ResponseCase(string Name, string Bytes, int Status, string? Body, bool IsKept)
{
    public string Method { get; init; } = "GET";

    /// <summary>The endpoint ends the connection behind the bytes.</summary>
    public bool Ends { get; init; }

    /// <summary>The endpoint answers when it has the head, and the client sends the body only when it has the answer.</summary>
    public bool IsEarly { get; init; }
}

/// <summary>Answers that hide another answer, or that two readers end at different bytes.</summary>
internal static class ResponseCatalog
{
    private const string Ok = "HTTP/1.1 200 OK\r\n";

    private const string Smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";

    private static readonly string[] ToRefuse =
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "Content-Length: 5, 5\r\n\r\nhello", "Content-Length: +5\r\n\r\nhello", "Content-Length: -5\r\n\r\nhello", "Content-Length: 0x5\r\n\r\nhello", "Content-Length:\r\n\r\nhello",
        "Content-Length: 5 5\r\n\r\nhello", "Content-Length: 99999999999999999999\r\n\r\nhello", "Content-Length : 5\r\n\r\nhello", " Content-Length: 5\r\n\r\nhello", "X: y\r\n Content-Length: 5\r\n\r\nhello", "Content-Length: 5\n\r\n\r\nhello",
        "X: y\nContent-Length: 5\r\n\r\nhello", "X: y\rContent-Length: 5\r\n\r\nhello", "X: \0\r\nContent-Length: 5\r\n\r\nhello", "X\0: y\r\nContent-Length: 5\r\n\r\nhello", "X y: z\r\nContent-Length: 5\r\n\r\nhello", "no colon\r\nContent-Length: 5\r\n\r\nhello",
        ": y\r\nContent-Length: 5\r\n\r\nhello", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: identity\r\n\r\nhello", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    ];

    private static readonly string[] BadChunks =
    [
        "g\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5;\n\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n", "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\n\n", "5\r\nhello\r\n0\r\n" + Smuggled + "\r\n\r\n", "5\r\nhello\r\n0\r\nX : y\r\n\r\n", "5\r\nhello\r\n0\r\n X: y\r\n\r\n",
        "5\r\nhello\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];

    public static IReadOnlyList<ResponseCase> All { get; } = [.. Create()];

    private static IEnumerable<ResponseCase> Create()
    {
        yield return new("a length", Ok + "Content-Length: 5\r\n\r\nhello", 200, "hello", IsKept: true);
        yield return new("chunks", Ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", 200, "hello", IsKept: true);
        yield return new("a body of an answer by length", $"{Ok}Content-Length: {Smuggled.Length}\r\n\r\n{Smuggled}", 200, Smuggled, IsKept: true);
        yield return new("a body of an answer in chunks", $"{Ok}Transfer-Encoding: chunked\r\n\r\n{Smuggled.Length:x}\r\n{Smuggled}\r\n0\r\n\r\n", 200, Smuggled, IsKept: true);
        yield return new("no body", Ok + "Content-Length: 0\r\n\r\n", 200, "", IsKept: true);
        yield return new("204", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", IsKept: true);
        yield return new("304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", IsKept: true);
        yield return new("HEAD with a length", Ok + "Content-Length: 54\r\n\r\n", 200, "", IsKept: true) { Method = "HEAD" };
        yield return new("100 unasked", "HTTP/1.1 100 Continue\r\n\r\n" + Ok + "Content-Length: 5\r\n\r\nhello", 200, "hello", IsKept: true);
        yield return new("103", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + Ok + "Content-Length: 5\r\n\r\nhello", 200, "hello", IsKept: true);
        yield return new("16 of 1xx", string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 16)) + Ok + "Content-Length: 5\r\n\r\nhello", 200, "hello", IsKept: true);
        yield return new("a closing answer", Ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello" + Smuggled, 200, "hello", IsKept: false);
        yield return new("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello" + Smuggled, 200, "hello", IsKept: false);
        yield return new("until the end", Ok + "\r\nhello" + Smuggled, 200, "hello" + Smuggled, IsKept: false) { Ends = true };

        // Bytes behind an answer.
        foreach (var (name, more) in ((string, string)[])[("another answer", Smuggled), ("two answers", Smuggled + Smuggled), ("half an answer", "HTTP/1.1 200 OK\r\nContent-Le"), ("a line end", "\r\n"), ("a byte", "x"), ("a NUL", "\0"), ("a 100", "HTTP/1.1 100 Continue\r\n\r\n"), ("a 408", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")])
        {
            yield return new(name + " behind a length", $"{Ok}Content-Length: 5\r\n\r\nhello{more}", 200, "hello", IsKept: false);
            yield return new(name + " behind chunks", $"{Ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{more}", 200, "hello", IsKept: false);
            yield return new(name + " behind a length of 0", $"{Ok}Content-Length: 0\r\n\r\n{more}", 200, "", IsKept: false);
            yield return new(name + " behind 204", $"HTTP/1.1 204 No Content\r\n\r\n{more}", 204, "", IsKept: false);
            yield return new(name + " behind 304", $"HTTP/1.1 304 Not Modified\r\nContent-Length: {more.Length}\r\n\r\n{more}", 304, "", IsKept: false);
            yield return new(name + " behind an answer to HEAD", $"{Ok}Content-Length: {more.Length}\r\n\r\n{more}", 200, "", IsKept: false) { Method = "HEAD" };
            yield return new(name + " behind a chunked answer to HEAD", $"{Ok}Transfer-Encoding: chunked\r\n\r\n{more}", 200, "", IsKept: false) { Method = "HEAD" };
            yield return new(name + " behind 404", $"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello{more}", 404, "hello", IsKept: false);
        }

        yield return new("204 with a length and a body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 204, "", IsKept: false);
        yield return new("204 in chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, "", IsKept: false);

        // No answers.
        foreach (var head in ToRefuse)
            yield return new("refused " + Parts.Shown(head), Ok + head + Smuggled, 502, null, IsKept: false);
        foreach (var start in (string[])["HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n", "HTTP/1.1 101 Switching Protocols\r\n", "HTTP/1.1 99 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 +200 OK\r\n", "HTTP/2 200\r\n", "HTTP/1.2 200 OK\r\n", "http/1.1 200 OK\r\n", "\r\nHTTP/1.1 200 OK\r\n", " HTTP/1.1 200 OK\r\n", "ICY 200 OK\r\n", "SSH-2.0\r\n", "HTTP/1.1 200 O\0K\r\n", "HTTP/1.1 200 OK\n", "GET / HTTP/1.1\r\n"])
            yield return new("status line " + Parts.Shown(start), $"{start}Content-Length: 5\r\n\r\nhello{Smuggled}", 502, null, IsKept: false);
        yield return new("17 of 1xx", string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 17)) + Smuggled, 502, null, IsKept: false);
        yield return new("1,000 of 1xx", string.Concat(Enumerable.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000)) + Smuggled, 502, null, IsKept: false);
        yield return new("1xx with a body", "HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\nhello" + Smuggled, 502, null, IsKept: false);
        yield return new("a head without end", Ok + "X: " + new string('y', 40_000), 502, null, IsKept: false);

        // Answers that break off, since their chunks are none.
        foreach (var chunks in BadChunks)
            yield return new("chunks " + Parts.Shown(chunks), $"{Ok}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n{chunks}", 200, null, IsKept: false);
        yield return new("fewer bytes than the length", Ok + "Content-Length: 500\r\n\r\nhello", 200, null, IsKept: false) { Ends = true };

        // Before the request has come.
        foreach (var (name, bytes) in ((string, string)[])[("a length", Ok + "Content-Length: 5\r\n\r\nhello"), ("an answer and another", Ok + "Content-Length: 5\r\n\r\nhello" + Smuggled), ("chunks", Ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")])
            yield return new("early: " + name, bytes, 200, "hello", IsKept: false) { Method = "POST", IsEarly = true };
    }
}
