using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Tests;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>
/// The three formats on one small application, with the findings of family N alone: a rule of another family does not change these snapshots.
/// <c>UPDATE_SNAPSHOTS=1</c> writes them anew.
/// </summary>
public class OutputTests
{
    private static readonly string[] Folder = ["tests", "Holdfast.Manifests.Tests", "Fixtures", "output"];

    [Fact]
    public void Text_is_as_agreed() => Snapshot.Verify(new TextOutput(color: false).Write(Report()), [.. Folder, "shop.txt"]);

    [Fact]
    public void Colour_changes_nothing_but_colour()
    {
        var colored = new TextOutput(color: true).Write(Report());
        Assert.Contains("\u001b[31merror\u001b[0m", colored, StringComparison.Ordinal);
        Assert.Equal(new TextOutput(color: false).Write(Report()), System.Text.RegularExpressions.Regex.Replace(colored, "\u001b\\[\\d+m", ""));
    }

    [Fact]
    public void Json_is_as_agreed()
    {
        var json = JsonOutput.Write(Report());
        Snapshot.Verify(json, [.. Folder, "shop.json"]);
    }

    [Fact]
    public void Json_has_the_keys_of_the_contract()
    {
        var findings = JsonNode.Parse(JsonOutput.Write(Report()))!["findings"]!.AsArray();
        Assert.NotEmpty(findings);
        Assert.All(findings, f => Assert.All((string[])["id", "severity", "file", "object", "message", "fix"], key => Assert.NotEqual("", f![key]!.GetValue<string>())));
        Assert.All(findings, f => Assert.True(f!["line"]!.GetValue<int>() > 0));
        Assert.All(findings, f => Assert.Contains(f!["severity"]!.GetValue<string>(), (string[])["error", "warning", "advice"]));
    }

    [Fact]
    public void Sarif_is_as_agreed()
    {
        var sarif = JsonNode.Parse(SarifOutput.Write(Report(), "1.2.3"))!;
        // The list of rules grows with every family; the test below looks at it.
        sarif["runs"]![0]!["tool"]!["driver"]!.AsObject().Remove("rules");
        Assert.All(sarif["runs"]![0]!["results"]!.AsArray(), r => r!.AsObject().Remove("ruleIndex"));
        Snapshot.Verify(sarif.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n", [.. Folder, "shop.sarif"]);
    }

    [Fact]
    public void Sarif_describes_every_rule_and_results_point_at_theirs()
    {
        var run = JsonNode.Parse(SarifOutput.Write(Report(), "1.2.3"))!["runs"]![0]!;
        var rules = run["tool"]!["driver"]!["rules"]!.AsArray();
        Assert.Equal(RuleCatalog.All.Select(r => r.Id), rules.Select(r => r!["id"]!.GetValue<string>()));
        Assert.All(run["results"]!.AsArray(), r => Assert.Equal(r!["ruleId"]!.GetValue<string>(), rules[r["ruleIndex"]!.GetValue<int>()]!["id"]!.GetValue<string>()));
    }

    [Fact]
    public void Sarif_has_the_shape_of_the_standard() => SarifShape.Verify(SarifOutput.Write(Report(), "1.2.3"));

    [Theory]
    [InlineData("\"version\": \"2.1.0\"", "\"version\": \"2.0.0\"")]
    [InlineData("\"ruleId\"", "\"rule_id\"")]
    [InlineData("\"level\": \"error\"", "\"level\": \"fatal\"")]
    [InlineData("\"startLine\": 7,", "\"startLine\": \"7\",")]
    [InlineData("\"startLine\": 7,", "\"startLine\": 0,")]
    [InlineData("\"executionSuccessful\": true,", "")]
    [InlineData("\"kind\": \"inSource\"", "\"kind\": \"source\"")]
    public void The_shape_is_strict(string good, string bad)
    {
        var sarif = SarifOutput.Write(Report(), "1.2.3");
        Assert.Contains(good, sarif, StringComparison.Ordinal);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => SarifShape.Verify(sarif.Replace(good, bad, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_fixes_in_Sarif_do_what_the_patches_do()
    {
        var report = Report();
        var results = JsonNode.Parse(SarifOutput.Write(report, "1.2.3"))!["runs"]![0]!["results"]!.AsArray();
        var patched = report.Findings.Where(f => f.Patch is not null).ToList();
        Assert.NotEmpty(patched);
        Assert.Equal(patched.Select(f => f.Patch!.Edits[0].NewText), results.Where(r => r!["fixes"] is not null && r["suppressions"] is null)
            .Select(r => r!["fixes"]![0]!["artifactChanges"]![0]!["replacements"]![0]!["insertedContent"]!["text"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("k8s/my app/a#b.yaml", "k8s/my%20app/a%23b.yaml")]
    [InlineData("/srv/a b.yaml", "file:///srv/a%20b.yaml")]
    [InlineData("a:b.yaml", "a%3Ab.yaml")]
    public void Files_are_named_as_URIs(string file, string uri)
    {
        var sarif = JsonNode.Parse(SarifOutput.Write(Lint.Sources(null, Lint.Source(Text(), file)), "1"))!;
        Assert.Equal(uri, sarif["runs"]![0]!["results"]![0]!["locations"]![0]!["physicalLocation"]!["artifactLocation"]!["uri"]!.GetValue<string>());
    }

    [Fact]
    public void Of_piped_charts_the_template_is_named()
    {
        var source = new FoundSource(new SourceText("stdin", "# Source: chat/templates/in.yaml\n" + Text(), isFile: false), IsNamed: true);
        var result = Lint.Sources(null, source);
        var sarif = SarifOutput.Write(result, "1");
        SarifShape.Verify(sarif);
        var location = JsonNode.Parse(sarif)!["runs"]![0]!["results"]![0]!["locations"]![0]!["physicalLocation"]!;
        Assert.Equal(("chat/templates/in.yaml", true), (location["artifactLocation"]!["uri"]!.GetValue<string>(), location["region"] is null));
        Assert.DoesNotContain("--fix", new TextOutput(color: false).Write(result), StringComparison.Ordinal);
        Assert.Contains("stdin:8:3 (chat/templates/in.yaml)", new TextOutput(color: false).Write(result), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_from_manifests_cannot_play_with_the_terminal()
    {
        var text = Text().Replace("name: chat\n  namespace", "name: \"a\\e[31m\\nb\"\n  namespace", StringComparison.Ordinal);
        var report = new TextOutput(color: false).Write(Lint.Text(text));
        Assert.Contains("a?[31m?b", report, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', report);
    }

    [Fact]
    public void Nothing_recognised_is_said_with_what_to_do() =>
        Assert.Contains("--websocket", new TextOutput(color: false).Write(Lint.Text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")), StringComparison.Ordinal);

    private static string Text() => Repository.Read([.. Folder, "shop.yaml"]);

    private static LintResult Report()
    {
        var result = Lint.Sources(null, Lint.Source(Text(), "k8s/shop.yaml"));
        return result with { Findings = [.. result.Findings.Where(IsOurs)], Suppressed = [.. result.Suppressed.Where(IsOurs)] };

        static bool IsOurs(Finding finding) => finding.Rule.Id.StartsWith("HF-N", StringComparison.Ordinal);
    }
}
