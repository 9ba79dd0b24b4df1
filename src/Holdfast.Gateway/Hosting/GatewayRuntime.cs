using System.Net;
using Holdfast.Api.Configuration;
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

    /// <summary>Bound listeners by id, with the port the system chose where the configuration said 0.</summary>
    public IReadOnlyList<BoundListener> Listeners { get; set; } = [];

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

    public int Established => Loops.Sum(static l => l.Established);

    /// <summary>
    /// Takes a place for a connection under the listener's limit and the descriptors', handshakes included, so that a burst cannot overshoot.
    /// True: give it back with exactly one <see cref="Leave"/>. Any thread.
    /// </summary>
    public bool TryAdmit(int listenerId)
    {
        if (Interlocked.Increment(ref _admitted) <= UsableConnections)
        {
            if (Listeners[listenerId].TryAdmit())
                return true;
        }

        Interlocked.Decrement(ref _admitted);
        return false;
    }

    public void Leave(int listenerId)
    {
        Listeners[listenerId].Leave();
        Interlocked.Decrement(ref _admitted);
    }

    /// <summary>Puts a configuration's routes and backends in force.</summary>
    public void Apply(GatewayConfiguration configuration)
    {
        lock (_gate)
        {
            var byName = _backends.ToDictionary(b => b.Name, StringComparer.Ordinal);
            var backends = new List<BackendState>();
            foreach (var options in configuration.Backends)
            {
                var known = byName.GetValueOrDefault(options.Name);
                var endpoints = options.Dns is { } dns
                    ? known?.Options.Dns is { } before && (before.Name, before.Port) == (dns.Name, dns.Port) ? known.Endpoints.ToArray() : []
                    : options.Endpoints.Select(a => known?.Find(a) ?? NewEndpoint(a)).ToArray();
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

    /// <summary>
    /// Makes these the endpoints of a backend with <c>dns</c>: all that its name stands for. Those that are missing take no new connections.
    /// </summary>
    public void Discover(BackendState backend, IReadOnlyList<EndpointAddress> addresses)
    {
        lock (_gate)
            backend.Apply(backend.Options, [.. addresses.Select(a => backend.Find(a) ?? NewEndpoint(a))]);
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
internal sealed class BoundListener(ListenerOptions options, IPEndPoint address)
{
    private int _admitted;

    public ListenerOptions Options { get; } = options;

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
