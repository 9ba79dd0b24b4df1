using System.Globalization;
using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Every byte that is not text, and every separator, at every place of a head.</summary>
internal static class ByteFamily
{
    private const string Separators = "\"(),/;<=>?@[\\]{} ";

    private static readonly (string Name, Func<char, string> Head)[] Places =
    [
        ("in the method", b => $"GE{b}T /{Parts.Id}/main HTTP/1.1\r\n{Parts.Host}\r\n"),
        ("before the method", b => $"{b}GET /{Parts.Id}/main HTTP/1.1\r\n{Parts.Host}\r\n"),
        ("in the target", b => $"GET /{Parts.Id}/ma{b}in HTTP/1.1\r\n{Parts.Host}\r\n"),
        ("before the target", b => $"GET {b}/{Parts.Id}/main HTTP/1.1\r\n{Parts.Host}\r\n"),
        ("after the target", b => $"GET /{Parts.Id}/main{b} HTTP/1.1\r\n{Parts.Host}\r\n"),
        ("in the query", b => $"GET /{Parts.Id}/main?a{b}b HTTP/1.1\r\n{Parts.Host}\r\n"),
        ("in the version", b => $"GET /{Parts.Id}/main HTTP/1{b}.1\r\n{Parts.Host}\r\n"),
        ("after the version", b => $"GET /{Parts.Id}/main HTTP/1.1{b}\r\n{Parts.Host}\r\n"),
        ("before a name", b => $"{Parts.Get}{b}X-A: y\r\n\r\n"),
        ("in a name", b => $"{Parts.Get}X-{b}A: y\r\n\r\n"),
        ("after a name", b => $"{Parts.Get}X-A{b}: y\r\n\r\n"),
        ("in Host's name", b => $"GET /{Parts.Id}/main HTTP/1.1\r\nHos{b}t: test.example\r\n\r\n"),
        ("in Host", b => $"GET /{Parts.Id}/main HTTP/1.1\r\nHost: te{b}st.example\r\n\r\n"),
        ("after the empty line's CR", b => $"GET /{Parts.Id}/main HTTP/1.1\r\n{Parts.Host}\r{b}\n\r\n"),
    ];

    private static readonly (string Name, Func<char, string> Head)[] InValues =
    [
        ("before a value", b => $"{Parts.Get}X-A:{b}y\r\n\r\n"),
        ("in a value", b => $"{Parts.Get}X-A: y{b}z\r\n\r\n"),
        ("after a value", b => $"{Parts.Get}X-A: y{b}\r\n\r\n"),
        ("as a value", b => $"{Parts.Get}X-A:{b}\r\n\r\n"),
    ];

    public static Family Create()
    {
        var family = new Family("bytes");
        foreach (var b in Enumerable.Range(0, 32).Append(127).Select(i => (char)i))
        {
            // An LF after that CR is just the empty line.
            foreach (var (place, head) in Places.Where(p => b != '\n' || p.Name != "after the empty line's CR"))
                family.Add(NameOf(b, place), head(b) + Parts.Smuggled, Refuse());
            foreach (var (place, head) in InValues.Where(_ => b != '\t'))
                family.Add(NameOf(b, place), head(b) + Parts.Smuggled, Refuse());
        }

        foreach (var b in "\u0080\u0085\u00a0\u00ad\u00e9\u00ff")
        {
            foreach (var (place, head) in Places)
                family.Add(NameOf(b, place), head(b) + Parts.Smuggled, Refuse());
            foreach (var (place, head) in InValues)
                family.Add(NameOf(b, place), head(b), Pass("GET", "main"));
        }

        foreach (var b in Separators)
        {
            foreach (var (place, head) in Places.Where(p => p.Name.EndsWith(" name", StringComparison.Ordinal) || p.Name is "in the method" or "in Host's name" or "in the version"))
                family.Add(NameOf(b, place), head(b) + Parts.Smuggled, Refuse());
        }

        foreach (var (place, head) in InValues)
            family.Add(NameOf('\t', place), head('\t'), Pass("GET", "main"));
        foreach (var target in (string[])["main?a\"b", "main?<>", "main?\\", "main?^`{|}", "main?%0d%0aX:%20y", "main?%00", "main?%zz", "main?%", "a/../main", "main//x", "./main", "%2e%2e/main", "main;x=y", "main?a?b", "main:80", "main?@"])
            family.Add("unusual target " + target, $"GET /{Parts.Id}/{target} HTTP/1.1\r\n{Parts.Host}\r\n", Pass("GET", $"/{Parts.Id}/{target}"));
        foreach (var name in (string[])["X-A:: y", "X-A: :y", "X-A: y:", "X.A: y", "X_A: y", "!#$%&'*+-.^_`|~: y", "0: y", "X-A:", "X-A: "])
            family.Add("unusual line " + name, $"{Parts.Get}{name}\r\n\r\n", Pass("GET", "main"));
        return family;
    }

    private static string NameOf(char b, string place) => string.Create(CultureInfo.InvariantCulture, $"0x{(int)b:x2} {place}");
}
