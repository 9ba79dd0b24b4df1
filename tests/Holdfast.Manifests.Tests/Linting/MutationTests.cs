using System.Text;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;
using Holdfast.Tests;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>Whatever happens to a manifest, linting and fixing answer, and a fix touches nothing else. Seeds are in the messages.</summary>
public class MutationTests
{
    private const int Rounds = 1_000;

    private static readonly string[] Fragments =
    [
        "\n", "\t", "  ", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: *a\n", "!!str ", "|\n", ">+\n", "'", "\"", "\\", " # c", "---\n", "...\n", "? ", "~", "null", "0", "-1", "1h", "99999999999999999999",
        "1e9", "\0", "\r", "\u0085", "\uFEFF", "\uD800", "é", "😀", "{{ .Values.x }}", "*", "true", "holdfast.dev/websocket: \"true\"\n", ",", "/", "kubernetes.io/ws",
    ];

    /// <summary>Structure stays valid; meaning does not.</summary>
    private static readonly string[] Values = ["", "~", "[]", "{}", "[1, {a: b}]", "{a: b}", "-5", "\"\"", "true", "99999999999999999999", "'*'", "|-\n  x\n", "&z zz", "3600s"];

    private static readonly string[] Manifests =
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Holdfast.Manifests.Tests", "Fixtures"), "*.yaml", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(File.ReadAllText)];

    [Fact]
    public void No_mutation_of_the_text_crashes_anything()
    {
        var read = 0;
        for (var seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            read += Survives(MutateText(Manifests[random.Next(Manifests.Length)], random), seed);
        }

        // Were none or all of them read, the mutator would test nothing.
        Assert.InRange(read, Rounds / 10, Rounds * 95 / 100);
    }

    [Fact]
    public void No_mutation_of_a_value_crashes_anything()
    {
        var read = 0;
        for (var seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            read += Survives(MutateValue(Manifests[random.Next(Manifests.Length)], random), seed);
        }

        Assert.InRange(read, Rounds / 2, Rounds);
    }

    [Fact]
    public void A_text_cut_anywhere_is_read_or_refused()
    {
        foreach (var text in Manifests.Where((_, i) => i % 7 == 0))
        {
            for (var length = 0; length < text.Length; length += 13)
                Survives(text[..length], length);
        }
    }

    [Fact]
    public void A_fix_changes_what_it_says_and_comes_to_rest()
    {
        var fixes = 0;
        for (var seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var text = MutateValue(Manifests[random.Next(Manifests.Length)], random);
            var source = Lint.Source(text);
            if (ManifestReader.Read([source]).Problems.Any(p => p.IsFault))
                continue;
            var result = Fixer.Fix([source], LintSettings.Default);
            fixes += result.Fixed.Count;
            var after = result.Sources[0].Text.Text;
            if (result.Fixed.Count == 0)
            {
                Assert.Equal(text, after);
                continue;
            }

            Assert.True(Fixer.Fix(result.Sources, LintSettings.Default).Changed.Count == 0, $"seed {seed}: a second run changes more\n{text}\n=====\n{after}");
            // Applied one by one on the untouched text: one field each.
            foreach (var finding in Lint.Text(text).Findings.Where(f => f.Patch is not null))
            {
                var (before, now) = (Lint.Flatten(text), Lint.Flatten(Fixer.Apply(finding.At.Source, finding.Patch!.Edits).Text));
                var changed = before.Keys.Union(now.Keys).Where(k => before.GetValueOrDefault(k) != now.GetValueOrDefault(k)).ToList();
                Assert.True(changed.Count is 1 or 2, $"seed {seed}: {finding.Patch.Title} changed {string.Join(", ", changed)}\n{text}");
            }
        }

        Assert.True(fixes > Rounds / 10);
    }

    private static int Survives(string text, int seed)
    {
        try
        {
            var source = Lint.Source(text);
            var result = Lint.Sources(null, source);
            _ = new TextOutput(color: false).Write(result);
            _ = JsonOutput.Write(result);
            SarifShape.Verify(SarifOutput.Write(result, "1"));
            Assert.All(result.Findings, f => Assert.InRange(f.At.Line, 1, text.AsSpan().Count('\n') + text.AsSpan().Count('\r') + 1));
            foreach (var changed in Fixer.Fix([source], LintSettings.Default).Changed)
                Assert.Equal(ManifestReader.Read([source]).Problems.Count(p => p.IsFault), ManifestReader.Read([Lint.Source(changed.Text)]).Problems.Count(p => p.IsFault));
            return result.Problems.Any(p => p.IsFault) ? 0 : 1;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Seed {seed}: {e.Message}\n{text}", e);
        }
    }

    private static string MutateText(string text, Random random)
    {
        var result = new StringBuilder(text);
        for (var n = random.Next(1, 5); n > 0; n--)
        {
            var at = random.Next(result.Length + 1);
            switch (random.Next(4))
            {
                case 0:
                    result.Remove(at, Math.Min(random.Next(1, 20), result.Length - at));
                    break;
                case 1:
                    var from = random.Next(text.Length);
                    result.Insert(at, text.AsSpan(from, Math.Min(random.Next(1, 200), text.Length - from)));
                    break;
                default:
                    result.Insert(at, Fragments[random.Next(Fragments.Length)]);
                    break;
            }
        }

        return result.ToString();
    }

    private static string MutateValue(string text, Random random)
    {
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var (documents, _) = ManifestReader.Read([Lint.Source(text)]);
            if (documents.Count == 0)
                return text;
            var node = documents[random.Next(documents.Count)].Root;
            NodeEntry? entry = null;
            while (node.Entries.Count + node.Items.Count > 0 && (entry is null || random.Next(4) > 0))
            {
                entry = node.Entries.Count > 0 ? node.Entries[random.Next(node.Entries.Count)] : entry;
                node = node.Entries.Count > 0 ? entry!.Value.Value : node.Items[random.Next(node.Items.Count)];
            }

            if (entry is not { IsMerged: false } chosen || chosen.End < chosen.Key.End)
                continue;
            var value = random.Next(5) == 0 ? "" : Values[random.Next(Values.Length)];
            text = random.Next(4) == 0
                ? text.Remove(chosen.Key.Start, chosen.End - chosen.Key.Start).Insert(chosen.Key.Start, "x: " + value)
                : text.Remove(chosen.Key.End, chosen.End - chosen.Key.End).Insert(chosen.Key.End, ": " + value);
        }

        return text;
    }
}
