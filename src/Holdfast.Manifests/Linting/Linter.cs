using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting;

/// <summary>What one look at a set of texts gave.</summary>
/// <param name="Findings">To be told, in the order of the texts and lines.</param>
/// <param name="Suppressed">Found, and not to be told.</param>
/// <param name="Problems">What was not looked at.</param>
internal sealed record LintResult(LintContext Context, IReadOnlyList<Finding> Findings, IReadOnlyList<Finding> Suppressed, IReadOnlyList<ReadProblem> Problems)
{
    public int ObjectCount => Context.Graph.All.Count;
}

/// <summary>Reads, resolves, and asks every rule. Never throws for what a text holds.</summary>
internal static class Linter
{
    public static LintResult Lint(IReadOnlyList<FoundSource> sources, LintSettings settings)
    {
        var (documents, problems) = ManifestReader.Read(sources);
        var graph = new ManifestGraph(documents, settings);
        var context = new LintContext(graph, settings);
        var suppressions = new Suppressions(settings);
        var failures = new List<ReadProblem>();
        var all = RuleCatalog.All.SelectMany(rule => Ask(rule, context, suppressions, failures))
            .DistinctBy(f => (f.Rule, f.At, f.Object, f.Message)).ToList();

        var order = sources.Select((s, i) => (s.Text, i)).ToDictionary(s => s.Text, s => s.i);
        all = [.. all.OrderBy(f => order[f.At.Source]).ThenBy(f => f.At.Line).ThenByDescending(f => f.Severity).ThenBy(f => f.Rule.Id, StringComparer.Ordinal)];
        return new LintResult(
            context,
            [.. all.Where(f => f.Suppressed is null)],
            [.. all.Where(f => f.Suppressed is not null)],
            [.. problems, .. failures, .. Suppressions.Unknown(graph.All)]);
    }

    private static IEnumerable<Finding> Ask(Rule rule, LintContext context, Suppressions suppressions, List<ReadProblem> failures)
    {
        List<Detection> detections;
        try
        {
            detections = [.. rule.Check(context)];
        }
        catch (Exception e)
        {
            // A fault of the rule, not of the manifests: the other rules' findings are worth having.
            failures.Add(new ReadProblem(rule.Id, 0, 0, $"the rule failed and found nothing: {e.GetType().Name}: {e.Message}", IsFault: true));
            return [];
        }

        return detections.Select(d => new Finding
        {
            Rule = rule,
            Severity = d.Severity ?? rule.Severity,
            At = d.At,
            Object = d.Object.ToString(),
            Template = d.Object.Template,
            Message = d.Message,
            Fix = d.Fix ?? rule.Fix,
            Because = Say(d.Because),
            Patch = d.Patch,
            Suppressed = suppressions.Find(rule, d.Object),
        });
    }

    /// <summary>One reason is enough, and the signs come with the declared ones first.</summary>
    private static string? Say(IReadOnlyList<Sign> signs) => signs.Count == 0 ? null : (signs[0].IsDeclared ? "" : "likely, ") + signs[0].Text;
}
