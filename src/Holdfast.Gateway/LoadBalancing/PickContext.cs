namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// What a pick needs to know beside the endpoints. Lives on the caller's stack; <see cref="Random"/> belongs to the calling thread.
/// </summary>
/// <param name="random">Not shared between threads.</param>
/// <param name="nowMs">The clock that <see cref="EndpointState.ReadySince"/> was stamped with.</param>
/// <param name="slowStartMs">0: none.</param>
/// <param name="excluded">Ids of endpoints that this handshake has tried.</param>
/// <param name="phase">The phase that may be picked: Ready, or when no endpoint is ready Draining, or Starting.</param>
/// <param name="room">What an endpoint may have at most to be picked.</param>
internal readonly ref struct PickContext(
    Random random, long nowMs, long slowStartMs, ReadOnlySpan<int> excluded, EndpointPhase phase = EndpointPhase.Ready, EndpointRoom room = default)
{
    /// <summary>
    /// The least share an endpoint has at the start of its slow start (Envoy's min_weight_percent of 10): with less, an idle one could
    /// wait long for the very traffic that warms it.
    /// </summary>
    public const double LeastFactor = 0.1;

    private readonly ReadOnlySpan<int> _excluded = excluded;

    public Random Random { get; } = random;

    /// <summary>Of the key that decides where a consistent hash goes; null: there is no key.</summary>
    public ulong? Hash { get; init; }

    /// <summary>A consistent hash picks no endpoint that has more than this times the mean of connections; 0: no bound.</summary>
    public double Bound { get; init; }

    /// <summary>In the phase asked for, healthy, and not tried before.</summary>
    public bool Suits(EndpointState endpoint) =>
        endpoint.Phase == phase && endpoint.Health == EndpointHealth.Healthy && !_excluded.Contains(endpoint.Id);

    /// <summary>It suits, and has room.</summary>
    public bool Allows(EndpointState endpoint) => Suits(endpoint) && room.Has(endpoint);

    /// <summary>From <see cref="LeastFactor"/> to 1: grows with the time since the endpoint became Ready. Draining ones are warm.</summary>
    public double Factor(EndpointState endpoint)
    {
        if (slowStartMs <= 0 || phase != EndpointPhase.Ready)
            return 1;
        var elapsed = nowMs - endpoint.ReadySince;
        return elapsed >= slowStartMs ? 1 : Math.Max(LeastFactor, (double)elapsed / slowStartMs);
    }

    /// <summary>Connections and requests it would have, as they weigh during slow start (as Envoy's least request).</summary>
    public double Load(EndpointState endpoint) => (endpoint.InUse + 1) / Factor(endpoint);
}

/// <summary>What one endpoint may have at most; 0: any number.</summary>
/// <param name="Connections">Open ones, handshakes, and plain requests in flight.</param>
/// <param name="Handshakes">Under way.</param>
internal readonly record struct EndpointRoom(int Connections, int Handshakes)
{
    public bool Has(EndpointState endpoint) =>
        (Connections == 0 || endpoint.InUse < Connections) && (Handshakes == 0 || endpoint.Handshakes < Handshakes);
}
