using System.Text.RegularExpressions;
using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Tests.Linting;
using Holdfast.Testing.Manifests;
using Xunit;

namespace Holdfast.Manifests.Tests.Docs;

/// <summary>The manifests of docs/guides are what their page says they are.</summary>
public partial class GuideTests
{
    private static readonly string Root = Path.Combine(Repository.Root, "docs", "guides");

    public static TheoryData<string> Guides() => [.. Directory.GetDirectories(Root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Guides))]
    public void What_articles_show_has_exactly_the_findings_of_the_page(string guide)
    {
        var rows = Row().Matches(Section(guide)).Select(m => (Id: m.Groups["id"].Value, Anchor: m.Groups["anchor"].Value, Severity: m.Groups["severity"].Value, Line: m.Groups["line"].Value)).ToList();
        Assert.NotEmpty(rows);
        var letters = RuleCatalog.Families.Select(f => f.Letter).ToHashSet();
        // Of families that are not there, nothing can be found.
        rows = [.. rows.Where(r => letters.Contains(r.Id["HF-".Length]))];
        Assert.All(rows.Where(r => r.Anchor.Length > 0), r => Assert.Equal($"{r.Id} {RuleCatalog.Find(r.Id)!.Name}".ToLowerInvariant().Replace(' ', '-'), r.Anchor));

        var found = Run(guide, "article.yaml").Findings.Select(f => $"{f.Rule.Id} {Names.Of(f.Severity)} {f.At.Line}");
        Assert.Equal(rows.Select(r => $"{r.Id} {r.Severity} {r.Line}").Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Guides))]
    public void What_is_to_be_written_instead_is_without_a_finding(string guide)
    {
        var (article, corrected) = (Run(guide, "article.yaml"), Run(guide, "corrected.yaml"));
        Assert.Empty(corrected.Findings);
        // Silence because nothing is a WebSocket any more would prove nothing.
        Assert.Equal("Deployment shop/chat", Assert.Single(corrected.Context.WebSocketWorkloads).ToString());
        Assert.Equal(article.Context.ExposedObjects.Select(e => e.Object.ToString()), corrected.Context.ExposedObjects.Select(e => e.Object.ToString()));
    }

    [Theory]
    [MemberData(nameof(Guides))]
    public void What_is_to_be_written_instead_fits_its_schemas(string guide)
    {
        if (Requires.Schemas(Repository.Schemas) is { } missing)
            Assert.Skip(missing);
        var name = $"docs/guides/{guide}/corrected.yaml";
        Assert.Empty(ManifestValidator.Validate(Repository.Read(name), name, new SchemaCatalog(Repository.Schemas)));
    }

    [Fact]
    public void The_page_has_a_section_for_each_folder_and_no_other() =>
        Assert.Equal(Guides().Select(g => g.Data), Headings().Matches(Page).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));

    private static string Page => Repository.Read("docs/guides/README.md");

    private static string Section(string guide)
    {
        var start = Page.IndexOf($"\n## {guide}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"docs/guides/README.md has no section {guide}");
        var end = Page.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return end < 0 ? Page[start..] : Page[start..end];
    }

    private static LintResult Run(string guide, string file)
    {
        var result = Lint.Text(File.ReadAllText(Path.Combine(Root, guide, file)));
        Assert.Empty(result.Problems);
        return result;
    }

    [GeneratedRegex(@"^\| \[(?<id>HF-\w\d\d)\]\(\.\./reference/lint-rules\.md(#(?<anchor>[a-z0-9.-]+))?\) \| (?<severity>error|warning|advice) \| (?<line>\d+) \| .+ \|$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Row();

    [GeneratedRegex(@"^## ([a-z-]+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();
}
