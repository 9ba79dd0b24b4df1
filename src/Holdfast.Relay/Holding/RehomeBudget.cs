namespace Holdfast.Relay.Holding;

/// <summary>Spaces the re-homes of each backend evenly, so that those of one lost endpoint do not arrive at one moment. One loop's thread.</summary>
internal sealed class RehomeBudget
{
    private readonly Dictionary<int, double> _next = [];

    /// <summary>When the next re-home of the backend may begin; the time is taken. Milliseconds.</summary>
    public long Take(int backendId, double ratePerSecond, long now)
    {
        var at = Math.Max(_next.GetValueOrDefault(backendId), now);
        _next[backendId] = at + (1000 / ratePerSecond);
        return (long)at;
    }
}
