using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>Short ways from a text to what the linter makes of it.</summary>
internal static class Lint
{
    public static FoundSource Source(string text, string name = "app.yaml") => new(new SourceText(name, text), IsNamed: true);

    public static LintResult Text(string text, LintSettings? settings = null) => Sources(settings, Source(text));

    /// <summary>A rule that throws is told as a problem; here it fails the test.</summary>
    public static LintResult Sources(LintSettings? settings, params FoundSource[] sources)
    {
        var result = Linter.Lint(sources, settings ?? LintSettings.Default);
        Assert.DoesNotContain(result.Problems, p => p.Message.Contains("the rule failed", StringComparison.Ordinal));
        return result;
    }

    /// <summary>Every scalar of a text by its way: <c>Ingress shop/chat|metadata|annotations|key</c>.</summary>
    public static SortedDictionary<string, string> Flatten(string text, string name = "app.yaml")
    {
        var (documents, problems) = ManifestReader.Read([Source(text, name)]);
        Assert.DoesNotContain(problems, p => p.IsFault);
        var flat = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var document in documents)
        {
            var root = document.Root;
            Flatten($"{root["kind"]!.Text} {root.At("metadata", "namespace")?.Text}/{root.At("metadata", "name")!.Text}", root, flat);
        }

        return flat;
    }

    private static void Flatten(string way, Node node, SortedDictionary<string, string> flat)
    {
        foreach (var entry in node.Entries)
            Flatten(way + "|" + entry.Key.Text, entry.Value, flat);
        for (var i = 0; i < node.Items.Count; i++)
            Flatten(way + "|" + i, node.Items[i], flat);
        // What an empty collection or a null is must not get lost.
        if (node.Entries.Count == 0 && node.Items.Count == 0)
            flat[way] = node.Kind == NodeKind.Scalar ? node.Text : node.Kind.ToString();
    }
}
