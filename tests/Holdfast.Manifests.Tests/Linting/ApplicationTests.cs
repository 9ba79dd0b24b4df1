using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>
/// Whole applications as people have them, each a folder in Applications with an <c>expected.txt</c>: every finding with its severity, place and
/// object, and no other. An empty one says that there is nothing to find.
/// </summary>
public class ApplicationTests
{
    private static readonly string Root = Path.Combine(Repository.Root, "tests", "Holdfast.Manifests.Tests", "Applications");

    public static TheoryData<string> All() => [.. Directory.GetDirectories(Root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(All))]
    public void It_has_exactly_the_findings_that_are_expected(string name)
    {
        var expected = File.ReadAllLines(Path.Combine(Root, name, "expected.txt"));
        var result = Lint.Sources(LintSettings.Default, [.. Read(name)]);
        Assert.Empty(result.Problems);
        Assert.Empty(result.Suppressed);
        // Silence because nothing was recognised would prove nothing.
        Assert.NotEmpty(result.Context.WebSocketWorkloads);
        Assert.Equal(string.Join('\n', expected.Order(StringComparer.Ordinal)), string.Join('\n', result.Findings.Select(f => Say(name, f)).Order(StringComparer.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Fixing_it_takes_what_has_a_patch_and_leaves_the_rest(string name)
    {
        var before = Lint.Sources(LintSettings.Default, [.. Read(name)]);
        var result = Fixer.Fix(Read(name), LintSettings.Default);
        Assert.DoesNotContain(result.After.Findings, f => f.Patch is not null);
        Assert.Equal(before.Findings.Any(f => f.Patch is not null), result.Changed.Count > 0);
        Assert.Empty(result.After.Problems);
        // What no patch is for is still told, wherever it stands by now.
        var left = result.After.Findings.Select(f => (f.Rule.Id, f.Object)).ToHashSet();
        Assert.All(before.Findings.Where(f => !f.Rule.HasPatch), f => Assert.Contains((f.Rule.Id, f.Object), left));
        Assert.Empty(Fixer.Fix(result.Sources, LintSettings.Default).Changed);
    }

    [Fact]
    public void Some_have_nothing_to_find() => Assert.True(All().Count(a => new FileInfo(Path.Combine(Root, a, "expected.txt")).Length == 0) >= 3);

    private static string Say(string name, Finding finding) =>
        $"{finding.Rule.Id} {Names.Of(finding.Severity)} {Path.GetRelativePath(Path.Combine(Root, name), finding.At.Source.Name)}:{finding.At.Line} {finding.Object}";

    private static List<FoundSource> Read(string name)
    {
        var finder = new SourceFinder(TextReader.Null);
        finder.Add(Path.Combine(Root, name));
        Assert.Empty(finder.BadPaths);
        Assert.Empty(finder.Problems);
        return finder.Sources;
    }
}
