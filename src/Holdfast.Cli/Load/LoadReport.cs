using System.Text.Json.Serialization;

namespace Holdfast.Cli.Load;

/// <summary>What a run found; its JSON is what <c>--json</c> prints, so names are kept. Times in milliseconds, rates per second.</summary>
internal sealed record LoadReport
{
    public required string Url { get; init; }

    public required string Check { get; init; }

    /// <summary>Connections asked for.</summary>
    public required int Connections { get; init; }

    public required long Connected { get; init; }

    /// <summary>Handshakes that failed, by reason.</summary>
    public required IReadOnlyDictionary<string, long> Failed { get; init; }

    /// <summary>Ended by a signal, before its time.</summary>
    public required bool Interrupted { get; init; }

    /// <summary>From the start of the schedule to the last due time.</summary>
    public required double Seconds { get; init; }

    public required long Sent { get; init; }

    public required long Received { get; init; }

    public required double OfferedRate { get; init; }

    public required double AchievedRate { get; init; }

    public required long Lost { get; init; }

    /// <summary>Of <see cref="Lost"/>: unanswered when their connection was disconnected.</summary>
    public required long LostWithConnection { get; init; }

    public required long Duplicated { get; init; }

    public required long Reordered { get; init; }

    public required long Corrupted { get; init; }

    public required long Disconnects { get; init; }

    public required IReadOnlyDictionary<string, long> CloseCodes { get; init; }

    /// <summary>Due but never sent, because the server did not read.</summary>
    public required long NotSent { get; init; }

    /// <summary>False when one connection missed so many messages that duplicates and reorders could not all be told apart.</summary>
    public required bool Exact { get; init; }

    /// <summary>From the due time to the answer; null for the sequence check.</summary>
    public LoadLatency? LatencyMs { get; init; }

    /// <summary>The longest time without a message on a connection; null for the echo check.</summary>
    public double? LongestSilenceMs { get; init; }

    public required LoadLag Schedule { get; init; }

    [JsonIgnore]
    public long FailedCount => Failed.Values.Sum();

    [JsonIgnore]
    public bool IsClean => Lost + Duplicated + Reordered + Corrupted + Disconnects + NotSent + FailedCount == 0;
}

internal sealed record LoadLatency(double P50, double P90, double P99, double P999, double Max, double Mean)
{
    public static LoadLatency From(LatencyHistogram h) =>
        new(h.Percentile(50) / 1000.0, h.Percentile(90) / 1000.0, h.Percentile(99) / 1000.0, h.Percentile(99.9) / 1000.0,
            h.Max / 1000.0, Math.Round(h.Mean) / 1000);
}

/// <summary>How late this program sent what the server was ready to take.</summary>
/// <param name="Kept">At most 2 ms late for 99 in 100 messages.</param>
internal sealed record LoadLag(bool Kept, double P99LagMs, double MaxLagMs)
{
    public static LoadLag From(LatencyHistogram lag)
    {
        var p99 = lag.Percentile(99) / 1000.0;
        return new LoadLag(p99 <= 2, p99, lag.Max / 1000.0);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LoadReport))]
internal sealed partial class LoadJson : JsonSerializerContext;
