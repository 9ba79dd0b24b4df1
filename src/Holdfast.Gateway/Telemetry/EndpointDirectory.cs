using Holdfast.Api.Configuration;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// Which backend every endpoint belongs or belonged to, and what it has done: a counter must not fall when an endpoint leaves the
/// configuration. Endpoints become known by a handshake on a loop, or when numbers are gathered.
/// </summary>
internal sealed class EndpointDirectory(GatewayRuntime runtime)
{
    private readonly Lock _register = new();
    private readonly Lock _gather = new();
    private readonly Dictionary<(int BackendId, EndpointAddress Address), EndpointSeries> _seriesByKey = [];
    private readonly List<EndpointSeries> _series = [];
    private volatile Entry?[] _byId = [];
    private int _gatherings;

    /// <summary>A connection was established; any thread. Waits only when the endpoint is seen for the first time.</summary>
    public void CountOpened(BackendState backend, EndpointState endpoint) => Interlocked.Increment(ref EntryOf(backend, endpoint).Opened);

    /// <summary>A re-home ended; any thread. As <see cref="CountOpened"/>.</summary>
    public void CountRehome(in RehomeEnd end, BackendState backend)
    {
        if (end.Outcome is RehomeOutcome.Completed or RehomeOutcome.CutShort)
            Interlocked.Increment(ref EntryOf(backend, runtime.EndpointOf(end.FromEndpointId)).Rehomed);
    }

    /// <summary>A connection ended at its endpoint; any thread. As <see cref="CountOpened"/>.</summary>
    public void CountEnd(BackendState backend, EndpointState endpoint, EndReason reason)
    {
        var entry = EntryOf(backend, endpoint);
        Interlocked.Increment(ref reason == EndReason.Drained ? ref entry.Drained : ref entry.Ended);
    }

    /// <summary>How connections have left an endpoint; any thread.</summary>
    public EndpointLeavers LeaversOf(int endpointId)
    {
        var entries = _byId;
        return endpointId < entries.Length && entries[endpointId] is { } entry
            ? new EndpointLeavers(Volatile.Read(ref entry.Rehomed), Volatile.Read(ref entry.Drained), Volatile.Read(ref entry.Ended))
            : default;
    }

    /// <summary>Connections that another endpoint took over from one of the backend's, those that left included.</summary>
    public long RehomedOf(BackendState backend)
    {
        long sum = 0;
        foreach (var entry in _byId)
        {
            if (entry?.Backend == backend)
                sum += Volatile.Read(ref entry.Rehomed);
        }

        return sum;
    }

    /// <summary>Connections ever established to an endpoint.</summary>
    public long OpenedTotal(int endpointId)
    {
        var entries = _byId;
        return endpointId < entries.Length && entries[endpointId] is { } entry ? Volatile.Read(ref entry.Opened) : 0;
    }

    /// <summary>What all loops have relayed for an endpoint; any thread.</summary>
    public EndpointTraffic TrafficOf(int endpointId)
    {
        EndpointTraffic sum = default;
        var loops = runtime.Loops;
        for (var i = 0; i < loops.Count; i++)
        {
            var traffic = loops[i].Traffic;
            if (endpointId >= traffic.Length)
                continue;
            ref var of = ref traffic[endpointId];
            sum.MessagesToEndpoint += Volatile.Read(ref of.MessagesToEndpoint);
            sum.MessagesToClient += Volatile.Read(ref of.MessagesToClient);
            sum.BytesToEndpoint += Volatile.Read(ref of.BytesToEndpoint);
            sum.BytesToClient += Volatile.Read(ref of.BytesToClient);
        }

        return sum;
    }

    /// <summary>Connections relayed now: those reserved but for the handshakes under way.</summary>
    public static int Relayed(EndpointState endpoint) => Math.Max(0, endpoint.Connections - endpoint.Handshakes);

    /// <summary>
    /// Visits every (backend, address) that is configured, leaving, or still has connections, in the order they became known. An address that left and
    /// came back is one visit: its connections are added up, its state is the newer one's.
    /// </summary>
    public void VisitEndpoints(Action<EndpointSeries> visit)
    {
        lock (_gather)
        {
            _gatherings++;
            foreach (var backend in runtime.KnownBackends)
            {
                See(backend, backend.Leaving);
                See(backend, backend.Endpoints);
            }

            foreach (var series in _series)
                series.Connections = 0;
            foreach (var entry in _byId)
            {
                if (entry is not null)
                    SeriesOf(entry).Connections += Relayed(entry.Endpoint);
            }

            foreach (var series in _series)
            {
                if (series.Seen == _gatherings || series.Connections > 0)
                    visit(series);
            }
        }
    }

