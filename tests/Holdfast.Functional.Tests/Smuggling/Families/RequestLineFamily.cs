using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Request lines: spaces, versions, methods, forms, line ends before and after them; and very long heads.</summary>
internal static class RequestLineFamily
{
    // '~' stands for the path.
    private static readonly string[] Bad =
    [
        // Versions.
        "GET ~", "GET ~ ", "GET ~ HTTP/0.9", "GET ~ HTTP/1.2", "GET ~ HTTP/1.9", "GET ~ HTTP/1.10", "GET ~ HTTP/1.01", "GET ~ HTTP/01.1", "GET ~ HTTP/11.1", "GET ~ HTTP/2.0", "GET ~ HTTP/2", "GET ~ HTTP/3.0", "GET ~ HTTP/1", "GET ~ HTTP/1.",
        "GET ~ HTTP/.1", "GET ~ HTTP/", "GET ~ HTTP", "GET ~ HTTP1.1", "GET ~ http/1.1", "GET ~ Http/1.1", "GET ~ HTTPS/1.1", "GET ~ XHTTP/1.1", "GET ~ HTTP/1,1", "GET ~ HTTP/-1.1", "GET ~ HTTP/+1.1", "GET ~ HTTP/1.1.1", "GET ~ HTTP/1.1x",
        "GET ~ HTTP/1.1 HTTP/1.1", "GET ~ HTTP/1.1 x", "GET ~ x HTTP/1.1", "GET ~ ICY/1.1", "GET ~ RTSP/1.0", "GET ~ SHTTP/1.3", "GET ~ HTTP/1.1/", "GET ~ HTTP\\1.1",
        // White space.
        "GET  ~ HTTP/1.1", "GET ~  HTTP/1.1", " GET ~ HTTP/1.1", "GET ~ HTTP/1.1 ", "GET\t~ HTTP/1.1", "GET ~\tHTTP/1.1", "GET\u00a0~ HTTP/1.1", "GET ~ HTTP/ 1.1", "GET ~ HTTP /1.1", "GET~ HTTP/1.1", "GET ~HTTP/1.1", "GET HTTP/1.1",
        "~ HTTP/1.1", "GET", "", " ", "  HTTP/1.1", "GET  HTTP/1.1", "HTTP/1.1 200 OK", "HTTP/1.1 ~ GET", "GET ~ ~ HTTP/1.1", "GET ~\vHTTP/1.1", "GET ~\fHTTP/1.1", "\tGET ~ HTTP/1.1",
        // Methods and forms.
        "G(ET ~ HTTP/1.1", "GET: ~ HTTP/1.1", "GET, ~ HTTP/1.1", "\"GET\" ~ HTTP/1.1", "[GET] ~ HTTP/1.1", "G\u00c9T ~ HTTP/1.1", "GET/ ~ HTTP/1.1", "CONNECT test.example:80 HTTP/1.1", "CONNECT test.example HTTP/1.1",
        "CONNECT * HTTP/1.1", "CONNECT 127.0.0.1:22 HTTP/1.1", "GET test.example:80 HTTP/1.1", "GET * HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS *~ HTTP/1.1", "OPTIONS test.example HTTP/1.1",
        "PRI * HTTP/2.0", "PRI * HTTP/1.1", "PRI ~ HTTP/2.0", "GET ~#x HTTP/1.1", "GET ~ HTTP/1.1#", "GET #~ HTTP/1.1", "GET \\~ HTTP/1.1", "GET ..~ HTTP/1.1", "GET mailto:~ HTTP/1.1",
        "SSH-2.0-OpenSSH", "\u0016\u0003\u0001\u0002\0\u0001", "PROXY TCP4 127.0.0.9 127.0.0.1 1 2", "{\"json\":1}", "EHLO test.example",
    ];

