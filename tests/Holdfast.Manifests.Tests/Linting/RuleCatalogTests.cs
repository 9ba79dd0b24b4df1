using System.Text.RegularExpressions;
using Holdfast.Manifests.Linting.Rules;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public partial class RuleCatalogTests
{
    public static TheoryData<string> Rules() => [.. RuleCatalog.All.Select(r => r.Id)];

    [Fact]
    public void Ids_names_and_letters_are_unique()
    {
        Assert.Equal(RuleCatalog.All.Count, RuleCatalog.All.SelectMany(r => new[] { r.Id, r.Name }).Distinct(StringComparer.OrdinalIgnoreCase).Count() / 2);
        Assert.Equal(RuleCatalog.Families.Count, RuleCatalog.Families.Select(f => f.Letter).Distinct().Count());
    }

    [Fact]
    public void A_family_lists_its_rules_in_the_order_of_their_numbers_without_gaps() => Assert.All(RuleCatalog.Families, family =>
        Assert.Equal(Enumerable.Range(1, family.Rules.Count).Select(n => $"HF-{family.Letter}{n:00}"), family.Rules.Select(r => r.Id)));

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_rule_says_everything_and_says_it_well(string id)
    {
        var rule = RuleCatalog.Find(id)!;
        Assert.Same(rule, RuleCatalog.Find(rule.Name.ToUpperInvariant()));
        Assert.Matches(KebabCase(), rule.Name);
        // The summary is a cell of a table, the others are sentences.
        Assert.False(rule.Summary.EndsWith('.'), rule.Summary);
        Assert.InRange(rule.Summary.Length, 20, 160);
        foreach (var text in new[] { rule.Why, rule.Fix, rule.NotClaimed ?? "None." })
        {
            Assert.EndsWith(".", text, StringComparison.Ordinal);
            Assert.DoesNotContain("  ", text, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', text);
        }

        Assert.NotEmpty(rule.References);
        Assert.All(rule.References, r => Assert.True(Uri.TryCreate(r, UriKind.Absolute, out var uri) && uri.Scheme == "https" && !r.Contains(' ', StringComparison.Ordinal), r));
    }

    [GeneratedRegex(@"^[a-z0-9.]+(-[a-z0-9.]+)+$")]
    private static partial Regex KebabCase();
}
