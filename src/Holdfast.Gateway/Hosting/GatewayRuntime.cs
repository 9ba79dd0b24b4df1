using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Hosting;

/// <summary>
/// The gateway's state in force: loops, routes, backends, endpoints. Routes are one snapshot, swapped whole; backends and endpoints
/// live as long as they are configured or connected to. Thread-safe for readers; <see cref="Apply"/> is called by one thread at a time.
/// </summary>
internal sealed class GatewayRuntime
{
    private readonly Lock _gate = new();
    private volatile RouteTable _routes = RouteTable.Build([], _ => throw new InvalidOperationException());
    private volatile BackendState[] _backends = [];
    private volatile EndpointState[] _endpointsById = [];
    private volatile BackendState[] _backendsById = [];
    private volatile BoundListener[] _listenersById = [];
    private volatile IReadOnlyList<BoundListener> _listeners = [];
    private int _admitted;
    private volatile GatewayPhase _phase = GatewayPhase.Starting;

    public GatewayRuntime(TimeProvider time, LoopClock clock) => (Time, Clock, StartedAt) = (time, clock, time.GetUtcNow());

    public TimeProvider Time { get; }

    public EndpointDrains Drains { get; } = new();

    /// <summary>The clock of loops and load balancing, in milliseconds.</summary>
    public LoopClock Clock { get; }

    public DateTimeOffset StartedAt { get; }

    /// <summary>Set once, before the first connection.</summary>
    public IReadOnlyList<EventLoop> Loops { get; set; } = [];

    /// <summary>Configured listeners, in the configuration's order, with the port the system chose where the configuration said 0.</summary>
    public IReadOnlyList<BoundListener> Listeners
    {
        get => _listeners;
        set => _listeners = value;
    }

    public ConfigurationStatus Configuration { get; } = new();

    /// <summary>Relayed connections that fit under the limit of open files.</summary>
    public int UsableConnections { get; set; }

    public GatewayPhase Phase
    {
        get => _phase;
        set => _phase = value;
    }

    public RouteTable Routes => _routes;

    /// <summary>Configured backends, in the configuration's order.</summary>
    public IReadOnlyList<BackendState> Backends => _backends;

    /// <summary>Also finds backends and endpoints that are no longer configured but still have connections.</summary>
    public BackendState BackendOf(int id) => _backendsById[id];

    public EndpointState EndpointOf(int id) => _endpointsById[id];

    /// <summary>Also finds listeners that are no longer configured: their connections live on.</summary>
    public BoundListener ListenerOf(int id) => _listenersById[id];

    public int Established => Loops.Sum(static l => l.Established);

    /// <summary>
    /// Takes a place for a connection under the listener's limit and the descriptors', handshakes included, so that a burst cannot overshoot.
    /// True: give it back with exactly one <see cref="Leave"/>. Any thread.
    /// </summary>
    public bool TryAdmit(int listenerId)
    {
        if (Interlocked.Increment(ref _admitted) <= UsableConnections)
        {
            if (ListenerOf(listenerId).TryAdmit())
                return true;
        }

        Interlocked.Decrement(ref _admitted);
        return false;
    }

    public void Leave(int listenerId)
    {
        ListenerOf(listenerId).Leave();
        Interlocked.Decrement(ref _admitted);
    }

    /// <summary>Makes a listener known under an id of its own, before it accepts.</summary>
    public BoundListener AddListener(ListenerOptions options, IPEndPoint address)
    {
        lock (_gate)
        {
            var listener = new BoundListener(_listenersById.Length, options, address);
            _listenersById = [.. _listenersById, listener];
            return listener;
        }
    }

    /// <summary>Puts a configuration's routes and backends in force.</summary>
    public void Apply(GatewayConfiguration configuration)
    {
        lock (_gate)
        {
            // Those that left included: a name that returns goes on counting where it was.
            var byName = _backendsById.ToDictionary(b => b.Name, StringComparer.Ordinal);
            var backends = new List<BackendState>();
            foreach (var options in configuration.Backends)
            {
                var known = byName.GetValueOrDefault(options.Name);
                var endpoints = options.Endpoints.Select(a => known?.Find(a) ?? NewEndpoint(a)).ToArray();
                if (known is null)
                    _backendsById = [.. _backendsById, known = new BackendState(_backendsById.Length, options, endpoints)];
                else
                    known.Apply(options, endpoints);
                backends.Add(known);
            }

            _backends = [.. backends];
            _routes = RouteTable.Build(configuration.Routes, name => backends.First(b => b.Name == name));
        }
    }

    /// <summary>Looks up the host names among the endpoints that have no address yet. True: none is left.</summary>
    public async Task<bool> ResolveAsync(CancellationToken cancel)
    {
        var complete = true;
        foreach (var endpoint in _backends.SelectMany(b => b.Endpoints.ToArray()).Where(e => e.Resolved is null))
        {
            try
            {
                var addresses = await Dns.GetHostAddressesAsync(endpoint.Address.Host, cancel).ConfigureAwait(false);
                if (addresses.Length > 0)
                    endpoint.Resolved = new ResolvedAddress(NativeAddress.From(new IPEndPoint(addresses[0], endpoint.Address.Port)));
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Asked again later; meanwhile a dial fails at once and goes elsewhere.
            }

            complete &= endpoint.Resolved is not null;
        }

        return complete;
    }

    private EndpointState NewEndpoint(EndpointAddress address)
    {
        var endpoint = new EndpointState(_endpointsById.Length, address);
        if (address.Ip is { } ip)
            endpoint.Resolved = new ResolvedAddress(NativeAddress.From(new IPEndPoint(ip, address.Port)));
        _endpointsById = [.. _endpointsById, endpoint];
        endpoint.MarkReady(Clock.Milliseconds);
        return endpoint;
    }
}

/// <summary>A listener, where it really listens, and how many connections and handshakes it has. Thread-safe.</summary>
internal sealed class BoundListener(int id, ListenerOptions options, IPEndPoint address)
{
    private volatile ListenerOptions _options = options;
    private int _admitted;

    /// <summary>Unique in this process, never reused: connections keep it for life.</summary>
    public int Id { get; } = id;

    public ListenerOptions Options
    {
        get => _options;
        set => _options = value;
    }

    public IPEndPoint Address { get; } = address;

    public bool TryAdmit()
    {
        var limit = Options.Limits.Connections;
        if (Interlocked.Increment(ref _admitted) <= limit || limit == 0)
            return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _admitted);
}

/// <summary>The gateway's own life, in order.</summary>
internal enum GatewayPhase
{
    Starting = 0,
    Running = 1,
    Draining = 2,
    Closing = 3,
    Stopped = 4,
}
