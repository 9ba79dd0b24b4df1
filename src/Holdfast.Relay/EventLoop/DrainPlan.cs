using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.EventLoop;

/// <summary>When the connections of an endpoint, or all of a loop, are closed, and with what. Times are the loop's milliseconds.</summary>
/// <param name="Start">Nothing is closed before.</param>
/// <param name="Duration">The closes are spread evenly over this, each with jitter inside its place; 0: all at once.</param>
/// <param name="Code">What clients are told.</param>
public sealed record DrainPlan(long Start, int Duration, CloseCode Code)
{
    /// <summary>Whether connections that are let in while it runs are closed with the others. Those let in after its end stay.</summary>
    public bool ClosesLater { get; init; }

    /// <summary>When a pair is closed.</summary>
    /// <param name="rank">From 0; beyond <paramref name="count"/> it may be closed at any time of the plan.</param>
    /// <param name="count">How many pairs share the plan.</param>
    /// <param name="jitter">From 0 to below 1.</param>
    internal long TimeOf(int rank, int count, double jitter)
    {
        var share = rank < count ? (rank + jitter) / count : jitter;
        return Start + (long)(Duration * share);
    }
}
