using System.Text.Json.Serialization;
using Holdfast.Cli.Load;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Reporting;

/// <summary>What one system showed with one protocol: a row of the scoreboard, and an element of <c>--json</c>, so names are kept. Times in milliseconds.</summary>
internal sealed record SystemResult
{
    public required string System { get; init; }

    public required string Protocol { get; init; }

    public required string Mode { get; init; }

    /// <summary>The application's own close was the first news.</summary>
    public required bool Late { get; init; }

    public required int Connections { get; init; }

    public required int Rolls { get; init; }

    public required int Replicas { get; init; }

    public required double DrainMs { get; init; }

    /// <summary>Connections that ended without the client's doing, however often.</summary>
    public long Disconnects { get; init; }

    /// <summary>Attempts to come back that were refused.</summary>
    public long Refused { get; init; }

    /// <summary>Messages of clients that no replica has read, and feed messages where none may be missing; without those of the hard kill.</summary>
    public long Lost { get; init; }

    /// <summary>Of the hard kill.</summary>
    public long LostAtKill { get; init; }

    /// <summary>As the gateway calls them; null: it was not told.</summary>
    public long? Unknown { get; init; }

    /// <summary>Messages of clients that were read twice, answers that came twice, and feed messages where none may.</summary>
    public long Duplicated { get; init; }

    public long Reordered { get; init; }

    /// <summary>Answers to messages that were read which did not come; a part of no other count.</summary>
    public long AnswersLost { get; init; }

    /// <summary>The protocol's errors in place of answers.</summary>
    public long Errors { get; init; }

    /// <summary>Feed messages that did not come, promised or not.</summary>
    public long FeedMissed { get; init; }

    /// <summary>Feed messages that came twice, promised or not.</summary>
    public long FeedRepeated { get; init; }

    public long Sent { get; init; }

    /// <summary>Due, but never sent, for want of a connection.</summary>
    public long NotSent { get; init; }

    /// <summary>As the replicas' journals show them.</summary>
    public long Rehomes { get; init; }

    public double StallP50Ms { get; init; }

    public double StallP99Ms { get; init; }

    public double StallMaxMs { get; init; }

    /// <summary>Of the first message after each re-home.</summary>
    public double RehomeStallP99Ms { get; init; }

    /// <summary>How late feed messages came.</summary>
    public double FeedStallP99Ms { get; init; }

    public required PlantedReport Planted { get; init; }

    /// <summary>Promises that were broken; always empty for those who make none.</summary>
    public IReadOnlyList<BrokenReport> Broken { get; init; } = [];

    /// <summary>Why the run shows nothing.</summary>
    public IReadOnlyList<string> Invalid { get; init; } = [];

    /// <summary>Why there was no run, or not to its end.</summary>
    public string? Failed { get; init; }

    /// <summary>The run is a result, and every promise was kept.</summary>
    [JsonIgnore]
    public bool IsGood => Failed is null && Invalid.Count == 0 && Broken.Count == 0 && Planted.Exact;
}

/// <summary>Faults made on purpose, and those found among them.</summary>
internal sealed record PlantedReport(int Planted, int Found, bool Exact, IReadOnlyList<string> Missed, IReadOnlyList<string> Unplanted)
{
    public static PlantedReport None { get; } = new(0, 0, false, [], []);

    public static PlantedReport From(PlantedResult result) => new(
        result.Planted.Count, result.Found.Count, result.IsExact, [.. result.Missed.Select(Text)], [.. result.Unplanted.Select(Text)]);

    private static string Text(FaultPlace place) => FormattableString.Invariant($"{place.Kind} {place.Flow} connection {place.Connection} message {place.Sequence}");
}

internal sealed record BrokenReport(string Promise, int Times, string Example);

/// <summary>What <c>--json</c> prints.</summary>
internal sealed record RehearseReport(IReadOnlyList<SystemResult> Results);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(RehearseReport))]
internal sealed partial class RehearseJson : JsonSerializerContext;

/// <summary>Milliseconds of a histogram of microseconds.</summary>
internal static class HistogramText
{
    public static double Ms(this LatencyHistogram histogram, double percentile) => Math.Round(histogram.Percentile(percentile) / 1000.0, 1);
}
