using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Links;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

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
    private volatile BackendState[] _removed = [];
    private volatile EndpointState[] _endpointsById = [];
    private volatile BackendState[] _backendsById = [];
    private volatile BoundListener[] _listenersById = [];
    private volatile IReadOnlyList<BoundListener> _listeners = [];
    private int _admitted;
    private volatile GatewayPhase _phase = GatewayPhase.Starting;

    private readonly BackendHost _host;

    /// <param name="longestPiece">How long a peer may take over one piece of what it is sent, where no loop sees it.</param>
    public GatewayRuntime(TimeProvider time, LoopClock clock, TimeSpan? longestPiece = null)
    {
        (Time, Clock, StartedAt) = (time, clock, time.GetUtcNow());
        Links = new OpenLinks(time, longestPiece ?? HttpForwarder.LongestPiece);
        Drains = new EndpointDrains(this);
        var queue = new QueueHost(time, () => clock.Milliseconds, action => Loops[0].Post(_ => action()));
        Certificates = new CertificateStore(time, () => Logger);
        _host = new BackendHost(new HealthEvents(() => Logger), queue, Links, () => Logger, options => new UpstreamTls(options, Certificates, time));
    }

    public TimeProvider Time { get; }

    /// <summary>For what is worth telling when endpoints come and go. Not for loops.</summary>
    public ILogger Logger { get; set; } = NullLogger.Instance;

    public EndpointDrains Drains { get; }

    /// <summary>Loaded before a configuration is applied.</summary>
    public AffinitySecrets Secrets { get; } = new();

    /// <summary>Loaded before a configuration is applied.</summary>
    public CertificateStore Certificates { get; }

    /// <summary>What held connections may keep of their clients' messages, all together.</summary>
    public HoldMemory HoldMemory { get; } = new(capacity: 0);

    /// <summary>Called after every change of backends or endpoints, by the thread that changed them, under its lock: must not wait.</summary>
    public Action? Changed { get; set; }

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

    /// <summary>Connections that a loop relays and others hold.</summary>
    public OpenLinks Links { get; }

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

    /// <summary>Configured backends, then those that were removed and whose endpoints are still being drained.</summary>
    public IReadOnlyList<BackendState> KnownBackends => [.. _backends, .. _removed];

    /// <summary>Also finds backends and endpoints that are no longer configured but still have connections.</summary>
    public BackendState BackendOf(int id) => _backendsById[id];

    public EndpointState EndpointOf(int id) => _endpointsById[id];

    /// <summary>Also finds listeners that are no longer configured: their connections live on.</summary>
    public BoundListener ListenerOf(int id) => _listenersById[id];

    public int Established => Loops.Sum(static l => l.Established);

    /// <summary>Places taken of <see cref="UsableConnections"/>.</summary>
    public int Admitted => Volatile.Read(ref _admitted);

    /// <summary>
    /// Takes a place for a connection under the listener's limit and the descriptors', handshakes included, so that a burst cannot overshoot.
    /// True: give it back with exactly one <see cref="Leave"/>. Any thread.
    /// </summary>
    public bool TryAdmit(int listenerId, ConnectionPlaces places = default)
    {
        if (Interlocked.Add(ref _admitted, places.Count) <= UsableConnections)
        {
            if (places.IsCounted || ListenerOf(listenerId).TryAdmit())
                return true;
        }

        Interlocked.Add(ref _admitted, -places.Count);
        return false;
    }

    /// <param name="places">As they were taken.</param>
    public void Leave(int listenerId, ConnectionPlaces places = default)
    {
        if (!places.IsCounted)
            ListenerOf(listenerId).Leave();
        Interlocked.Add(ref _admitted, -places.Count);
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

    /// <summary>
    /// Puts a configuration's routes and backends in force. Endpoints that it no longer lists are drained; those of a backend that is
    /// looked up stay until an answer says otherwise.
    /// </summary>
    public void Apply(GatewayConfiguration configuration)
    {
        lock (_gate)
        {
            HoldMemory.Capacity = configuration.BufferTotal;
            var known = KnownBackends.ToDictionary(b => b.Name, StringComparer.Ordinal);
            var backends = new List<BackendState>();
            foreach (var options in configuration.Backends)
            {
                var affinity = new AffinityPlan(options, Secrets);
                // A name that returns goes on counting where it was, however long ago.
                if (!known.Remove(options.Name, out var backend) && (backend = Array.Find(_backendsById, b => b.Name == options.Name)) is null)
                {
                    backend = new BackendState(_backendsById.Length, options, [], _host, affinity);
                    _backendsById = [.. _backendsById, backend];
                }

                var isSameName = options.Dns is { } dns && backend.Options.Dns is { } before && (dns.Name, dns.Port) == (before.Name, before.Port);
                Replace(backend, options, isSameName ? [.. backend.Endpoints.ToArray().Select(e => e.Address)] : options.Endpoints, DrainCause.Removed, affinity);
                backends.Add(backend);
            }

            // Routes first: a handshake then finds either a backend with endpoints or no route to it.
            _routes = RouteTable.Build(configuration.Routes, name => backends.First(b => b.Name == name));
            _backends = [.. backends];
            _removed = [.. known.Values];
            foreach (var removed in _removed)
                Replace(removed, removed.Options, [], DrainCause.Removed);
            Changed?.Invoke();
        }
    }

    /// <summary>
    /// Puts the addresses of a good answer in force. A missing one takes no new connection from here on, and its open ones are drained after
    /// <c>dns.grace</c> unless it returns. Nothing happens to a backend that is no longer configured.
    /// </summary>
    public void Discover(BackendState backend, IReadOnlyList<EndpointAddress> addresses)
    {
        lock (_gate)
        {
            if (backend.Options.Dns is null || Array.IndexOf(_backends, backend) < 0)
                return;
            Replace(backend, backend.Options, [.. addresses.Distinct()], DrainCause.Missing);
            Changed?.Invoke();
        }
    }

    /// <summary>Forgets endpoints that left, have no connection or request any more and keep no session. Called now and then, by one thread.</summary>
    public void ForgetGone()
    {
        lock (_gate)
        {
            foreach (var backend in KnownBackends)
            {
                var gone = Array.FindAll(backend.Leaving.ToArray(), e => e.InUse == 0 && !backend.KeepsSessions(e, Clock.Milliseconds));
                if (gone.Length == 0)
                    continue;
                backend.Apply(backend.Options, backend.Endpoints.ToArray(), [.. backend.Leaving.ToArray().Except(gone)]);
                foreach (var endpoint in gone)
                {
                    endpoint.MarkGone();
                    Drains.Forget(endpoint);
                    HostLog.EndpointGone(Logger, backend.Name, endpoint.ToString());
                }

                Changed?.Invoke();
            }

            _removed = Array.FindAll(_removed, static b => b.Leaving.Length > 0);
        }
    }

    /// <summary>Under the gate.</summary>
    private void Replace(BackendState backend, BackendOptions options, IReadOnlyList<EndpointAddress> addresses, DrainCause cause, AffinityPlan? affinity = null)
    {
        var before = backend.Endpoints.ToArray();
        var endpoints = addresses.Select(a => backend.Find(a) ?? NewEndpoint(a, options)).ToArray();
        var left = before.Except(endpoints).Where(static e => e.Phase != EndpointPhase.Gone).ToArray();
        backend.Apply(options, endpoints, [.. backend.Leaving.ToArray().Except(endpoints), .. left], affinity);
        foreach (var endpoint in left)
            Drains.Begin(backend, endpoint, cause);
        foreach (var endpoint in endpoints)
        {
            Drains.Cancel(backend, endpoint, DrainCause.Missing);
            Drains.Cancel(backend, endpoint, DrainCause.Removed);
        }
    }

    private EndpointState NewEndpoint(EndpointAddress address, BackendOptions options)
    {
        var endpoint = new EndpointState(_endpointsById.Length, address);
        if (address.Ip is { } ip)
            endpoint.Resolved = new ResolvedAddress(NativeAddress.From(new IPEndPoint(ip, address.Port)));
        _endpointsById = [.. _endpointsById, endpoint];
        // Where endpoints are checked, the first good check does it.
        if (options.Health.Check is null)
            endpoint.MarkReady(Clock.Milliseconds);
        return endpoint;
    }
}

/// <summary>A listener, where it really listens, and how many connections and handshakes it has. Thread-safe.</summary>
internal sealed class BoundListener(int id, ListenerOptions options, IPEndPoint address)
{
    private volatile InForce _inForce = new(options);
    private int _admitted;

    /// <summary>Unique in this process, never reused: connections keep it for life.</summary>
    public int Id { get; } = id;

    public ListenerOptions Options
    {
        get => _inForce.Options;
        set => _inForce = new InForce(value);
    }

    public TrustedProxies Trusted => _inForce.Trusted;

    /// <summary>Where proxies are named, only they may say by a PROXY protocol header whom they forward.</summary>
    public ProxyHeaderUse ProxyHeaderOf(in NativeAddress peer)
    {
        var inForce = _inForce;
        if (!inForce.Options.ProxyProtocol)
            return ProxyHeaderUse.None;
        return inForce.Trusted.IsEmpty || inForce.Trusted.Contains(peer) ? ProxyHeaderUse.Required : ProxyHeaderUse.Refused;
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

    private sealed class InForce(ListenerOptions options)
    {
        public readonly ListenerOptions Options = options;

        public readonly TrustedProxies Trusted = new(options.TrustedProxies);
    }
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
