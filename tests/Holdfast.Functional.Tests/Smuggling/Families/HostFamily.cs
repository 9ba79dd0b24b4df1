using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Host: missing, twice, odd; absolute form against it; user, port and fragment in authorities.</summary>
internal static class HostFamily
{
    private static readonly string[] GoodHosts =
    [
        "Host: test.example", "host: test.example", "HOST:test.example", "Host: \ttest.example \t", "Host: test.example:80", "Host: test.example:0", "Host: test.example:65535", "Host: TEST.example", "Host: test.example.",
        "Host: 127.0.0.1", "Host: 127.0.0.1:8080", "Host: [::1]", "Host: [::1]:80", "Host: [::ffff:127.0.0.1]", "Host: other.example", "Host: a_b.example", "Host: xn--bcher-kva.example",
    ];

    private static readonly string[] BadHosts =
    [
        "X: y", "Host:", "Host:  ", "Host: test.example\r\nHost: test.example", "Host: test.example\r\nHost: other.example", "Host: test.example\r\nhost: test.example", "Host:\r\nHost: test.example", "Host: test.example\r\nHost:",
        "Host: test.example, other.example", "Host: test.example other.example", "Host: user@test.example", "Host: user:pass@test.example", "Host: test.example/", "Host: test.example/path", "Host: test.example?q", "Host: test.example#f",
        "Host: http://test.example", "Host: //test.example", "Host: test.example:", "Host: test.example:x", "Host: test.example:-1", "Host: test.example:65536", "Host: test.example:99999999999", "Host: test.example:80:80",
        "Host: test.example:+80", "Host: test.example: 80", "Host: :80", "Host: [::1", "Host: ::1", "Host: [::1]x", "Host: [::g]", "Host: []", "Host: [127.0.0.1]", "Host: [::1%25eth0]", "Host: [v1.x]", "Host: te%7t", "Host: te%zzst",
        "Host: \"test.example\"", "Host: <test.example>", "Host: test\\example", "Host: test.example\u00e9", "Host: test.example\0", "Host: test.example\v", "Host: test.example\r\n .other.example", "Host:\r\n test.example",
        " Host: test.example", "Host : test.example", "Host\t: test.example", "\0Host: test.example", "Host\r\n: test.example", "Host: test.example\n", "X: y\nHost: test.example", "Host: test.example\nHost: other.example", "Host: te%73t.example", "Host: a,b", "Host: a;b", "Host: a=b", "Host: a+b", "Host: a*b", "Host: {test}", "Host: a|b", "Host: a^b", "Host: a`b",
    ];

    // '~' stands for the path.
    private static readonly (string Target, string Host, bool Passes)[] AbsoluteForms =
    [
        ("http://test.example/~", "test.example", true), ("HTTP://test.example/~", "test.example", false), ("https://test.example/~", "test.example", true), ("http://TEST.example/~", "test.example", true),
        ("http://test.example:8080/~", "test.example:8080", true), ("http://[::1]/~", "[::1]", true), ("http://other.example/~", "test.example", false), ("http://test.example/~", "other.example", false),
        ("http://test.example:80/~", "test.example", false), ("http://test.example/~", "test.example:80", false), ("http://user@test.example/~", "test.example", false), ("http://user@test.example/~", "user@test.example", false),
        ("http://test.example@other.example/~", "test.example", false), ("http://test.example@other.example/~", "other.example", false), ("http://test.example", "test.example", false), ("http://test.example?~", "test.example", false),
        ("http://test.example#/~", "test.example", false), ("http:///~", "test.example", false), ("http:/~", "test.example", false), ("http:~", "test.example", false), ("http//test.example/~", "test.example", false),
        ("ftp://test.example/~", "test.example", false), ("ws://test.example/~", "test.example", false), ("file:///~", "test.example", false), ("//test.example/~", "test.example", true), ("///~", "test.example", true), ("test.example/~", "test.example", false),
        ("test.example:80", "test.example:80", false), ("test.example:80", "test.example", false), ("http://test.example./~", "test.example", false), ("http://test.example\\@other.example/~", "test.example", false), ("http://%74est.example/~", "test.example", false),
        ("~", "test.example", false), ("?~", "test.example", false), ("*", "test.example", false), ("*/~", "test.example", false), ("\\~", "test.example", false), ("/~#fragment", "test.example", false), ("#~", "test.example", false),
        ("http://[::1/~", "[::1", false), ("http://test.example /~", "test.example", false), ("http://test.example,other.example/~", "test.example", false), ("javascript:~", "test.example", false), ("http:\\\\test.example\\~", "test.example", false),
    ];

    public static Family Create()
    {
        var family = new Family("Host");
        var start = $"GET /{Parts.Id}/main HTTP/1.1\r\n";
        foreach (var host in GoodHosts)
        {
            family.Add("good " + host, $"{start}{host}\r\n\r\n{Parts.Second}", Pass("GET", "main"), Pass("GET", "second"));
            family.Add("good, last " + host, $"{start}X-A: b\r\nContent-Length: 5\r\n{host}\r\n\r\nhello{Parts.Second}", Pass("GET", "main", "hello"), Pass("GET", "second"));
        }

        foreach (var host in BadHosts)
        {
            family.Add("bad " + Parts.Shown(host), $"{start}{host}\r\n\r\n{Parts.Smuggled}", Refuse());
            family.Add("bad, with a body " + Parts.Shown(host), $"POST /{Parts.Id}/main HTTP/1.1\r\nContent-Length: {Parts.Smuggled.Length}\r\n{host}\r\n\r\n{Parts.Smuggled}", Refuse());
        }

        foreach (var (target, host, passes) in AbsoluteForms)
        {
            var own = target.Replace("~", $"{Parts.Id}/main", StringComparison.Ordinal);
            var text = $"GET {own} HTTP/1.1\r\nHost: {host}\r\nX-Case: {Parts.Id}\r\n\r\n";
            var path = own.StartsWith("http", StringComparison.OrdinalIgnoreCase) ? $"/{Parts.Id}/main" : own;
            family.Add($"{target} against {host}", text + (passes ? "" : Parts.Smuggled), passes ? [Pass("GET", path)] : [Refuse()]);
            family.Add(
                $"POST {target} against {host}",
                $"POST {own} HTTP/1.1\r\nContent-Length: {Parts.Smuggled.Length}\r\nHost: {host}\r\nX-Case: {Parts.Id}\r\n\r\n{Parts.Smuggled}",
                passes ? [Pass("POST", path, Parts.Smuggled)] : [Refuse()]);
        }

        family.Add("none, HTTP/1.0", $"GET /{Parts.Id}/main HTTP/1.0\r\n\r\n{Parts.Smuggled}", PassAndClose("GET", "main"));
        family.Add("two, HTTP/1.0", $"GET /{Parts.Id}/main HTTP/1.0\r\n{Parts.Host}{Parts.Host}\r\n{Parts.Smuggled}", Refuse());
        family.Add("absolute form without Host, HTTP/1.0", $"GET http://test.example/{Parts.Id}/main HTTP/1.0\r\n\r\n{Parts.Smuggled}", Refuse());
        return family;
    }
}
