using System.Globalization;
using System.Text;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Rules;

namespace Holdfast.Manifests.Linting.Output;

/// <summary>
/// For people: each finding with its place, what is wrong, the fix, and, the first time a rule speaks, why it matters. Then what was taken for a
/// WebSocket workload, since that decides everything else.
/// </summary>
internal sealed class TextOutput(bool color)
{
    private const int Width = 120;

    /// <summary>Of the ways shown per workload; more say nothing else.</summary>
    private const int MaxPaths = 8;

    private readonly StringBuilder _text = new();

    public string Write(LintResult result)
    {
        WriteProblems(result);
        var explained = new HashSet<Rule>();
        foreach (var finding in result.Findings)
            WriteFinding(finding, explained.Add(finding.Rule));
        WriteWorkloads(result.Context);
        WriteSummary(result);
        return _text.ToString();
    }

    public string WriteFixed(FixResult result)
    {
        foreach (var finding in result.Fixed)
            _text.Append($"{PlaceOf(finding)} {Paint("fixed", Green)} {finding.Rule.Id}: {Clean(finding.Patch!.Title)}\n");
        if (result.Fixed.Count > 0)
            _text.Append('\n');
        return Write(result.After);
    }

    /// <summary>Breaks at spaces; a word longer than a line stays whole, since it is a path or a value to copy.</summary>
    public static void Wrap(StringBuilder text, string sentence, string indent)
    {
        var column = 0;
        foreach (var word in sentence.Split(' '))
        {
            if (column > 0 && column + 1 + word.Length > Width)
            {
                text.Append('\n');
                column = 0;
            }

            text.Append(column == 0 ? indent : " ").Append(word);
            column += (column == 0 ? indent.Length : 1) + word.Length;
        }

        text.Append('\n');
    }

    private const string Red = "31";
    private const string Green = "32";
    private const string Yellow = "33";
    private const string Cyan = "36";
    private const string Bold = "1";
    private const string Faint = "2";

    private void WriteProblems(LintResult result)
    {
        foreach (var problem in result.Problems)
        {
            var place = problem.Line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{problem.File}:{problem.Line}:{problem.Column}") : problem.File;
            _text.Append($"{Clean(place)}: {(problem.IsFault ? Paint("not read", Red) : Paint("note", Faint))}: {Clean(problem.Message)}\n");
        }

        if (result.Problems.Count > 0)
            _text.Append('\n');
    }

    private void WriteFinding(Finding finding, bool isFirst)
    {
        var severity = Paint(Names.Of(finding.Severity), finding.Severity switch { Severity.Error => Red, Severity.Warning => Yellow, _ => Cyan });
        _text.Append($"{Paint(PlaceOf(finding), Bold)} {severity} {finding.Rule.Id} {finding.Rule.Name}\n");
        Wrap(_text, $"{Clean(finding.Object)}: {Clean(finding.Message)}", "    ");
        if (isFirst)
            Wrap(_text, "Why: " + finding.Rule.Why, "    ");
        Wrap(_text, "Fix: " + Clean(finding.Fix) + (finding.Patch is { } patch && patch.Edits.All(e => e.Source.IsFile) ? " (--fix does it)" : ""), "    ");
        if (finding.Because is { } because)
            Wrap(_text, "WebSocket: " + Clean(because), "    ");
        _text.Append('\n');
    }

