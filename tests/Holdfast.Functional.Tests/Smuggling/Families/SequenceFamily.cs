using System.Globalization;
using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Pipelines of good and bad requests in every order, and bodies on methods that seldom have any.</summary>
internal static class SequenceFamily
{
    /// <summary>A request for the target named '~'.</summary>
    private static readonly (string Name, string Text, Func<string, Step> Step)[] Kinds =
    [
        ("get", $"GET /{Parts.Id}/~ HTTP/1.1\r\n{Parts.Host}\r\n", t => Pass("GET", t)),
        ("length", $"POST /{Parts.Id}/~ HTTP/1.1\r\n{Parts.Host}Content-Length: {Parts.Smuggled.Length}\r\n\r\n{Parts.Smuggled}", t => Pass("POST", t, Parts.Smuggled)),
        ("chunks", $"POST /{Parts.Id}/~ HTTP/1.1\r\n{Parts.Host}{Parts.Chunked}\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", t => Pass("POST", t, "hello")),
        ("both", $"POST /{Parts.Id}/~ HTTP/1.1\r\n{Parts.Host}{Parts.Chunked}Content-Length: 5\r\n\r\n0\r\n\r\n", _ => Refuse()),
        ("bad chunk", $"POST /{Parts.Id}/~ HTTP/1.1\r\n{Parts.Host}{Parts.Chunked}\r\n5\r\nhelloX\r\n0\r\n\r\n", t => RefuseInBody("POST", t)),
        ("LF", $"GET /{Parts.Id}/~ HTTP/1.1\nHost: test.example\n\n", _ => Refuse()),
        ("HTTP/1.0", $"GET /{Parts.Id}/~ HTTP/1.0\r\n{Parts.Host}\r\n", t => PassAndClose("GET", t)),
    ];

    public static Family CreatePipelines()
    {
        var family = new Family("pipelines");
        foreach (var first in Kinds)
        {
            foreach (var second in Kinds)
            {
                foreach (var third in Kinds)
                {
                    var steps = new List<Step>();
                    var text = "";
                    foreach (var (kind, target) in (((string Name, string Text, Func<string, Step> Step), string)[])[(first, "first"), (second, "second"), (third, "third")])
                    {
                        text += kind.Text.Replace("~", target, StringComparison.Ordinal);
                        if (steps.Count == 0 || !steps[^1].IsLast)
                            steps.Add(kind.Step(target));
                    }

                    family.Add($"{first.Name}, {second.Name}, {third.Name}", text, [.. steps]);
                }
            }
        }

        family.Add(
            "fifty", string.Concat(Enumerable.Range(0, 50).Select(i => string.Create(CultureInfo.InvariantCulture, $"GET /{Parts.Id}/p{i} HTTP/1.1\r\n{Parts.Host}\r\n"))),
            [.. Enumerable.Range(0, 50).Select(i => Pass("GET", string.Create(CultureInfo.InvariantCulture, $"p{i}")))]);
        return family;
    }

    public static Family CreateMethods()
    {
        var family = new Family("methods with bodies");
        foreach (var method in (string[])["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PATCH", "PUT", "PROPFIND", "FOO", "get", "head"])
        {
            var start = $"{method} /{Parts.Id}/main HTTP/1.1\r\n{Parts.Host}";
            family.Add(method + " without one (CL.0)", $"{start}\r\n{Parts.Second}", Pass(method, "main"), Pass("GET", "second"));
            family.Add(method + " of length 0 (CL.0)", $"{start}Content-Length: 0\r\n\r\n{Parts.Second}", Pass(method, "main"), Pass("GET", "second"));
            family.Add(method + " of a request's length (0.CL)", $"{start}Content-Length: {Parts.Smuggled.Length}\r\n\r\n{Parts.Smuggled}{Parts.Second}", Pass(method, "main", Parts.Smuggled), Pass("GET", "second"));
            family.Add(method + " in chunks", $"{start}{Parts.Chunked}\r\n{Parts.Smuggled.Length:X}\r\n{Parts.Smuggled}\r\n0\r\n\r\n{Parts.Second}", Pass(method, "main", Parts.Smuggled), Pass("GET", "second"));
            family.Add(method + " of no chunks", $"{start}{Parts.Chunked}\r\n0\r\n\r\n{Parts.Second}", Pass(method, "main"), Pass("GET", "second"));
            family.Add(method + " that closes", $"{start}Connection: close\r\nContent-Length: 5\r\n\r\nhello{Parts.Smuggled}", PassAndClose(method, "main", "hello"));
            family.Add(method + " with both", $"{start}Content-Length: 5\r\n{Parts.Chunked}\r\n0\r\n\r\n{Parts.Smuggled}", Refuse());
            family.AddExactly(method + " over the canary", $"{start}Content-Length: {Parts.Canary.Length}\r\n\r\n", Pass(method, "main", Parts.Canary));
        }

        return family;
    }
}
