using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>The last 256 ends, for the admin API. Thread-safe; a reader holds the lock for one record at a time, so a loop never waits for a list.</summary>
internal sealed class RecentEnds(TimeProvider time) : IConnectionTelemetry
{
    public const int Capacity = 256;

    private readonly Lock _gate = new();
    private readonly RecentEnd[] _ends = new RecentEnd[Capacity];
    private long _total;

    public void OnHandshakeEnded(in HandshakeRecord record)
    {
    }

    public void OnRehomed(in RehomeEnd end, BackendState backend)
    {
    }

    public void OnPairEnded(in PairEnd end, BackendState backend, EndpointState endpoint)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            ref var slot = ref _ends[_total++ % Capacity];
            slot.Time = now;
            slot.Backend = backend;
            slot.Endpoint = endpoint;
            slot.End = end;
        }
    }

    /// <summary>The newest first, at most <paramref name="limit"/>.</summary>
    public List<RecentEnd> Newest(int limit)
    {
        long total;
        lock (_gate)
            total = _total;
        var ends = new List<RecentEnd>((int)Math.Min(Math.Min(limit, Capacity), total));
        for (var number = total - 1; number >= 0 && ends.Count < limit; number--)
        {
            lock (_gate)
            {
                // Overwritten while we read.
                if (number < _total - Capacity)
                    break;
                ends.Add(_ends[number % Capacity]);
            }
        }

        return ends;
    }
}

/// <summary>One end, with the names it belongs to.</summary>
internal struct RecentEnd
{
    public DateTimeOffset Time;
    public BackendState Backend;
    public EndpointState Endpoint;
    public PairEnd End;
}
