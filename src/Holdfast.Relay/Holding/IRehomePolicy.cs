using Holdfast.Relay.Handshakes;

namespace Holdfast.Relay.Holding;

/// <summary>Why another endpoint did not take a connection over.</summary>
public enum RedialFailure
{
    /// <summary>It could not be reached, or says that it cannot serve now: the same may succeed later.</summary>
    Unavailable = 0,

    /// <summary>It answered and refused, or agreed to something else than the first endpoint did.</summary>
    Refused = 1,

    /// <summary>It refused what the client showed of itself, as every other would.</summary>
    Final = 2,
}

/// <summary>What is asked of the next endpoint.</summary>
public readonly ref struct RehomeRequest
{
    public required int BackendId { get; init; }

    /// <summary>The request head as it was sent to the first endpoint.</summary>
    public required ReadOnlySpan<byte> Head { get; init; }

    /// <summary>From 1: which re-home of the connection this is.</summary>
    public required int Number { get; init; }

    /// <summary>Endpoints that are not to be asked.</summary>
    public required ReadOnlySpan<int> Tried { get; init; }
}

/// <summary>
/// Decides about the endpoints of held pairs. One instance per loop, called on its thread only; must not block. For a handshake that
/// <see cref="TryPrepare"/> filled, <see cref="IDialPolicy"/> is asked as for a client's; each ends with exactly one of <see cref="OnDialed"/> and
/// <see cref="IDialPolicy.OnHandshakeEnded"/>, and each endpoint that was dialled with one <see cref="Release"/>, or as its pair's endpoint.
/// </summary>
public interface IRehomePolicy : IDialPolicy
{
    /// <summary>Whether an endpoint other than this is ready and healthy.</summary>
    bool HasOther(int backendId, int endpointId);

    /// <summary>Whether an endpoint is draining or gone.</summary>
    bool IsLeaving(int endpointId);

    /// <summary>Picks an endpoint and writes its request. False: there is none.</summary>
    bool TryPrepare(Handshake handshake, in RehomeRequest request);

    /// <summary>The endpoint agreed, and the place taken on it is the connection's.</summary>
    void OnDialed(Handshake handshake);

    /// <summary>A connection to the endpoint is over, and its client's connection is not.</summary>
    void Release(int endpointId);

    void OnRehomed(in RehomeEnd end);

    /// <summary>A session machine threw: to be told to who can mend it.</summary>
    void OnBug(Exception exception);
}