    public static Family Create()
    {
        var family = new Family("request lines");
        var path = $"/{Parts.Id}/main";
        foreach (var line in Bad)
        {
            var own = line.Replace("~", path, StringComparison.Ordinal);
            family.Add("bad " + Parts.Shown(line), $"{own}\r\n{Parts.Host}\r\n{Parts.Smuggled}", Refuse());
            family.Add("bad, with a body " + Parts.Shown(line), $"{own}\r\n{Parts.Host}Content-Length: {Parts.Smuggled.Length}\r\n\r\n{Parts.Smuggled}", Refuse());
        }

        foreach (var before in (string[])["\r\n", "\r\n\r\n", "\n", "\r", "\r\r\n", "\n\n", " \r\n", "\t\r\n", "\0", "\u00ef\u00bb\u00bf", "\r\n\r\n\r\n\r\n", "\n\r\n", "x\r\n", "0\r\n\r\n", "\r\n "])
            family.Add("first " + Parts.Shown(before), before + Parts.Get + "\r\n" + Parts.Smuggled, Refuse());
        foreach (var between in (string[])["\r\n", "\r\n\r\n", "\n", "\r", " ", "0\r\n\r\n", "\0"])
            family.Add("between requests " + Parts.Shown(between), $"{Parts.Post}Content-Length: 5\r\n\r\nhello{between}{Parts.Smuggled}", Pass("POST", "main", "hello"), Refuse());

        family.Add("between requests X", $"{Parts.Post}Content-Length: 5\r\n\r\nhelloX{Parts.Second}", Pass("POST", "main", "hello"), Pass("XGET", "second"));

        foreach (var method in (string[])["get", "Get", "FOO", "M-SEARCH", "!#$%&'*+-.^_`|~", "GETT", "PROPFIND", "TRACE", "OPTIONS", "PURGE", "QUERY", "0"])
            family.Add("method " + method, $"{method} {path} HTTP/1.1\r\n{Parts.Host}\r\n{Parts.Second}", Pass(method, "main"), Pass("GET", "second"));
        foreach (var target in (string[])[path, $"http://test.example{path}"])
        {
            family.Add("CONNECT " + target, $"CONNECT {target} HTTP/1.1\r\n{Parts.Host}\r\n{Parts.Smuggled}", Refuse(501));
            family.Add("with a body, CONNECT " + target, $"CONNECT {target} HTTP/1.1\r\n{Parts.Host}Content-Length: {Parts.Smuggled.Length}\r\n\r\n{Parts.Smuggled}", Refuse(501));
            family.Add("in chunks, CONNECT " + target, $"CONNECT {target} HTTP/1.1\r\n{Parts.Host}{Parts.Chunked}\r\n5\r\nhello\r\n0\r\n\r\n{Parts.Smuggled}", Refuse(501));
        }

        family.Add("OPTIONS *", $"OPTIONS * HTTP/1.1\r\n{Parts.Host}X-Case: {Parts.Id}\r\n\r\n{Parts.Second}", Answer(404), Pass("GET", "second"));
        family.Add("the preface of HTTP/2", $"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0{Parts.Smuggled}", Refuse());
        family.Add("HTTP/0.9", $"GET {path}\r\n\r\n{Parts.Smuggled}", Refuse());
        family.Add("HTTP/0.9 with LF", $"GET {path}\n\n{Parts.Smuggled}", Refuse());
        family.Add("HTTP/1.0", $"GET {path} HTTP/1.0\r\n{Parts.Host}\r\n{Parts.Smuggled}", PassAndClose("GET", "main"));
        family.Add("HTTP/1.0 with a body", $"POST {path} HTTP/1.0\r\n{Parts.Host}Content-Length: 5\r\n\r\nhello{Parts.Smuggled}", PassAndClose("POST", "main", "hello"));
        family.Add("HTTP/1.0 with a body of no length", $"POST {path} HTTP/1.0\r\n{Parts.Host}\r\n{Parts.Smuggled}", Refuse());
        family.Add("HTTP/1.0 that is kept alive", $"GET {path} HTTP/1.0\r\n{Parts.Host}Connection: keep-alive\r\n\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
        family.Add("HTTP/1.0 that is kept alive, with a body", $"POST {path} HTTP/1.0\r\n{Parts.Host}Connection: keep-alive\r\nContent-Length: 5\r\n\r\nhello{Parts.Second}", Pass("POST", "main", "hello"), Pass("GET", "second"));
        AddLong(family);
        return family;
    }

    private static void AddLong(Family family)
    {
        static string Lines(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $"X-{i}: y\r\n"));
        static string Filled(string head, int length) => head.Replace("~", new string('a', length - head.Length + 1), StringComparison.Ordinal);

        family.Add("100 header lines", $"{Parts.Get}{Lines(99)}\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
        family.Add("101 header lines", $"{Parts.Get}{Lines(100)}\r\n{Parts.Smuggled}", Refuse(431));
        family.Add("100 header lines, the last Transfer-Encoding", $"{Parts.Post}Content-Length: 5\r\n{Lines(97)}{Parts.Chunked}\r\n0\r\n\r\n", Refuse());
        family.Add("102 header lines, the last Content-Length", $"{Parts.Post}{Lines(100)}Content-Length: 5\r\n\r\nhello{Parts.Smuggled}", Refuse(431));
        family.Add("1,000 header lines", $"{Parts.Get}{Lines(1000)}\r\n{Parts.Smuggled}", Refuse(431));
        foreach (var length in (int[])[8 * 1024, 16 * 1024, 30 * 1024, StrictReader.MaxHead])
            family.Add($"a head of {length} bytes", Filled(Parts.Get + "X-A: ~\r\n\r\n", length) + Parts.Second, Pass("GET", "main"), Pass("GET", "second"));
        foreach (var length in (int[])[StrictReader.MaxHead + 1, 33 * 1024, 40 * 1024, 100_000])
            family.Add($"a head of {length} bytes", Filled(Parts.Get + "X-A: ~\r\n\r\n", length) + Parts.Smuggled, Refuse(431));
        family.Add("a target of 16 KiB", $"GET /{Parts.Id}/main?{new string('a', 16 * 1024)} HTTP/1.1\r\n{Parts.Host}\r\n", Pass("GET", $"/{Parts.Id}/main?{new string('a', 16 * 1024)}"));
        family.Add("a target of 40 KiB", $"GET /{Parts.Id}/main?{new string('a', 40 * 1024)} HTTP/1.1\r\n{Parts.Host}\r\n{Parts.Smuggled}", Refuse(431));
        family.Add("a name of 16 KiB", $"{Parts.Get}{new string('a', 16 * 1024)}: y\r\n\r\n", Pass("GET", "main"));
        family.Add("a method of 16 KiB", $"{new string('A', 16 * 1024)} /{Parts.Id}/main HTTP/1.1\r\n{Parts.Host}\r\n", Pass(new string('A', 16 * 1024), "main"));
        family.Add("a Host of 16 KiB", $"GET /{Parts.Id}/main HTTP/1.1\r\nHost: {new string('a', 16 * 1024)}\r\n\r\n", Pass("GET", "main"));
        family.AddExactly("a head that ends with the canary's", Parts.Get + "X-A: ", Refuse());
        family.AddExactly("a head whose last header is the canary", Parts.Get.Replace(Parts.Host, "", StringComparison.Ordinal) + "X-A: ", Pass("GET", "main"));
    }
}
