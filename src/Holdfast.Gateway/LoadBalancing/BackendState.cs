using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.Links;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.Links;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// One backend, from the first time that its name is configured on. Options, endpoints and policy form one snapshot that is swapped whole: a pick sees
/// either the old or the new one. Thread-safe; <see cref="Apply"/> is called by one thread at a time.
/// </summary>
internal sealed class BackendState
{
    private readonly BackendHost? _host;
    private volatile Snapshot _snapshot;
    private volatile DiscoveryStatus? _discovery;
    private volatile AuthGate? _auth;
    private volatile UpstreamTls? _tls;
    private int _requests;

    /// <param name="host">Null: nothing is told, and nobody looks at the queue but by hand.</param>
    /// <param name="affinity">Null: made of the options.</param>
    public BackendState(int id, BackendOptions options, EndpointState[] endpoints, BackendHost? host = null, AffinityPlan? affinity = null)
    {
        _host = host;
        Id = id;
        Name = options.Name;
        Queue = new HandshakeQueue(this, host?.Queue);
        Ejections = new Ejections(options.Name, host?.Events);
        Ejections.Follow(options.Health.Eject, endpoints);
        ApplyAuth(options.Auth);
        ApplyTls(options.Tls);
        _snapshot = new Snapshot(options, endpoints, [], LoadBalancingPolicies.Create(options.LoadBalancing), affinity ?? new AffinityPlan(options));
    }

    public string Name { get; }

    /// <summary>Unique in this process, never reused.</summary>
    public int Id { get; }

    public BackendOptions Options => _snapshot.Options;

    /// <summary>What its requests are known by.</summary>
    public AffinityPlan Affinity => _snapshot.Affinity;

    /// <summary>Who is told how handshakes and requests went.</summary>
    public Ejections Ejections { get; }

    /// <summary>Handshakes that wait for an endpoint.</summary>
    public HandshakeQueue Queue { get; }

    /// <summary>What its connections are counted under.</summary>
    public BackendCounts Counts { get; } = new();

    /// <summary>Who is asked about handshakes and requests; null: nobody. Taken once for each: another one's names to strip and to copy may differ.</summary>
    public AuthGate? Auth => _auth;

    /// <summary>How its endpoints are spoken to; null: in plain HTTP.</summary>
    public UpstreamTls? Tls => _tls;

    /// <summary>Who connects to one of its endpoints; null: the loops, by plain TCP.</summary>
    public IUpstreamDialer? DialerOf(EndpointState endpoint) => Tls is { } tls ? endpoint.DialerBy(tls, Name, _host!) : null;

    /// <summary>How the look-ups of its name go; null: its endpoints are listed.</summary>
    public DiscoveryStatus? Discovery
    {
        get => _discovery;
        set => _discovery = value;
    }

    /// <summary>The current endpoints, draining ones included. The memory is never written again.</summary>
    public ReadOnlySpan<EndpointState> Endpoints => _snapshot.Endpoints;

    /// <summary>Endpoints that were removed and are being drained: no new connection goes there. The memory is never written again.</summary>
    public ReadOnlySpan<EndpointState> Leaving => _snapshot.Leaving;

    /// <summary>
    /// Puts new options and endpoints in force. Endpoints that stay are the same objects, so their counts stay exact; the arrays are owned by
    /// this backend from here on.
    /// </summary>
    /// <param name="affinity">Null: as it was, or one with a secret of its own when the options have another.</param>
    public void Apply(BackendOptions options, EndpointState[] endpoints, EndpointState[] leaving, AffinityPlan? affinity = null)
    {
        var old = _snapshot;
        // The turn of a round robin survives a change of its endpoints.
        var policy = old.Options.LoadBalancing == options.LoadBalancing ? old.Policy : LoadBalancingPolicies.Create(options.LoadBalancing);
        affinity ??= old.Options.Affinity == options.Affinity && ReferenceEquals(policy, old.Policy) ? old.Affinity : new AffinityPlan(options);
        _snapshot = new Snapshot(options, endpoints, leaving, policy, affinity);
        Ejections.Follow(options.Health.Eject, endpoints);
        ApplyAuth(options.Auth);
        ApplyTls(options.Tls);
    }

    /// <summary>The endpoint with this address that is not Gone, leaving ones included, or null.</summary>
    public EndpointState? Find(EndpointAddress address)
    {
        var snapshot = _snapshot;
        return Find(snapshot.Endpoints, address) ?? Find(snapshot.Leaving, address);
    }

    /// <summary>Whether there are endpoints, and every one of them fails its active check.</summary>
    public bool FailsEveryCheck
    {
        get
        {
            var endpoints = _snapshot.Endpoints;
            return endpoints.Length > 0 && Array.TrueForAll(endpoints, static e => e.FailsCheck);
        }
    }

