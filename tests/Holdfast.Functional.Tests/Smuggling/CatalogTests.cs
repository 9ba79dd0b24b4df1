using System.Globalization;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>The cases themselves: how many, and that what each expects is what the suite's own reader makes of its bytes.</summary>
public sealed class CatalogTests
{
    [Fact]
    public void Each_case_expects_what_an_independent_strict_reader_makes_of_its_bytes()
    {
        var wrong = CaseCatalog.All
            .Select(c => (Case: c, Judged: Oracle.Judge(c.Text + Parts.Canary)))
            .Where(c => !c.Case.Steps.SequenceEqual(c.Judged))
            .Select(c => $"{c.Case}\n  {Parts.Shown(c.Case.Text)}\n  expects {string.Join("; ", c.Case.Steps)}\n  judged  {string.Join("; ", c.Judged)}")
            .ToList();
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {CaseCatalog.All.Count}:\n{string.Join('\n', wrong.Take(30))}");
    }

    [Fact]
    public void There_are_as_many_as_the_page_says()
    {
        foreach (var family in CaseCatalog.All.GroupBy(c => c.Family))
            TestContext.Current.TestOutputHelper!.WriteLine($"{family.Key}: {family.Count()}");
        var page = Repository.Read("docs", "http.md");
        string[] stated =
        [
            string.Create(CultureInfo.InvariantCulture, $"{CaseCatalog.All.Count:N0} requests over HTTP/1 "), string.Create(CultureInfo.InvariantCulture, $"{Http2Catalog.All.Count:N0} over HTTP/2"),
            string.Create(CultureInfo.InvariantCulture, $"{ResponseCatalog.All.Count:N0} ways for an endpoint"),
        ];
        Assert.All(stated, s => Assert.Contains(s, page, StringComparison.Ordinal));
        Assert.True(CaseCatalog.All.Count >= 1000, $"{CaseCatalog.All.Count}");
    }
}
