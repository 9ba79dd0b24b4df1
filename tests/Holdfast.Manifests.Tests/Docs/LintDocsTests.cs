using System.Text.RegularExpressions;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Cli.Commands;
using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Docs;

public partial class LintDocsTests
{
    /// <summary>UPDATE_SNAPSHOTS=1 writes the page.</summary>
    [Fact]
    public void The_reference_is_what_the_rules_say() => Snapshot.Verify(RuleText.Reference(), "docs", "reference", "lint-rules.md");

    [Fact]
    public void The_configuration_table_lists_what_the_reader_takes()
    {
        var rows = Row().Matches(Repository.Read("docs", "lint.md")).Select(m => (m.Groups[1].Value, m.Groups[2].Value, m.Groups[3].Value.Trim('`')));
        Assert.Equal(Keys(SettingsReader.Document).Select(k => (k.Path, k.Key.Type, k.Key.Default)), rows);
    }

    [Fact]
    public void The_configuration_shown_is_read()
    {
        var example = Example().Match(Repository.Read("docs", "lint.md"));
        Assert.True(example.Success);
        Assert.Empty(SettingsReader.Read(example.Groups[1].Value, "lint.md").Faults);
    }

    /// <summary>UPDATE_SNAPSHOTS=1 writes it into the page.</summary>
    [Fact]
    public void The_first_run_shown_is_what_the_command_prints()
    {
        const string Article = "docs/guides/nginx-headers/article.yaml";
        var shown = CodeBlock.Only(Lint, "text");
        using var printed = new StringWriter();
        var source = new FoundSource(new SourceText(Article, Repository.Read(Article)), IsNamed: true);
        printed.Write(new TextOutput(color: false).Write(Linter.Lint([source], LintSettings.Default)));
        Assert.Contains($"```\n./holdfast lint {Article}\n```", Repository.Read(Lint), StringComparison.Ordinal);
        Snapshot.Verify(Repository.Read(Lint).Replace(shown.Text, printed.ToString(), StringComparison.Ordinal), "docs", "lint.md");
    }

    [Theory]
    [InlineData("# .github/workflows/")]
    [InlineData("# .pre-commit-config.yaml")]
    public void Commands_in_the_settings_of_other_tools_are_understood(string start)
    {
        var block = CodeBlock.Read(Lint).Single(b => b.Text.StartsWith(start, StringComparison.Ordinal));
        var root = ReadYaml(block.Text);
        var commands = root.At("jobs", "lint", "steps")?.Items.Select(s => s["run"]?.Text).OfType<string>().Select(c => c.Split('>')[0])
            ?? root["repos"]!.Items.SelectMany(r => r["hooks"]!.Items).Select(h => ".holdfast/" + Hook(h["id"]!.Text)["entry"]!.Text + " " + string.Join(' ', h["args"]!.Items.Select(a => a.Text)));
        Assert.All(commands.ToList(), c =>
        {
            var words = c.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal([".holdfast/holdfast", "lint"], words[..2]);
            Assert.Empty(LintCommand.Create().Parse(words[2..]).Errors);
        });
        Assert.NotEmpty(commands);
    }

    [Fact]
    public void The_hook_runs_what_is_there()
    {
        var hook = Hook("holdfast-lint");
        var words = (hook["entry"]!.Text + " " + string.Join(' ', hook["args"]!.Items.Select(a => a.Text))).Split(' ');
        Assert.True(File.Exists(Path.Combine(Repository.Root, words[0])));
        Assert.Equal("lint", words[1]);
        Assert.Empty(LintCommand.Create().Parse(words[2..]).Errors);
        // Of files alone the linter would not see what they belong to.
        Assert.False(hook["pass_filenames"]!.AsBoolean);
    }

    private const string Lint = "docs/lint.md";

    private static Node Hook(string id) => ReadYaml("hooks:\n" + Repository.Read(".pre-commit-hooks.yaml"))["hooks"]!.Items.Single(h => h["id"]!.Text == id);

    /// <summary>The reader takes Kubernetes objects only.</summary>
    private static Node ReadYaml(string text)
    {
        var (documents, problems) = ManifestReader.Read([new FoundSource(new SourceText("a.yaml", "apiVersion: x\nkind: x\nmetadata: {name: x}\n" + text), IsNamed: true)]);
        Assert.Empty(problems);
        return Assert.Single(documents).Root;
    }

    private static IEnumerable<(string Path, SchemaKey Key)> Keys(SchemaSection section)
    {
        foreach (var key in section.Keys)
        {
            yield return (section.PathOf(key.Name), key);
            foreach (var inner in key.Section is null ? [] : Keys(key.Section))
                yield return inner;
        }
    }

    [GeneratedRegex(@"^\| `([^`]+)` \| ([^|]+?) \| ([^|]*?) ?\| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"```yaml\n# \.holdfast-lint\.yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
