using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Limits;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// One backend, from the first time that its name is configured on. Options, endpoints and policy form one snapshot that is swapped whole: a pick sees
/// either the old or the new one. Thread-safe; <see cref="Apply"/> is called by one thread at a time.
/// </summary>
internal sealed class BackendState
{
    private readonly Func<AuthOptions, AuthGate> _newAuth;
    private readonly Action? _onAuthReleased;
    private volatile Snapshot _snapshot;
    private volatile DiscoveryStatus? _discovery;
    private volatile AuthGate? _auth;

    /// <param name="newAuth">Null: an auth service is asked in the system's time, and its failures are not logged.</param>
    public BackendState(
        int id, BackendOptions options, EndpointState[] endpoints, HealthEvents? events = null, QueueHost? queueHost = null, Func<AuthOptions, AuthGate>? newAuth = null)
    {
        Id = id;
        Queue = new HandshakeQueue(this, queueHost);
        _newAuth = newAuth ?? (auth => new AuthGate(auth, options.Name));
        _onAuthReleased = queueHost is null ? null : () => Queue.Pump(queueHost.NowMs());
        Name = options.Name;
        Ejections = new Ejections(options.Name, events);
        Ejections.Follow(options.Health.Eject, endpoints);
        _snapshot = new Snapshot(options, endpoints, [], LoadBalancingPolicies.Create(options.LoadBalancing));
        ApplyAuth(options.Auth);
    }

    public string Name { get; }

    /// <summary>Unique in this process, never reused.</summary>
    public int Id { get; }

    public BackendOptions Options => _snapshot.Options;

    /// <summary>Who is told how handshakes and requests went.</summary>
    public Ejections Ejections { get; }

    /// <summary>How a returning client is known; null: it need not be.</summary>
    public AffinityPlan? Affinity => null;

    /// <summary>Handshakes that wait for an endpoint.</summary>
    public HandshakeQueue Queue { get; }

    /// <summary>What its connections are counted under.</summary>
    public BackendCounts Counts { get; } = new();

    /// <summary>Whom to ask about handshakes and requests; null: nobody. Who has asked one stays with it: another's names to strip and to copy may differ.</summary>
    public AuthGate? Auth => _auth;

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
    public void Apply(BackendOptions options, EndpointState[] endpoints, EndpointState[] leaving)
    {
        var old = _snapshot;
        // The turn of a round robin survives a change of its endpoints.
        var policy = old.Options.LoadBalancing == options.LoadBalancing ? old.Policy : LoadBalancingPolicies.Create(options.LoadBalancing);
        _snapshot = new Snapshot(options, endpoints, leaving, policy);
        Ejections.Follow(options.Health.Eject, endpoints);
        ApplyAuth(options.Auth);
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

    /// <summary>
    /// Picks an endpoint for a handshake. When it is taken, a connection and a handshake are counted on it, exactly within the backend's limits: the caller calls
    /// <see cref="EndpointState.EndHandshake"/> and <see cref="EndpointState.Release"/> once each, and tells <see cref="Ejections"/> how it went. Allocates nothing.
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
            if (endpoint!.TryReserve(room))
                return Reservation.Taken;
            if (trial != 0)
                Ejections.GiveBack(endpoint, trial, request.NowMs);
        }

        (endpoint, trial) = (null, 0);
        return Reservation.Busy;
    }

    /// <summary>As <see cref="Reserve"/>, but counts nothing: for plain requests.</summary>
    public EndpointState? Pick(in PickRequest request, out long trial)
    {
        _ = Pick(_snapshot, in request, default, mayTry: true, out var endpoint, out trial);
        return endpoint;
    }

    /// <remarks>
    /// In this order: an endpoint whose trial is due, unless this handshake has failed elsewhere already; one that is ready and healthy;
    /// then a trial; then one that drains but still serves; then one that is not known to be ready; and last, one that should be ejected. Where an endpoint
    /// would do but for its limits, those behind it are not asked.
    /// </remarks>
    private Reservation Pick(Snapshot snapshot, in PickRequest request, EndpointRoom room, bool mayTry, out EndpointState? endpoint, out long trial)
    {
        trial = 0;
        var isFirst = request.Excluded.IsEmpty;
        if (mayTry && isFirst && (endpoint = Ejections.TryBeginTrial(request.NowMs, request.Excluded, request.IsHandshake, out trial)) is not null)
            return Reservation.Taken;
        if (TryPick(snapshot, in request, EndpointPhase.Ready, room, out endpoint) is { } ready)
            return ready;
        if (mayTry && !isFirst && (endpoint = Ejections.TryBeginTrial(request.NowMs, request.Excluded, request.IsHandshake, out trial)) is not null)
            return Reservation.Taken;
        if (TryPick(snapshot, in request, EndpointPhase.Draining, room, out endpoint) is { } draining)
            return draining;
        if (TryPick(snapshot, in request, EndpointPhase.Starting, room, out endpoint) is { } starting)
            return starting;
        return mayTry && (endpoint = Ejections.PutBack(request.Excluded)) is not null ? Reservation.Taken : Reservation.None;
    }

    /// <summary>Null: no endpoint of this phase would do, whatever its limits.</summary>
    private static Reservation? TryPick(Snapshot snapshot, in PickRequest request, EndpointPhase phase, EndpointRoom room, out EndpointState? endpoint)
    {
        var context = new PickContext(request.Random, request.NowMs, snapshot.SlowStartMs, request.Excluded, phase, room);
        endpoint = snapshot.Policy.Pick(snapshot.Endpoints, in context);
        if (endpoint is not null)
            return Reservation.Taken;
        Reservation? without = null;
        foreach (var candidate in snapshot.Endpoints)
        {
            if (!context.Suits(candidate))
                continue;
            if (room.Connections == 0 || candidate.Connections < room.Connections)
                return Reservation.Busy;
            without = Reservation.Full;
        }

        return without;
    }

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
        var auth = options is null ? null : _newAuth(options);
        if (auth is not null)
            auth.Released = _onAuthReleased;
        _auth = auth;
        old?.Dispose();
        // It may have places where the old one had none.
        _onAuthReleased?.Invoke();
    }

    private static EndpointState? Find(EndpointState[] endpoints, EndpointAddress address) =>
        Array.Find(endpoints, e => e.Address == address && e.Phase != EndpointPhase.Gone);

    private sealed class Snapshot(BackendOptions options, EndpointState[] endpoints, EndpointState[] leaving, ILoadBalancingPolicy policy)
    {
        public readonly BackendOptions Options = options;
        public readonly EndpointState[] Endpoints = endpoints;
        public readonly EndpointState[] Leaving = leaving;
        public readonly ILoadBalancingPolicy Policy = policy;
        public readonly long SlowStartMs = (long)options.SlowStart.TotalMilliseconds;

        public EndpointRoom RoomFor(in PickRequest request) =>
            new(Options.Limits.ConnectionsPerEndpoint, request.IsAhead ? 0 : Options.Handshakes.InFlightPerEndpoint);
    }
}
