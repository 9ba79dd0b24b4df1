using Holdfast.Api.Configuration;
using Holdfast.Gateway.Discovery;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// One backend, from the first time that its name is configured on. Options, endpoints and policy form one snapshot that is swapped whole: a pick sees
/// either the old or the new one. Thread-safe; <see cref="Apply"/> is called by one thread at a time.
/// </summary>
internal sealed class BackendState
{
    private volatile Snapshot _snapshot;
    private volatile DiscoveryStatus? _discovery;

    public BackendState(int id, BackendOptions options, EndpointState[] endpoints)
    {
        Id = id;
        Name = options.Name;
        _snapshot = new Snapshot(options, endpoints, [], LoadBalancingPolicies.Create(options.LoadBalancing));
    }

    public string Name { get; }

    /// <summary>Unique in this process, never reused.</summary>
    public int Id { get; }

    public BackendOptions Options => _snapshot.Options;

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
    }

    /// <summary>The endpoint with this address that is not Gone, leaving ones included, or null.</summary>
    public EndpointState? Find(EndpointAddress address)
    {
        var snapshot = _snapshot;
        return Find(snapshot.Endpoints, address) ?? Find(snapshot.Leaving, address);
    }

    /// <summary>
    /// Picks an endpoint and counts a connection on it: the caller calls <see cref="EndpointState.Release"/> exactly once. Ready and healthy
    /// endpoints first; when there is none, draining ones that still serve. Null when none is left. Allocates nothing.
    /// </summary>
    /// <param name="random">Belongs to the calling thread.</param>
    /// <param name="nowMs">The clock that the endpoints were marked Ready with.</param>
    /// <param name="excluded">Ids of endpoints that this handshake has tried.</param>
    public EndpointState? Reserve(Random random, long nowMs, ReadOnlySpan<int> excluded)
    {
        var snapshot = _snapshot;
        var picked = snapshot.Policy.Pick(snapshot.Endpoints, new PickContext(random, nowMs, snapshot.SlowStartMs, excluded))
            ?? snapshot.Policy.Pick(snapshot.Endpoints, new PickContext(random, nowMs, snapshot.SlowStartMs, excluded, EndpointPhase.Draining));
        picked?.Reserve();
        return picked;
    }

    public override string ToString() => Name;

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