    /// <summary>Whether an endpoint that is not among these could be picked.</summary>
    public bool HasHealthyBut(ReadOnlySpan<int> tried)
    {
        foreach (var endpoint in _snapshot.Endpoints)
        {
            if (endpoint.Health == EndpointHealth.Healthy && endpoint.Phase != EndpointPhase.Gone && !tried.Contains(endpoint.Id))
                return true;
        }

        return false;
    }

    /// <summary>Whether an endpoint that is not this one is ready and healthy.</summary>
    public bool HasReadyBut(EndpointState endpoint) => Array.Exists(
        _snapshot.Endpoints, e => !ReferenceEquals(e, endpoint) && e.Phase == EndpointPhase.Ready && e.Health == EndpointHealth.Healthy);

    /// <summary>Whether sessions that are bound to an endpoint that drains may still return to it.</summary>
    public bool KeepsSessions(EndpointState endpoint, long nowMs) => Affinity.IsByCookie && endpoint.Keeps(ushort.MaxValue, nowMs);

    /// <summary>
    /// Picks an endpoint. When it is taken, a connection and a handshake are counted on it, exactly within the backend's limits: the caller calls
    /// <see cref="EndpointState.EndHandshake"/> and <see cref="EndpointState.Release"/> once each, and tells <see cref="Ejections"/> how it went. For a plain request
    /// it is a request that is counted, and <see cref="EndpointState.ReleaseRequest"/> that is called. Allocates nothing.
    /// </summary>
    /// <param name="endpoint">When it is taken: where. When busy: the one that the key is bound to, or null: any would do.</param>
    /// <param name="trial">Unlike 0 when the handshake tries an ejected endpoint.</param>
    public Reservation Reserve(in PickRequest request, out EndpointState? endpoint, out long trial)
    {
        // Whoever takes the last place first makes the other look again. A trial or a last resort was picked whatever room it has: once is enough for those.
        for (var tries = 0; tries < 8; tries++)
        {
            var snapshot = _snapshot;
            var room = snapshot.RoomFor(in request);
            var reservation = Pick(snapshot, in request, room, tries == 0, out endpoint, out trial);
            if (reservation != Reservation.Taken)
                return reservation;
            if (request.IsHandshake ? endpoint!.TryReserve(room) : endpoint!.TryReserveRequest(room.Connections))
                return Reservation.Taken;
            if (trial != 0)
                Ejections.GiveBack(endpoint, trial, request.NowMs);
        }

        (endpoint, trial) = (null, 0);
        return Reservation.Busy;
    }

    /// <remarks>
    /// In this order: the endpoint that the session is bound to; one whose trial is due, unless this handshake has failed elsewhere already; one that is ready and
    /// healthy; then a trial; then one that drains but still serves; then one that is not known to be ready; and last, one that should be ejected. Where an endpoint
    /// would do but for its limits, those behind it are not asked. A key that is hashed decides within each of these.
    /// </remarks>
    private Reservation Pick(Snapshot snapshot, in PickRequest request, EndpointRoom room, bool mayTry, out EndpointState? endpoint, out long trial)
    {
        trial = 0;
        var bound = snapshot.Bound.Find(in request, out var isPreferred);
        if (isPreferred && HasPlace(bound!, room))
        {
            endpoint = bound;
            return OfBound(bound!, room);
        }

        var isFirst = request.Excluded.IsEmpty;
        if (mayTry && isFirst && (endpoint = TryBeginTrial(snapshot, in request, out trial)) is not null)
            return Reservation.Taken;
        if (TryPick(snapshot, in request, EndpointPhase.Ready, room, bound, out endpoint) is { } ready)
            return ready;
        if (mayTry && !isFirst && (endpoint = Ejections.TryBeginTrial(request.NowMs, request.Excluded, request.IsHandshake, out trial)) is not null)
            return Reservation.Taken;
        if (TryPick(snapshot, in request, EndpointPhase.Draining, room, bound, out endpoint) is { } draining)
            return draining;
        if (TryPick(snapshot, in request, EndpointPhase.Starting, room, bound, out endpoint) is { } starting)
            return starting;
        return mayTry && (endpoint = Ejections.PutBack(request.Excluded)) is not null ? Reservation.Taken : Reservation.None;
    }

    /// <summary>A key that is hashed tries an ejected endpoint only where it would be that endpoint's: else each trial would send it astray.</summary>
    private EndpointState? TryBeginTrial(Snapshot snapshot, in PickRequest request, out long trial)
    {
        trial = 0;
        if (request.Key.Hash is not { } hash)
            return Ejections.TryBeginTrial(request.NowMs, request.Excluded, request.IsHandshake, out trial);
        return Ejections.Count > 0 && ConsistentHashPolicy.OwnerOf(hash, snapshot.Endpoints, request.Excluded) is { Ejection.IsInService: false } owner
            ? Ejections.TryBeginTrial(request.NowMs, request.Excluded, request.IsHandshake, out trial, owner)
            : null;
    }

