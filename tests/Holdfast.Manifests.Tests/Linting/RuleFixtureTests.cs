using System.Text.RegularExpressions;
using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>
/// Every rule has a folder in Fixtures with pairs: <c>bad*.yaml</c>, which it must find, and <c>near-miss*.yaml</c>, which differs only in the
/// deciding field and must leave it silent. A comment <c># HF-N02</c> marks the line of a finding, <c># HF-N02 warning</c> its severity too. A file
/// <c>settings.yaml</c> is the linter's configuration for all pairs of the folder.
/// </summary>
public partial class RuleFixtureTests
{
    private static readonly string Fixtures = Path.Combine(Repository.Root, "tests", "Holdfast.Manifests.Tests", "Fixtures");

    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var rule in RuleCatalog.All)
        {
            foreach (var file in Files(rule.Id, "bad*.yaml"))
                pairs.Add(rule.Id, Path.GetFileNameWithoutExtension(file)["bad".Length..]);
        }

        return pairs;
    }

    [Fact]
    public void Every_rule_has_fixtures_and_every_fixture_a_rule()
    {
        Assert.All(RuleCatalog.All, rule => Assert.True(Files(rule.Id, "bad.yaml").Length == 1, $"{rule.Id} needs tests/Holdfast.Manifests.Tests/Fixtures/{rule.Id}/bad.yaml and near-miss.yaml"));
        var folders = Directory.GetDirectories(Fixtures).Select(f => Path.GetFileName(f)!).Where(f => f.StartsWith("HF-", StringComparison.Ordinal));
        Assert.Empty(folders.Except(RuleCatalog.All.Select(r => r.Id), StringComparer.Ordinal));
        Assert.All(RuleCatalog.All, rule => Assert.Equal(
            Files(rule.Id, "bad*.yaml").Select(f => Path.GetFileName(f).Replace("bad", "near-miss", StringComparison.Ordinal)),
            Files(rule.Id, "near-miss*.yaml").Select(f => Path.GetFileName(f))));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void It_finds_what_is_marked_and_nothing_else(string id, string variant)
    {
        var text = Read(id, "bad" + variant);
        var expected = Marks(text, id);
        Assert.NotEmpty(expected);
        var found = Lint.Text(text, Settings(id)).Findings.Where(f => f.Rule.Id == id).ToList();
        Assert.Equal(expected.Select(m => m.Line), found.Select(f => f.At.Line));
        var severities = expected.Select((m, i) => m.Severity ?? Names.Of(RuleCatalog.Find(id)!.Severity));
        Assert.Equal(severities, found.Select(f => Names.Of(f.Severity)));
        Assert.All(found, f => Assert.True(f.Because is not null || f.Rule.Id.StartsWith("HF-X", StringComparison.Ordinal), $"{f.Message}: says not why it is about WebSockets"));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void It_is_silent_about_the_near_miss(string id, string variant)
    {
        var (bad, near) = (Lint.Text(Read(id, "bad" + variant), Settings(id)), Lint.Text(Read(id, "near-miss" + variant), Settings(id)));
        Assert.DoesNotContain(near.Findings, f => f.Rule.Id == id);
        Assert.DoesNotContain(near.Suppressed, f => f.Rule.Id == id);
        // Silence because nothing is a WebSocket any more would prove nothing.
        Assert.Equal(Recognised(bad), Recognised(near));
        Assert.NotEmpty(Recognised(near));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void It_is_silent_about_what_has_nothing_to_do_with_WebSockets(string id, string variant)
    {
        var text = Read(id, "bad" + variant);
        var graph = Lint.Text(text, Settings(id)).Context.Graph;
        var denied = graph.Services.Select(s => s.Object).Concat(graph.Workloads.Select(w => w.Object)).Select(o => $"{o.Namespace}/{o.Name}");
        Assert.DoesNotContain(Lint.Text(text, Settings(id) with { NotWebSocket = [.. denied] }).Findings, f => f.Rule.Id == id);
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void The_near_miss_differs_in_one_field(string id, string variant)
    {
        var (bad, near) = (Lint.Flatten(Read(id, "bad" + variant)), Lint.Flatten(Read(id, "near-miss" + variant)));
        var different = bad.Keys.Union(near.Keys).Where(k => bad.GetValueOrDefault(k) != near.GetValueOrDefault(k)).Select(k => k.Split('|')).ToList();
        Assert.NotEmpty(different);
        var shared = different.Aggregate((a, b) => [.. a.TakeWhile((part, i) => i < b.Length && b[i] == part)]);
        var isWholeObject = shared.Length > 0 && (bad.Keys.All(k => !k.StartsWith(shared[0] + "|", StringComparison.Ordinal)) || near.Keys.All(k => !k.StartsWith(shared[0] + "|", StringComparison.Ordinal)));
        Assert.True(isWholeObject || shared.Length >= 2, "these differ:\n" + string.Join('\n', different.Select(d => string.Join('|', d))));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void What_has_a_patch_is_gone_after_it_and_nothing_else_changed(string id, string variant)
    {
        var text = Read(id, "bad" + variant);
        var rule = RuleCatalog.Find(id)!;
        var settings = Settings(id);
        var patched = Lint.Text(text, settings).Findings.Where(f => f.Rule == rule && f.Patch is not null).ToList();
        if (!rule.HasPatch)
        {
            Assert.Empty(patched);
            return;
        }

        foreach (var finding in patched)
        {
            var after = Fixer.Apply(finding.At.Source, finding.Patch!.Edits).Text;
            Assert.DoesNotContain(Lint.Text(after, settings).Findings, f => f.Rule == rule && f.Object == finding.Object && f.Message == finding.Message);
            var (before, now) = (Lint.Flatten(text), Lint.Flatten(after));
            // A patch sets or removes one field.
            Assert.Single(before.Keys.Union(now.Keys), k => before.GetValueOrDefault(k) != now.GetValueOrDefault(k));
            Assert.Equal(Comments().Matches(text).Select(m => m.Value.Trim()), Comments().Matches(after).Select(m => m.Value.Trim()));
        }
    }

    [Fact]
    public void Every_rule_that_promises_a_patch_makes_one() => Assert.All(RuleCatalog.All.Where(r => r.HasPatch), rule =>
        Assert.Contains(Files(rule.Id, "bad*.yaml").SelectMany(f => Lint.Text(File.ReadAllText(f), Settings(rule.Id)).Findings), f => f.Rule == rule && f.Patch is not null));

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Fixing_comes_to_rest(string id, string variant)
    {
        var first = Fixer.Fix([Lint.Source(Read(id, "bad" + variant))], Settings(id));
        Assert.DoesNotContain(first.After.Findings, f => f.Patch is not null);
        var second = Fixer.Fix(first.Sources, Settings(id));
        Assert.Empty(second.Changed);
        Assert.Empty(second.Fixed);
    }

    private static List<(int Line, string? Severity)> Marks(string text, string id) =>
    [
        .. text.Split('\n').Select((line, i) => (Match: Mark().Match(line), Line: i + 1)).Where(m => m.Match.Success && m.Match.Groups["id"].Value == id)
            .Select(m => (m.Line, m.Match.Groups["severity"] is { Success: true, Value: var severity } ? severity : null)),
    ];

    private static IEnumerable<string> Recognised(LintResult result) =>
        result.Context.WebSocketWorkloads.Select(w => w.ToString()).Concat(result.Context.WebSocketServices.Select(s => s.ToString()))
            .Concat(result.Context.ExposedObjects.Select(e => e.Object.ToString())).Distinct().Order(StringComparer.Ordinal);

    private static LintSettings Settings(string id)
    {
        var path = Path.Combine(Fixtures, id, "settings.yaml");
        if (!File.Exists(path))
            return LintSettings.Default;
        var (settings, faults) = SettingsReader.Read(File.ReadAllText(path), path);
        Assert.Empty(faults);
        return settings;
    }

    private static string Read(string id, string name) => File.ReadAllText(Path.Combine(Fixtures, id, name + ".yaml"));

    private static string[] Files(string id, string pattern) =>
        Directory.Exists(Path.Combine(Fixtures, id)) ? [.. Directory.GetFiles(Path.Combine(Fixtures, id), pattern).Order(StringComparer.Ordinal)] : [];

    [GeneratedRegex(@"# (?<id>HF-\w+)(?: (?<severity>error|warning|advice))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Mark();

    // Those on lines of their own: the ones behind a removed value may go with it.
    [GeneratedRegex(@"^ *#.*$", RegexOptions.Multiline)]
    private static partial Regex Comments();
}