    private void WriteWorkloads(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            var sign = workload.Signs[0];
            _text.Append($"{Paint(Clean(workload.ToString()), Bold)} {(sign.IsDeclared ? "uses" : "likely uses")} WebSockets: {Clean(sign.Text)}\n");
            var paths = context.Paths.Where(p => p.Workload == workload).Select(p => WayOf(p, workload)).Distinct(StringComparer.Ordinal).ToList();
            foreach (var path in paths.Take(MaxPaths))
                _text.Append("    ").Append(Clean(path)).Append('\n');
            if (paths.Count > MaxPaths)
                _text.Append(CultureInfo.InvariantCulture, $"    and {paths.Count - MaxPaths} more ways\n");
            if (context.Paths.Where(p => p.Workload == workload && p.Shortest is not null).MinBy(p => p.Shortest!.Idle)?.Shortest is { } shortest)
                _text.Append($"    shortest idle time-out: {Durations.Say(shortest.Idle!.Value)}, {shortest.Name} ({shortest.Setting}); {workload.Ping.Say()}\n");
            var budget = context.BudgetOf(workload);
            _text.Append($"    time to end: {Durations.Say(budget.Grace)} given, {Durations.Say(budget.Required)} needed ({budget.Say()}{SourceOf(budget)})\n\n");
        }
    }

    private static string SourceOf(RolloutBudget budget) => budget.DrainSource switch
    {
        DrainSource.Declared => "",
        DrainSource.Computed => "; drain from connections and handshakes per second",
        _ => "; drain assumed",
    };

    /// <summary><c>chat.example.com/ws: AWS NLB (350 s) -> ingress-nginx (60 s) -> Service shop/chat -> Deployment shop/chat</c>.</summary>
    private static string WayOf(ConnectionPath path, Workload workload)
    {
        var parts = path.Hops.Select(h => h.Name + (h.Idle is { } idle ? $" ({Durations.Say(idle)} idle)" : h.Lifetime is { } life ? $" ({Durations.Say(life)} at most)" : "")).ToList();
        if (path.Entry is { } entry && path.Hops.All(h => h.Name != Graph.Entries.EntryNames.Of(entry.Kind)))
            parts.Add(entry.Say());
        parts.Add(path.Service.ToString());
        parts.Add(workload.ToString());
        return (path.Route is { } route ? route.Address + ": " : "") + string.Join(" -> ", parts);
    }

    private void WriteSummary(LintResult result)
    {
        var counts = string.Join(", ", Count(result, Severity.Error, "error"), Count(result, Severity.Warning, "warning"), Number(result.Findings.Count(f => f.Severity == Severity.Advice), "piece", " of advice"));
        _text.Append($"{counts}; {Number(result.ObjectCount, "object")} read, {Number(result.Context.WebSocketWorkloads.Count, "WebSocket workload")}");
        _text.Append(result.Suppressed.Count > 0 ? $"; {Number(result.Suppressed.Count, "finding")} suppressed\n" : "\n");
        if (result.Context.WebSocketWorkloads.Count == 0 && result.Context.ExposedObjects.Count == 0 && result.ObjectCount > 0)
        {
            Wrap(
                _text,
                "Nothing here looks like a user of WebSockets, so nothing was judged. If something is: name it with --websocket NAMESPACE/NAME, give its Service port appProtocol: kubernetes.io/ws, "
                + $"or annotate it with {Graph.Signs.Sign.Annotation}: \"true\".",
                "");
        }

        var patches = result.Findings.Count(f => f.Patch is { } patch && patch.Edits.All(e => e.Source.IsFile));
        if (patches > 0)
            _text.Append($"{Number(patches, "finding")} can be fixed with --fix.\n");
    }

    private static string Count(LintResult result, Severity severity, string what) => Number(result.Findings.Count(f => f.Severity == severity), what);

    private static string Number(int count, string what, string rest = "") => count.ToString(CultureInfo.InvariantCulture) + " " + what + (count == 1 ? "" : "s") + rest;

    private static string PlaceOf(Finding finding)
    {
        var place = string.Create(CultureInfo.InvariantCulture, $"{finding.At.Source.Name}:{finding.At.Line}:{finding.At.Column}");
        return Clean(finding.Template is { } template && !finding.At.Source.IsFile ? $"{place} ({template})" : place);
    }

    /// <summary>Names and values come from the manifests: no line breaks, no terminal escapes.</summary>
    private static string Clean(string text) => Printable.Text(text, 2000);

    private string Paint(string text, string code) => color ? $"\u001b[{code}m{text}\u001b[0m" : text;
}
