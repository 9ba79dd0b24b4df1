using System.Text.RegularExpressions;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Settings;
using Holdfast.Tests;
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
