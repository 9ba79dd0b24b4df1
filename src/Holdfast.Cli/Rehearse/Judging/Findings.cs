using Holdfast.Cli.Load;

namespace Holdfast.Cli.Rehearse.Judging;

internal enum FaultKind
{
    Lost,
    Duplicated,

    /// <summary>Came after one with a greater number (RFC 4737).</summary>
    Reordered,

    /// <summary>Fits nothing that was sent.</summary>
    Strange,
}

internal enum Flow
{
    /// <summary>Messages of the client, by the replicas' journals.</summary>
    ToServer,

    /// <summary>Answers to messages that a replica has read.</summary>
    Answers,

    /// <summary>The feed.</summary>
    Feed,
}

/// <summary>One fault of one message.</summary>
/// <param name="Sequence">Of the client's message, or of the feed.</param>
/// <param name="At">When it was sent, due or came.</param>
/// <param name="Replicas">Process ids of those that had to do with it.</param>
internal sealed record Finding(FaultKind Kind, Flow Flow, int Connection, long Sequence, long At, IReadOnlyList<int> Replicas)
{
    /// <summary>What a planted fault is compared by.</summary>
    public FaultPlace Place => new(Kind, Flow, Connection, Sequence);
}

/// <summary>A fault, and where it is.</summary>
internal readonly record struct FaultPlace(FaultKind Kind, Flow Flow, int Connection, long Sequence) : IComparable<FaultPlace>
{
    public int CompareTo(FaultPlace other) =>
        (Connection, Flow, Sequence, Kind).CompareTo((other.Connection, other.Flow, other.Sequence, other.Kind));

    public static bool operator <(FaultPlace left, FaultPlace right) => left.CompareTo(right) < 0;

    public static bool operator >(FaultPlace left, FaultPlace right) => left.CompareTo(right) > 0;

    public static bool operator <=(FaultPlace left, FaultPlace right) => left.CompareTo(right) <= 0;

    public static bool operator >=(FaultPlace left, FaultPlace right) => left.CompareTo(right) >= 0;
}

/// <summary>Two messages of a connection, one after the other, that two processes have read.</summary>
/// <param name="Sequence">Of the second.</param>
/// <param name="At">When the second was read.</param>
internal readonly record struct Rehome(int Connection, long Sequence, long At, int From, int To);

/// <summary>What the judge found. Nothing is weighed here: see <see cref="Promises"/>.</summary>
internal sealed class Verdict
{
    public List<Finding> Findings { get; } = [];

    public List<Rehome> Rehomes { get; } = [];

    /// <summary>From the due time to the answer, less the application's own time; in microseconds.</summary>
    public LatencyHistogram Stall { get; } = new();

    /// <summary>Of these, the first after each re-home.</summary>
    public LatencyHistogram RehomeStall { get; } = new();

    /// <summary>How late feed messages came.</summary>
    public LatencyHistogram FeedStall { get; } = new();

    /// <summary>Messages written by the clients.</summary>
    public long Sent { get; set; }

    /// <summary>Answers that were the protocol's error.</summary>
    public List<Finding> Errors { get; } = [];

    public int Count(FaultKind kind, Flow flow) => Findings.Count(f => f.Kind == kind && f.Flow == flow);
}
