namespace Holdfast.Cli.Admin;

/// <summary>Numbers as a row of bars.</summary>
internal static class Sparkline
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    /// <summary>As many characters as wanted, the last value at the right. The highest bar is the largest value; nothing is the lowest.</summary>
    public static string Of(IReadOnlyList<double> values, int width)
    {
        var shown = values.TakeLast(width).ToList();
        var most = shown.DefaultIfEmpty().Max();
        return new string(Bars[0], width - shown.Count) + string.Concat(shown.Select(v => v <= 0 ? Bars[0] : Bars[Math.Max(1, (int)Math.Round(v / most * (Bars.Length - 1)))]));
    }
}
