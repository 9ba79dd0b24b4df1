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
        TestContext.Current.TestOutputHelper!.WriteLine($"HTTP/1: {CaseCatalog.All.Count}");
        Assert.True(CaseCatalog.All.Count >= 1000, $"{CaseCatalog.All.Count}");
    }
}
