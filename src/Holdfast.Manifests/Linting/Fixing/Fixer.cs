using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting.Fixing;

/// <summary>What fixing came to.</summary>
/// <param name="Sources">All texts as they are afterwards.</param>
/// <param name="Fixed">What the applied patches were for, in the order of application.</param>
/// <param name="Changed">The texts that differ.</param>
internal sealed record FixResult(IReadOnlyList<FoundSource> Sources, LintResult After, IReadOnlyList<Finding> Fixed, IReadOnlyList<SourceText> Changed);

/// <summary>
/// Applies patches and looks again until none is left: a patch may need the place that another has just made. Only in memory; writing is the
/// caller's.
/// </summary>
internal static class Fixer
{
    /// <summary>Each round applies at least one patch; in one object there are a handful.</summary>
    private const int MaxRounds = 100;

    public static FixResult Fix(IReadOnlyList<FoundSource> sources, LintSettings settings)
    {
        var originals = sources;
        var applied = new List<Finding>();
        var result = Linter.Lint(sources, settings);
        // A patch that leaves its finding standing is not tried again.
        var tried = new HashSet<(string Rule, string Object, string Message)>();
        for (var round = 0; round < MaxRounds; round++)
        {
            var edits = new List<TextEdit>();
            foreach (var finding in result.Findings)
            {
                if (finding.Patch is not { } patch || patch.Edits.Any(e => !e.Source.IsFile || edits.Exists(o => Touches(e, o))) || !tried.Add((finding.Rule.Id, finding.Object, finding.Message)))
                    continue;
                edits.AddRange(patch.Edits);
                applied.Add(finding);
            }

            if (edits.Count == 0)
                break;
            var bySource = edits.ToLookup(e => e.Source);
            sources = [.. sources.Select(s => bySource.Contains(s.Text) ? s with { Text = Apply(s.Text, bySource[s.Text]) } : s)];
            result = Linter.Lint(sources, settings);
        }

        return new FixResult(sources, result, applied, [.. sources.Select(s => s.Text).Where((t, i) => t.Text != originals[i].Text.Text)]);
    }

    internal static SourceText Apply(SourceText source, IEnumerable<TextEdit> edits)
    {
        var text = source.Text;
        foreach (var edit in edits.OrderByDescending(e => e.Start))
            text = string.Concat(text.AsSpan(0, edit.Start), edit.NewText, text.AsSpan(edit.End));
        return source.With(text);
    }

    /// <summary>Also when they only meet: two insertions at one place may each bring the same mapping.</summary>
    private static bool Touches(TextEdit a, TextEdit b) => ReferenceEquals(a.Source, b.Source) && a.Start <= b.End && b.Start <= a.End;
}
