using System.Globalization;

namespace Holdfast.Cli.Admin;

/// <summary>Values as people read them.</summary>
internal static class Shown
{
    /// <summary>Text from elsewhere, without the control characters that would move a terminal's cursor.</summary>
    public static string Text(string? text) => text is null ? "-" : new string([.. text.Select(c => char.IsControl(c) ? ' ' : c)]);

    public static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 1 } => Invariant($"{time.TotalMilliseconds:0} ms"),
        { TotalMinutes: < 1 } => Invariant($"{time.TotalSeconds:0.0} s"),
        { TotalHours: < 1 } => Invariant($"{(int)time.TotalMinutes} min {time.Seconds} s"),
        { TotalDays: < 2 } => Invariant($"{(int)time.TotalHours} h {time.Minutes} min"),
        _ => Invariant($"{(int)time.TotalDays} d {time.Hours} h"),
    };

    /// <summary>Why, and how long it takes yet. Empty: no drain.</summary>
    public static string Drain(DrainAnswer? drain) => drain is null ? ""
        : string.Join(", ", (drain.Causes ?? []).Select(Text)) + (drain switch
        {
            { StartsInMs: > 0 } => $": closes begin in {Duration(TimeSpan.FromMilliseconds(drain.StartsInMs))}",
            { EndsInMs: > 0 } => $": closes end in {Duration(TimeSpan.FromMilliseconds(drain.EndsInMs))}",
            _ => ": done",
        });

    public static string Bytes(long bytes) => Invariant($"{bytes / 1048576.0:0.0} MiB");

    public static string Count(long count, string what) => Invariant($"{count:#,0} {what}{(count == 1 ? "" : "s")}");

    /// <summary>Per second: a tenth counts while there are few.</summary>
    public static string Rate(double value) => value < 0.05 ? "0" : Invariant($"{value:#,0.#}");

    /// <summary>Rows with their columns below each other. Numbers to the right.</summary>
    public static IEnumerable<string> Columns(IReadOnlyList<string> headings, IReadOnlyList<int> numbers, IEnumerable<IReadOnlyList<string>> rows)
    {
        List<IReadOnlyList<string>> all = [headings, .. rows];
        var widths = headings.Select((_, i) => all.Max(r => r[i].Length)).ToList();
        return all.Select(row => string.Join("  ", row.Select((cell, i) => numbers.Contains(i) ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]))).TrimEnd());
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
