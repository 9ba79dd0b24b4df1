using System.Globalization;

namespace Holdfast.Cli.Rehearse.Reporting;

/// <summary>The results as a table for people, and what is wrong with them below it.</summary>
internal static class Scoreboard
{
    private static readonly (string Title, Func<SystemResult, string> Value)[] Columns =
    [
        ("system", r => r.System),
        ("protocol", r => r.Protocol),
        ("connections", r => Number(r.Connections)),
        ("rolls", r => Number(r.Rolls)),
        ("disconnects", r => Number(r.Disconnects)),
        ("lost", r => Number(r.Lost)),
        ("duplicated", r => Number(r.Duplicated)),
        ("reordered", r => Number(r.Reordered)),
        ("lost at kill", r => Number(r.LostAtKill)),
        ("unknown", r => r.Unknown is { } unknown ? Number(unknown) : "-"),
        ("answers lost", r => Number(r.AnswersLost)),
        ("re-homes", r => Number(r.Rehomes)),
        ("stall p50/p99/worst ms", r => string.Create(CultureInfo.InvariantCulture, $"{r.StallP50Ms:0}/{r.StallP99Ms:0}/{r.StallMaxMs:0}")),
        ("planted", r => string.Create(CultureInfo.InvariantCulture, $"{r.Planted.Found} of {r.Planted.Planted}")),
    ];

    public static IEnumerable<string> Lines(IReadOnlyList<SystemResult> results)
    {
        var rows = results.Select(r => Columns.Select((c, i) => r.Failed is null || i < 2 ? c.Value(r) : "failed").ToArray()).Prepend([.. Columns.Select(c => c.Title)]).ToList();
        var widths = Columns.Select((_, i) => rows.Max(r => r[i].Length)).ToArray();
        foreach (var row in rows)
            yield return string.Join("  ", row.Select((cell, i) => i < 2 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd();
        foreach (var fault in results.SelectMany(Faults))
            yield return fault;
    }

    /// <summary>Each a line: why a result is none, or not a good one.</summary>
    private static IEnumerable<string> Faults(SystemResult result)
    {
        var who = $"{result.System}, {result.Protocol}: ";
        if (result.Failed is { } failed)
            yield return who + "failed: " + failed;
        foreach (var doubt in result.Invalid)
            yield return who + "no valid run: " + doubt;
        if (result is { Failed: null, Planted.Exact: false })
        {
            yield return who + "no valid run: the planted faults were not found exactly"
                + string.Concat(result.Planted.Missed.Take(5).Select(p => "; missed: " + p)) + string.Concat(result.Planted.Unplanted.Take(5).Select(p => "; not planted: " + p));
        }

        foreach (var broken in result.Broken)
            yield return string.Create(CultureInfo.InvariantCulture, $"{who}broken promise: {broken.Promise} ({broken.Times} times; such as {broken.Example})");
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