    /// <summary>Null: no endpoint of this phase would do, whatever its limits.</summary>
    /// <param name="bound">The endpoint of the session, in whatever phase; null: none.</param>
    private static Reservation? TryPick(
        Snapshot snapshot, in PickRequest request, EndpointPhase phase, EndpointRoom room, EndpointState? bound, out EndpointState? endpoint)
    {
        endpoint = bound;
        if (bound?.Phase == phase && HasPlace(bound, room))
            return OfBound(bound, room);

        // A key waits for its endpoint's handshakes, but not for connections there to end.
        var isKeyed = request.Key.Hash is not null;
        var context = new PickContext(request.Random, request.NowMs, snapshot.SlowStartMs, request.Excluded, phase, isKeyed ? room with { Handshakes = 0 } : room)
        {
            Hash = request.Key.Hash,
            // Affinity alone does not split a key for its load.
            Bound = snapshot.Options.LoadBalancing == LoadBalancingPolicy.ConsistentHash ? snapshot.Options.BoundedLoad : 0,
        };
        endpoint = (isKeyed ? ConsistentHashPolicy.Instance : snapshot.Policy).Pick(snapshot.Endpoints, in context);
        if (endpoint is not null)
            return isKeyed ? OfBound(endpoint, room) : Reservation.Taken;
        Reservation? without = null;
        foreach (var candidate in snapshot.Endpoints)
        {
            if (!context.Suits(candidate))
                continue;
            if (HasPlace(candidate, room))
                return Reservation.Busy;
            without = Reservation.Full;
        }

        return without;
    }

    private static bool HasPlace(EndpointState endpoint, EndpointRoom room) => room.Connections == 0 || endpoint.InUse < room.Connections;

    private static Reservation OfBound(EndpointState endpoint, EndpointRoom room) =>
        room.Handshakes == 0 || endpoint.Handshakes < room.Handshakes ? Reservation.Taken : Reservation.Busy;

    /// <summary>Plain requests that were routed here and have not ended.</summary>
    public int RequestsInFlight => Volatile.Read(ref _requests);

    /// <summary>A plain request was routed here; pair it with exactly one <see cref="EndRequest"/>.</summary>
    public void BeginRequest() => Interlocked.Increment(ref _requests);

    public void EndRequest() => Interlocked.Decrement(ref _requests);

    /// <summary>A handshake at an endpoint ended, whatever way: who waits may have its slot.</summary>
    public void EndHandshake(EndpointState endpoint, long nowMs)
    {
        endpoint.EndHandshake();
        Queue.Pump(nowMs);
    }

    public override string ToString() => Name;

    private void ApplyAuth(AuthOptions? options)
    {
        var old = _auth;
        if (AuthGate.AreSame(old?.Options, options))
            return;
        var auth = options is null ? null : new AuthGate(options, Name, _host?.Queue.Time, _host?.Logger);
        if (auth is not null)
            auth.Released = Queue.PumpSoon;
        _auth = auth;
        old?.Dispose();
        // It may have places where the old one had none.
        Queue.PumpSoon();
    }

    /// <summary>Connections are made by what is in force when they begin; open ones stay as they are.</summary>
    private void ApplyTls(BackendTlsOptions? options)
    {
        if (_tls?.Options != options)
            _tls = options is null ? null : (_host ?? throw new InvalidOperationException("TLS needs a gateway around the backend.")).NewTls(options);
    }

    private static EndpointState? Find(EndpointState[] endpoints, EndpointAddress address) =>
        Array.Find(endpoints, e => e.Address == address && e.Phase != EndpointPhase.Gone);

    private sealed class Snapshot(
        BackendOptions options, EndpointState[] endpoints, EndpointState[] leaving, ILoadBalancingPolicy policy, AffinityPlan affinity)
    {
        public readonly BackendOptions Options = options;
        public readonly EndpointState[] Endpoints = endpoints;
        public readonly EndpointState[] Leaving = leaving;
        public readonly ILoadBalancingPolicy Policy = policy;
        public readonly AffinityPlan Affinity = affinity;
        public readonly BoundEndpoints Bound = new(affinity, endpoints, leaving);
        public readonly long SlowStartMs = (long)options.SlowStart.TotalMilliseconds;

        public EndpointRoom RoomFor(in PickRequest request) =>
            new(Options.Limits.ConnectionsPerEndpoint, request.IsAhead || !request.IsHandshake ? 0 : Options.Handshakes.InFlightPerEndpoint);
    }
}

/// <summary>What backends need of the gateway around them.</summary>
/// <param name="Logger">Asked when something is written.</param>
/// <param name="NewTls">Of options whose files were loaded.</param>
internal sealed record BackendHost(HealthEvents Events, QueueHost Queue, OpenLinks Links, Func<ILogger> Logger, Func<BackendTlsOptions, UpstreamTls> NewTls);
