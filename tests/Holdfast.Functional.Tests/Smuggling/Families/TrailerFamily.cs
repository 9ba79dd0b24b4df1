using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Trailers: that frame or route, that are folded, huge, or no header lines. That forbidden ones reach no endpoint is checked of every request.</summary>
internal static class TrailerFamily
{
    private static readonly string[] Good =
    [
        "", "X-Trailer: y\r\n", "X-Trailer:\r\n", "x-trailer:y\r\nX-Trailer: z\r\n", "X-Trailer: \t y \t\r\n", "X-Trailer: caf\u00e9\r\n", "Content-Length: 5\r\n", "Content-Length: 100000\r\n", "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "Host: other.example\r\n", "Host: test.example\r\nHost: other.example\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n", "Upgrade: h2c\r\n", "TE: trailers\r\n", "Trailer: X\r\n", "Expect: 100-continue\r\n", "Authorization: Basic eDp5\r\n", "Cookie: a=b\r\n",
        "Content-Type: text/html\r\n", "Content-Encoding: gzip\r\n", "Content-Range: bytes 0-1/2\r\n", "X-Forwarded-For: forged\r\n", "X-Forwarded-Host: forged\r\n", "X-Forwarded-Proto: forged\r\n", "Forwarded: for=forged\r\n",
        "Holdfast-Connection-Id: forged\r\n", "Holdfast-Rehomed: forged\r\n", "Keep-Alive: timeout=1\r\n", "Proxy-Connection: keep-alive\r\n", "Proxy-Authorization: forged\r\n", "GET: / HTTP/1.1\r\nHost: test.example\r\n",
        "X-Trailer: " + new string('y', 8000) + "\r\n",
    ];

    private static readonly string[] Bad =
    [
        "no colon\r\n", "X\r\n", "X Y: z\r\n", "X : y\r\n", "X\t: y\r\n", " X: y\r\n", "\tX: y\r\n", "X: y\r\n z\r\n", "X: y\r\n\tz\r\n", ": y\r\n", ":\r\n", "X: y\n", "X: y\n\r\n", "X: y\r", "X: y\rz\r\n", "X: y\r\r\n", "\nX: y\r\n", "X\0: y\r\n",
        "X: \0\r\n", "X: \v\r\n", "X: \u0001\r\n", "X: \u007f\r\n", "X\u00e9: y\r\n", "X(y): z\r\n", "GET /smuggled HTTP/1.1\r\nHost: test.example\r\n", "\"X\": y\r\n", "X: y\r\nContent-Length : 5\r\n",
        "X-Trailer: " + new string('y', 17_000) + "\r\n",
    ];

    public static Family Create()
    {
        var family = new Family("trailers");
        foreach (var trailers in Good)
        {
            var name = Parts.Shown(trailers);
            family.Add("good " + name, $"{Parts.Post}{Parts.Chunked}\r\n5\r\nhello\r\n0\r\n{trailers}\r\n{Parts.Second}", Pass("POST", "main", "hello"), Pass("GET", "second"));
            family.Add("good, of an empty body " + name, $"{Parts.Post}Trailer: X-Trailer\r\n{Parts.Chunked}\r\n0\r\n{trailers}\r\n", Pass("POST", "main"));
        }

        foreach (var trailers in Bad)
        {
            var name = Parts.Shown(trailers);
            family.Add("bad " + name, $"{Parts.Post}{Parts.Chunked}\r\n5\r\nhello\r\n0\r\n{trailers}\r\n{Parts.Smuggled}", RefuseInBody());
            family.Add("bad, of an empty body " + name, $"{Parts.Post}{Parts.Chunked}\r\n0\r\n{trailers}\r\n{Parts.Smuggled}", RefuseInBody());
        }

        family.Add("97 lines", $"{Parts.Post}{Parts.Chunked}\r\n0\r\n{Lines(97)}\r\n{Parts.Second}", Pass("POST", "main"), Pass("GET", "second"));
        family.Add("101 lines", $"{Parts.Post}{Parts.Chunked}\r\n0\r\n{Lines(101)}\r\n{Parts.Smuggled}", RefuseInBody());
        family.Add("3,000 lines", $"{Parts.Post}{Parts.Chunked}\r\n0\r\n{Lines(3000)}\r\n{Parts.Smuggled}", RefuseInBody());
        return family;

        static string Lines(int count) => string.Concat(Enumerable.Repeat("X: y\r\n", count));
    }
}
