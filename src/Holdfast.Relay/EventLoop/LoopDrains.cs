using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.EventLoop;

/// <summary>The drains in force on one loop: by endpoint, and of the loop as a whole. Its thread only.</summary>
internal sealed class LoopDrains
{
    /// <summary>What is left of handshakes that began before their endpoint's drain, and come after its end, is closed within this many milliseconds.</summary>
    private const int Stragglers = 1000;

    private readonly Dictionary<int, Entry> _byEndpoint = [];
    private Entry? _all;

    /// <summary>Of pairs that are closed by a drain: when this gateway leaves, that is the cause.</summary>
    public EndReason Reason => _all is null ? EndReason.Drained : EndReason.Shutdown;

    /// <summary>Puts a plan in force; the one it replaces is no longer <see cref="IsCurrent"/>.</summary>
    /// <param name="endpointId">Null: for every pair.</param>
    public void Begin(int? endpointId, DrainPlan plan, long now)
    {
        var entry = new Entry(plan, now);
        if (endpointId is { } id)
            _byEndpoint[id] = entry;
        else
            _all = entry;
    }

    public void Cancel(int endpointId) => _byEndpoint.Remove(endpointId);

    public bool IsCurrent(int? endpointId, DrainPlan plan) =>
        ReferenceEquals((endpointId is { } id ? _byEndpoint.GetValueOrDefault(id) : _all)?.Plan, plan);

    /// <summary>Sets when a pair is closed. A loop that leaves closes no pair later than its endpoint's drain would have.</summary>
    public void Schedule(ref Pair pair, DrainPlan plan, int rank, int count, double jitter)
    {
        var at = plan.TimeOf(rank, count, jitter);
        if (_all is not null && pair.DrainAt != 0 && pair.DrainAt <= at)
            return;
        pair.DrainAt = at;
        pair.DrainCode = (ushort)plan.Code;
    }

    /// <summary>
    /// A handshake may end after its endpoint's drain has begun. Begun before, its pair is closed in what is left of the plan; begun
    /// after, it was let in because no other endpoint is ready, and stays, unless the plan says otherwise.
    /// </summary>
    public void OnEstablished(ref Pair pair, long now, LoopRandom random)
    {
        if (_all is { } all)
            Admit(ref pair, all, now, random);
        if (_byEndpoint.Count > 0 && _byEndpoint.TryGetValue(pair.Settings.EndpointId, out var entry))
            Admit(ref pair, entry, now, random);
    }

    /// <summary>Another endpoint took a pair over: the drain of the one that it left concerns it no longer; one that has begun there meanwhile does.</summary>
    public void OnMoved(ref Pair pair, long now, LoopRandom random)
    {
        if (_all is not null)
            return;
        pair.DrainAt = 0;
        if (_byEndpoint.Count > 0 && _byEndpoint.TryGetValue(pair.Settings.EndpointId, out var entry))
            Admit(ref pair, entry, now, random);
    }

    private void Admit(ref Pair pair, Entry entry, long now, LoopRandom random)
    {
        var plan = entry.Plan;
        if (pair.AcceptedAt > entry.BegunAt && (!plan.ClosesLater || now >= plan.Start + plan.Duration))
            return;
        var start = Math.Max(now, plan.Start);
        var left = plan.Start + plan.Duration - start;
        Schedule(ref pair, plan with { Start = start, Duration = (int)(left > 0 ? left : Stragglers) }, 0, 1, random.NextDouble());
    }

    private sealed record Entry(DrainPlan Plan, long BegunAt);
}
