using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Handshakes;

/// <summary>
/// Handshakes of re-homes: the upstream half alone, on a pair without a client. Each attempt is a handshake of its own; whether and when another
/// follows is for <see cref="HeldRelay"/>.
/// </summary>
internal sealed partial class HandshakeDriver
{
    /// <summary>A pair and a handshake for one attempt; null: the table is full. Ends with <see cref="Redial"/> or <see cref="CancelRedial"/>.</summary>
    public Handshake? BeginRedial(int heldIndex, in Pair client)
    {
        var index = _core.Rent();
        if (index < 0)
            return null;
        ref var pair = ref _core.Pairs[index];
        pair.Client = client.Client;
        pair.ListenerId = client.ListenerId;
        pair.AcceptedAt = _core.Now;
        pair.Held = heldIndex;
        // Replayed state and what waited are bounded by themselves.
        pair.Settings.SpillCap = int.MaxValue / 2;
        var handshake = Begin(index, ref pair);
        handshake.Id = client.Id;
        handshake.Path = client.Path;
        handshake.Held = heldIndex;
        return handshake;
    }

    /// <summary>Dials what the policy has prepared. It may fail, and be told to the held pair, before this returns.</summary>
    public void Redial(Handshake handshake)
    {
        var index = handshake.PairIndex;
        ref var pair = ref _core.Pairs[index];
        pair.State = PairState.Connecting;
        Advance(index, ref pair, handshake, HandshakeStep.Dial);
    }

    /// <summary>Nobody waits for it any more.</summary>
    public void CancelRedial(int index) => Abandon(index, ref _core.Pairs[index], HandshakeEnd.ClientGone);

    private void FailRedial(int index, ref Pair pair, Handshake handshake)
    {
        var (held, failure, endpoint) = (handshake.Held, handshake.Failure, handshake.Settings.EndpointId);
        _held!.Policy.OnHandshakeEnded(handshake, HandshakeEnd.Refused);
        Release(ref pair);
        _core.Free(index);
        _held.OnRedialFailed(held, endpoint, failure);
    }

    private void CompleteRedial(int index, ref Pair pair, Handshake handshake, int end)
    {
        var held = handshake.Held;
        pair.Settings.EndpointId = handshake.Settings.EndpointId;
        pair.State = PairState.Companion;
        pair.HandshakeIndex = -1;
        pair.Deadline = 0;
        _core.Timers.Disarm(index);
        _held!.Policy.OnDialed(handshake);
        // The pair may be gone, or the leg another's, when this returns.
        _held.OnRedialed(held, index, handshake.ResponseReceived.Bytes[end..]);
        Recycle(handshake);
    }
}
