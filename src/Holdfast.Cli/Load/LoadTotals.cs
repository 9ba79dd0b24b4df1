namespace Holdfast.Cli.Load;

/// <summary>Sums over the threads of a run, after their end.</summary>
internal sealed class LoadTotals
{
    public long Opened { get; private set; }

    public long Sent { get; private set; }

    public long Received { get; private set; }

    public long Lost { get; set; }

    /// <summary>Of <see cref="Lost"/>: on connections that were disconnected.</summary>
    public long LostWithConnection { get; set; }

    /// <summary>Due on an open connection, but never sent because the server did not read.</summary>
    public long NotSent { get; set; }

    public long Duplicated { get; private set; }

    public long Reordered { get; private set; }

    public long Corrupted { get; private set; }

    public long Disconnects { get; private set; }

    public bool Inexact { get; set; }

    public long LongestSilence { get; private set; }

    public long SentUntil { get; private set; }

    public LatencyHistogram Latency { get; } = new();

    public LatencyHistogram Lag { get; } = new();

    public SortedDictionary<string, long> Failures { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, long> CloseCodes { get; } = new(StringComparer.Ordinal);

    public void Add(LoadLane lane)
    {
        Opened += lane.Opened;
        Sent += lane.Sent;
        Received += lane.Received;
        Duplicated += lane.Duplicated;
        Reordered += lane.Reordered;
        Corrupted += lane.Corrupted;
        Disconnects += lane.Disconnects;
        LongestSilence = Math.Max(LongestSilence, lane.LongestSilence);
        SentUntil = Math.Max(SentUntil, lane.SentUntil);
        Latency.Add(lane.Latency);
        Lag.Add(lane.Lag);
        foreach (var (why, count) in lane.Failures)
            Failures[why] = Failures.GetValueOrDefault(why) + count;
        foreach (var (code, count) in lane.CloseCodes)
            CloseCodes[code.ToString(System.Globalization.CultureInfo.InvariantCulture)] = count
                + CloseCodes.GetValueOrDefault(code.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}
