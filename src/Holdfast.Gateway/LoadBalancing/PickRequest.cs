using Holdfast.Gateway.Affinity;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>Who asks for an endpoint, and for what. Lives on the caller's stack.</summary>
/// <param name="random">Belongs to the calling thread.</param>
/// <param name="nowMs">The clock that the endpoints were marked Ready with.</param>
/// <param name="excluded">Ids of endpoints that this handshake, or request, has tried.</param>
internal readonly ref struct PickRequest(Random random, long nowMs, ReadOnlySpan<int> excluded)
{
    public Random Random { get; } = random;

    public long NowMs { get; } = nowMs;

    public ReadOnlySpan<int> Excluded { get; } = excluded;

    /// <summary>False: a plain request, which waits for no handshake and is counted beside connections.</summary>
    public bool IsHandshake { get; init; } = true;

    /// <summary>It need not wait for a place among an endpoint's handshakes: retries and re-homes go ahead of the queue.</summary>
    public bool IsAhead { get; init; }

    public AffinityKey Key { get; init; }
}

/// <summary>What came of asking for an endpoint.</summary>
internal enum Reservation
{
    /// <summary>A connection and a handshake are counted on it, or a request.</summary>
    Taken,

    /// <summary>No endpoint can serve.</summary>
    None,

    /// <summary>Every endpoint that could serve has as many connections as it may.</summary>
    Full,

    /// <summary>The endpoint that the key is bound to, or every one, has as many handshakes under way as it may.</summary>
    Busy,
}