    /// <summary>Visits every backend that is configured or was connected to, with the sums over all endpoints it ever had.</summary>
    public void VisitBackends(Action<BackendTotals> visit)
    {
        lock (_gather)
        {
            var sums = new SortedDictionary<int, BackendTotals>();
            foreach (var backend in runtime.Backends)
            {
                sums[backend.Id] = new BackendTotals(backend);
                foreach (var endpoint in backend.Endpoints)
                    _ = EntryOf(backend, endpoint);
            }

            foreach (var entry in _byId)
            {
                if (entry is null)
                    continue;
                if (!sums.TryGetValue(entry.Backend.Id, out var sum))
                    sums.Add(entry.Backend.Id, sum = new BackendTotals(entry.Backend));
                sum.Opened += Volatile.Read(ref entry.Opened);
                var traffic = TrafficOf(entry.Endpoint.Id);
                sum.Traffic.MessagesToEndpoint += traffic.MessagesToEndpoint;
                sum.Traffic.MessagesToClient += traffic.MessagesToClient;
                sum.Traffic.BytesToEndpoint += traffic.BytesToEndpoint;
                sum.Traffic.BytesToClient += traffic.BytesToClient;
            }

            foreach (var sum in sums.Values)
                visit(sum);
        }
    }

    private void See(BackendState backend, ReadOnlySpan<EndpointState> endpoints)
    {
        foreach (var endpoint in endpoints)
        {
            var series = SeriesOf(EntryOf(backend, endpoint));
            series.Seen = _gatherings;
            series.Newest = endpoint;
        }
    }

    private EndpointSeries SeriesOf(Entry entry)
    {
        if (entry.Series is { } known)
            return known;
        if (!_seriesByKey.TryGetValue((entry.Backend.Id, entry.Endpoint.Address), out var series))
        {
            series = new EndpointSeries(entry.Backend, entry.Endpoint);
            _seriesByKey.Add((entry.Backend.Id, entry.Endpoint.Address), series);
            _series.Add(series);
        }

        return entry.Series = series;
    }

    private Entry EntryOf(BackendState backend, EndpointState endpoint)
    {
        var entries = _byId;
        return endpoint.Id < entries.Length && entries[endpoint.Id] is { } entry ? entry : Register(backend, endpoint);
    }

    private Entry Register(BackendState backend, EndpointState endpoint)
    {
        lock (_register)
        {
            var entries = _byId;
            if (endpoint.Id >= entries.Length)
                Array.Resize(ref entries, Math.Max(16, Math.Max(endpoint.Id + 1, entries.Length * 2)));
            var entry = entries[endpoint.Id] ??= new Entry(backend, endpoint);
            _byId = entries;
            return entry;
        }
    }

    private sealed class Entry(BackendState backend, EndpointState endpoint)
    {
        public readonly BackendState Backend = backend;
        public readonly EndpointState Endpoint = endpoint;
        public EndpointSeries? Series;
        public long Opened;
        public long Rehomed;
        public long Drained;
        public long Ended;
    }
}

/// <summary>Connections that have left one endpoint, since it is known.</summary>
/// <param name="Rehomed">Another endpoint took over.</param>
/// <param name="Drained">Closed by its drain.</param>
/// <param name="Ended">For any other reason.</param>
internal readonly record struct EndpointLeavers(long Rehomed, long Drained, long Ended);

/// <summary>One address of a backend as metrics name it. Valid during a visit.</summary>
internal sealed class EndpointSeries(BackendState backend, EndpointState endpoint)
{
    public BackendState Backend { get; } = backend;

    public EndpointState Newest { get; set; } = endpoint;

    public string Address { get; } = endpoint.Address.ToString();

    public int Connections { get; set; }

    /// <summary>The gathering that last found it configured.</summary>
    public int Seen { get; set; }
}

/// <summary>What a backend's endpoints have come to, those that left included.</summary>
internal sealed class BackendTotals(BackendState backend)
{
    public EndpointTraffic Traffic;

    public BackendState Backend { get; } = backend;

    public long Opened { get; set; }
}
