using Holdfast.Api.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Health;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// One backend, from the first time that its name is configured on. Options, endpoints and policy form one snapshot that is swapped whole: a pick sees
/// either the old or the new one. Thread-safe; <see cref="Apply"/> is called by one thread at a time.
/// </summary>
internal sealed class BackendState
{
    private volatile Snapshot _snapshot;
    private volatile DiscoveryStatus? _discovery;

    public BackendState(int id, BackendOptions options, EndpointState[] endpoints, HealthEvents? events = null)
    {
        Id = id;
        Name = options.Name;
        Ejections = new Ejections(options.Name, events);
        Ejections.Follow(options.Health.Eject, endpoints);
        _snapshot = new Snapshot(options, endpoints, [], LoadBalancingPolicies.Create(options.LoadBalancing));
    }

    public string Name { get; }

    /// <summary>Unique in this process, never reused.</summary>
    public int Id { get; }

    public BackendOptions Options => _snapshot.Options;

    /// <summary>Who is told how handshakes and requests went.</summary>
    public Ejections Ejections { get; }

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

    /// <summary>
    /// Picks an endpoint for a handshake and counts a connection on it: the caller calls <see cref="EndpointState.Release"/> exactly once,
    /// and tells <see cref="Ejections"/> how it went. Null when none is left. Allocates nothing.
    /// </summary>
    /// <param name="random">Belongs to the calling thread.</param>
    /// <param name="nowMs">The clock that the endpoints were marked Ready with.</param>
    /// <param name="excluded">Ids of endpoints that this handshake has tried.</param>
    /// <param name="trial">Unlike 0 when the handshake tries an ejected endpoint.</param>
    public EndpointState? Reserve(Random random, long nowMs, ReadOnlySpan<int> excluded, out long trial)
    {
        var picked = Pick(random, nowMs, excluded, isHandshake: true, out trial);
        picked?.Reserve();
        return picked;
    }

    /// <summary>As <see cref="Reserve"/>, for a plain request when <paramref name="isHandshake"/> is false; counts no connection.</summary>
    /// <remarks>
    /// In this order: an endpoint whose trial is due, unless this handshake has failed elsewhere already; one that is ready and healthy;
    /// then a trial; then one that drains but still serves; then one that is not known to be ready; and last, one that should be ejected.
    /// </remarks>
    public EndpointState? Pick(Random random, long nowMs, ReadOnlySpan<int> excluded, bool isHandshake, out long trial)
    {
        trial = 0;
        var isFirst = excluded.IsEmpty;
        if (isFirst && Ejections.TryBeginTrial(nowMs, excluded, isHandshake, out trial) is { } due)
            return due;
        var snapshot = _snapshot;
        return Pick(snapshot, new PickContext(random, nowMs, snapshot.SlowStartMs, excluded))
            ?? (isFirst ? null : Ejections.TryBeginTrial(nowMs, excluded, isHandshake, out trial))
            ?? Pick(snapshot, new PickContext(random, nowMs, snapshot.SlowStartMs, excluded, EndpointPhase.Draining))
            ?? Pick(snapshot, new PickContext(random, nowMs, snapshot.SlowStartMs, excluded, EndpointPhase.Starting))
            ?? Ejections.PutBack(excluded);
    }

    public override string ToString() => Name;

    private static EndpointState? Pick(Snapshot snapshot, in PickContext context) => snapshot.Policy.Pick(snapshot.Endpoints, context);

    private static EndpointState? Find(EndpointState[] endpoints, EndpointAddress address) =>
        Array.Find(endpoints, e => e.Address == address && e.Phase != EndpointPhase.Gone);

    private sealed class Snapshot(BackendOptions options, EndpointState[] endpoints, EndpointState[] leaving, ILoadBalancingPolicy policy)
    {
        public readonly BackendOptions Options = options;
        public readonly EndpointState[] Endpoints = endpoints;
        public readonly EndpointState[] Leaving = leaving;
        public readonly ILoadBalancingPolicy Policy = policy;
        public readonly long SlowStartMs = (long)options.SlowStart.TotalMilliseconds;
    }
}
