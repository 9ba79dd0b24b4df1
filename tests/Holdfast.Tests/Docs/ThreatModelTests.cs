using System.Text.RegularExpressions;
using Xunit;

namespace Holdfast.Tests.Docs;

/// <summary>docs/threat-model.md names the tests that show what it says.</summary>
public sealed partial class ThreatModelTests
{
    private static readonly string Page = Repository.Read("docs", "threat-model.md");

    [Fact]
    public void Every_test_that_it_names_exists()
    {
        var tests = SourcesOfTests();
        var named = Named().Matches(Page).Select(m => (Class: m.Groups["class"].Value, Method: m.Groups["method"].Value)).Distinct().ToList();
        Assert.NotEmpty(named);
        Assert.Empty(named.Where(n => !tests.Any(t => IsIn(t, n.Class, n.Method))).Select(n => $"{n.Class}.{n.Method}"));
    }

    [Fact]
    public void Every_row_of_what_is_sent_names_a_test()
    {
        var rows = Page.Split('\n').SkipWhile(l => !l.StartsWith("## ", StringComparison.Ordinal))
            .Where(l => l.StartsWith("| ", StringComparison.Ordinal) && !l.StartsWith("| sent ", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(rows);
        Assert.All(rows, r => Assert.Matches(Named(), r));
    }

    /// <summary>A file that has the class, and in it a test of that name.</summary>
    private static bool IsIn(string source, string type, string method) =>
        Regex.IsMatch(source, $@"\bclass {type}\b", RegexOptions.None, TimeSpan.FromSeconds(10))
        && Regex.IsMatch(source, $@"\[(?:Fact|Theory)\b(?:(?!\[Fact|\[Theory).)*?public (?:async Task|Task|void) {method}\(", RegexOptions.Singleline, TimeSpan.FromSeconds(10));

    private static IReadOnlyList<string> SourcesOfTests() =>
        [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*Tests.cs", SearchOption.AllDirectories).Select(File.ReadAllText)];

    [GeneratedRegex(@"`(?<class>[A-Z][A-Za-z0-9]*Tests)\.(?<method>[A-Za-z0-9_]+)`")]
    private static partial Regex Named();
}
