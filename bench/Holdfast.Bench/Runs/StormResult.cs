using System.Globalization;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Crowds;

namespace Holdfast.Bench.Runs;

/// <summary>One storm, and what is to be said against it.</summary>
internal sealed record StormResult(string System, StormVariant Variant, IReadOnlyList<StormHandshake> Storm, Phase Quiet, Phase Stormy)
{
    private const double MostSlower = 2, MostBytes = 16_384;
    private const int DescriptorSlack = 8;

    public required DeskCounts Backend { get; init; }

    public required Look Before { get; init; }

    public required Look Peak { get; init; }

    /// <summary>After the storm's clients have gone.</summary>
    public required Look After { get; init; }

    /// <summary>Bytes, of half a second's samples while the storm was on.</summary>
    public required long MostResident { get; init; }

    /// <summary>Clients that waited when <see cref="Peak"/> was taken.</summary>
    public required int WaitingAtPeak { get; init; }

    /// <summary>Of the storm's connections, after their 101.</summary>
    public required int LostAfter { get; init; }

    public required bool IsClean { get; init; }

    public required long LiveMessages { get; init; }

    public int Served => Storm.Count(h => h.Outcome == "101");

    public Fairness Fairness { get; } = Fairness.Of(Storm, StormVariant.BackendLine);

    public double Slower => Stormy.P99 / Quiet.P99;

    public double BytesPerWaiting => WaitingAtPeak == 0 ? 0 : Math.Round((double)(Peak.PrivateDirty - Before.PrivateDirty) / WaitingAtPeak);

    /// <summary>Seconds from the first dial to the last request, and to the last answer.</summary>
    public double Arrival => (Storm.Max(h => h.SentAt) - Storm.Min(h => h.DialedAt)) / 1e6;

    public double Whole => (Storm.Max(h => h.DecidedAt) - Storm.Min(h => h.DialedAt)) / 1e6;

    public string Others => string.Join(", ", Storm.Where(h => h.Outcome != "101").GroupBy(h => h.Outcome, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}"));

    /// <summary>Seconds that those who were served waited for the 101, from the dial.</summary>
    public double Wait(double percentile, bool first) =>
        Percentile([.. Storm.Where(h => h.Outcome == "101" && (h.Address == 0) == first).Select(h => (h.DecidedAt - h.DialedAt) / 1e6).Order()], percentile);

    public IEnumerable<string> Faults()
    {
        if (Served != Storm.Count)
            yield return $"{Storm.Count - Served} of {Storm.Count} were not served: {Others}";
        if (Backend.Overrun > 0)
            yield return $"the backend was overrun {Backend.Overrun} times";
        if (LostAfter > 0)
            yield return $"{LostAfter} lost their connection after the 101";
        if (!IsClean)
            yield return "live messages or connections were lost";
        if (Slower > MostSlower)
            yield return FormattableString.Invariant($"live p99 {Slower:0.00} x quiet");
        if (Fairness.Breaches > 0)
            yield return FormattableString.Invariant($"an address had more than twice another's share ({Fairness.Breaches} times, at worst {Fairness.WorstRatio:0.0} x)");
        if (Whole > Variant.Ideal.TotalSeconds * 1.25)
            yield return FormattableString.Invariant($"it took {Whole:0.0} s instead of {Variant.Ideal.TotalSeconds:0.0}");
        if (Storm.Any(h => h.Address > 0) && Variant.Name == "abuser" && Wait(100, first: false) > (Variant.IdealForOthers.TotalSeconds * 1.25) + 0.5)
            yield return FormattableString.Invariant($"one beside the abuser waited {Wait(100, first: false):0.0} s");
        if (BytesPerWaiting > MostBytes)
            yield return $"{BytesPerWaiting} bytes for each that waits";
        if (After.Descriptors > Before.Descriptors + DescriptorSlack || After.Connections != Before.Connections)
            yield return $"after the storm {After.Descriptors - Before.Descriptors} more descriptors and {After.Connections - Before.Connections} more connections than before";
    }

    public override string ToString()
    {
        var culture = CultureInfo.InvariantCulture;
        string PhaseText(Phase p) => string.Create(culture, $"p50 {p.P50:0.000}, p99 {p.P99:0.000}, p99.9 {p.P999:0.00}, worst {p.Max:0.0} ms (load late p99 {p.LagP99:0.000}, worst {p.LagMax:0.0}); ")
            + string.Create(culture, $"core {p.ProxyBusy:P1}, others {p.OthersBusy:P1}, steal {p.Steal:P2}, longest turn {p.LongestTurn} ms, {p.Seconds:0.0} s");
        return string.Create(culture, $"{System}, {Variant.Name}: {Served} of {Storm.Count} served; arrived in {Arrival:0.00} s, all decided in {Whole:0.00} s; {Others}\n")
            + $"  quiet: {PhaseText(Quiet)}\n  storm: {PhaseText(Stormy)}\n"
            + string.Create(culture, $"  slower {Slower:0.00}; {Fairness}\n  waits s: first address {Wait(50, true):0.0}, {Wait(100, true):0.0}; others {Wait(50, false):0.0}, {Wait(100, false):0.0}; {Backend}\n")
            + string.Create(culture, $"  RSS {Before.ResidentMb}, {Peak.ResidentMb} (most {MostResident / 1e6:0.0}), {After.ResidentMb}; dirty {Before.PrivateDirtyMb}, {Peak.PrivateDirtyMb}, {After.PrivateDirtyMb}; ")
            + string.Create(culture, $"heap {Before.ManagedHeapMb}, {Peak.ManagedHeapMb}, {After.ManagedHeapMb} MB; {WaitingAtPeak} waited (queue {Peak.Queue}): {BytesPerWaiting} bytes each; ")
            + $"fds {Before.Descriptors}, {Peak.Descriptors}, {After.Descriptors}; {LiveMessages} live messages, {(IsClean ? "clean" : "FAULTS")}; faults: {string.Join("; ", Faults())}";
    }

    private static double Percentile(double[] sorted, double percentile) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(percentile / 100 * sorted.Length))];
}
