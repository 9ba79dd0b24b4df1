using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Connection naming what frames, routes or admits; headers that are the gateway's to set; Expect.</summary>
internal static class ConnectionFamily
{
    private static readonly string[] Named =
    [
        "content-length", "Content-Length", "transfer-encoding", "host", "Host", "connection", "keep-alive", "upgrade", "te", "trailer", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "holdfast-connection-id",
        "traceparent", "cookie", "authorization", "expect", "origin", "x-user", "content-type", "proxy-connection", "x-a", "http2-settings", "", ",", ", ,", "keep-alive, content-length", "host, content-length", "x, host", "HOST,CONTENT-LENGTH",
        "\"content-length\"", "content-length;x", "content-length ", "clos", "xclose", "close;x", "\"close\"", "te, host", "sec-websocket-key",
    ];

    private static readonly string[] Closing = ["close", "Close", "CLOSE", "close, x", "x, close", "keep-alive, close", "close, keep-alive", "close,content-length", "\tclose\t", ",close,", "host,close"];

    private static readonly string[] Forged =
    [
        "X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-By", "X-Forwarded-User", "X-Forwarded-Client-Cert",
        "X-Forwarded-", "Forwarded", "forwarded", "Holdfast-Connection-Id", "holdfast-connection-id", "HOLDFAST-CONNECTION-ID", "Holdfast-Rehomed", "Holdfast-", "Holdfast-Anything", "Holdfast-Client", "Holdfast-User",
    ];

    private static readonly string[] Expectations = ["100-continue", "100-Continue", "100-CONTINUE", "100-continue, 100-continue", "100-continue;x", "\"100-continue\"", "200-ok", "101-switching", "x", "", "100", "100-continue "];

    public static Family CreateConnection()
    {
        var family = new Family("Connection");
        foreach (var named in Named)
        {
            var line = $"Connection: {named}\r\n";
            family.Add(
                "by length, Connection: " + named, $"{Parts.Post}{line}X-A: b\r\nContent-Length: {Parts.Smuggled.Length}\r\n\r\n{Parts.Smuggled}{Parts.Second}",
                Pass("POST", "main", Parts.Smuggled), Pass("GET", "second"));
            family.Add("in chunks, Connection: " + named, $"{Parts.Post}{Parts.Chunked}{line}\r\n5\r\nhello\r\n0\r\n\r\n{Parts.Second}", Pass("POST", "main", "hello"), Pass("GET", "second"));
            family.Add("GET, Connection: " + named, $"{Parts.Get}X-A: b\r\n{line}\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
        }

        foreach (var closing in Closing)
        {
            var line = $"Connection: {closing}\r\n";
            family.Add("by length, Connection: " + Parts.Shown(closing), $"{Parts.Post}{line}Content-Length: 5\r\n\r\nhello{Parts.Smuggled}", PassAndClose("POST", "main", "hello"));
            family.Add("GET, Connection: " + Parts.Shown(closing), $"{Parts.Get}{line}\r\n{Parts.Smuggled}", PassAndClose("GET", "main"));
            family.Add("in chunks, Connection: " + Parts.Shown(closing), $"{Parts.Post}{Parts.Chunked}{line}\r\n5\r\nhello\r\n0\r\n\r\n{Parts.Smuggled}", PassAndClose("POST", "main", "hello"));
        }

        family.Add("two lines, the second closes", $"{Parts.Get}Connection: keep-alive\r\nConnection: close\r\n\r\n{Parts.Smuggled}", PassAndClose("GET", "main"));
        family.Add("two lines, the first closes", $"{Parts.Get}Connection: close\r\nConnection: keep-alive\r\n\r\n{Parts.Smuggled}", PassAndClose("GET", "main"));
        family.Add("Proxy-Connection: close closes nothing", $"{Parts.Get}Proxy-Connection: close\r\n\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
        family.Add("Keep-Alive closes nothing", $"{Parts.Get}Keep-Alive: timeout=0, max=0\r\n\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
        return family;
    }

    /// <summary>That what is forged reaches no endpoint is checked of every request.</summary>
    public static Family CreateForgery()
    {
        var family = new Family("forged headers");
        foreach (var name in Forged)
        {
            family.Add(name, $"{Parts.Get}{name}: {HeaderRules.Forged}\r\n\r\n", Pass("GET", "main"));
            family.Add(name + ", twice and first", $"GET /{Parts.Id}/main HTTP/1.1\r\n{name}: {HeaderRules.Forged}\r\n{Parts.Host}{name}: {HeaderRules.Forged}\r\n\r\n", Pass("GET", "main"));
            family.Add(name + ", with a body", $"{Parts.Post}{name}: {HeaderRules.Forged}\r\nContent-Length: 5\r\n\r\nhello", Pass("POST", "main", "hello"));
            family.Add(name + ", named in Connection", $"{Parts.Get}Connection: {name}\r\n{name}: {HeaderRules.Forged}\r\n\r\n", Pass("GET", "main"));
            family.Add(name + ", on an upgrade", Parts.UpgradeOf("main", $"{name}: {HeaderRules.Forged}\r\n"), Upgrade(Parts.Canary));
            family.Add(name + ", space before the colon", $"{Parts.Get}{name} : {HeaderRules.Forged}\r\n\r\n{Parts.Smuggled}", Refuse());
        }

        return family;
    }

    public static Family CreateExpect()
    {
        var family = new Family("Expect");
        foreach (var value in Expectations)
        {
            var line = $"Expect: {value}\r\n";
            family.Add("by length: " + value, $"{Parts.Post}{line}Content-Length: 5\r\n\r\nhello{Parts.Second}", Pass("POST", "main", "hello"), Pass("GET", "second"));
            family.Add("in chunks: " + value, $"{Parts.Post}{line}{Parts.Chunked}\r\n5\r\nhello\r\n0\r\n\r\n{Parts.Second}", Pass("POST", "main", "hello"), Pass("GET", "second"));
            family.Add("without a body: " + value, $"{Parts.Get}{line}\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
            family.Add("of length 0: " + value, $"{Parts.Post}{line}Content-Length: 0\r\n\r\n{Parts.Second}", Pass("POST", "main"), Pass("GET", "second"));
            family.Add("HTTP/1.0: " + value, $"POST /{Parts.Id}/main HTTP/1.0\r\n{Parts.Host}{line}Content-Length: 5\r\n\r\nhello{Parts.Smuggled}", PassAndClose("POST", "main", "hello"));
            family.Add("with both lengths: " + value, $"{Parts.Post}{line}Content-Length: 5\r\n{Parts.Chunked}\r\n0\r\n\r\n{Parts.Smuggled}", Refuse());
        }

        family.Add("twice", $"{Parts.Post}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello{Parts.Second}", Pass("POST", "main", "hello"), Pass("GET", "second"));
        family.Add("folded", $"{Parts.Post}Expect:\r\n 100-continue\r\nContent-Length: 5\r\n\r\nhello{Parts.Smuggled}", Refuse());
        return family;
    }
}
