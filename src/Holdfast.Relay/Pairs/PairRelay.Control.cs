using System.Buffers.Binary;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>Control frames, whole: what is relayed, what is swallowed, what ends the pair (RFC 6455 5.5).</summary>
internal sealed partial class PairRelay
{
    internal const int PingPayload = sizeof(ulong);

    /// <summary>What is to be done with a control frame.</summary>
    private enum ControlFrame
    {
        Relay,

        /// <summary>The pong to our own ping.</summary>
        Swallow,

        /// <summary>Relay it, and nothing after it.</summary>
        Close,
        Violation,
    }

    /// <summary>Looks at a control frame received from a leg. What follows from it is done by the caller.</summary>
    private ControlFrame OnControl(ref Pair pair, Side side, ReadOnlySpan<byte> frame)
    {
        ref var from = ref pair.Legs[(int)side];
        ref var to = ref pair.Legs[(int)side ^ 1];
        Span<byte> payload = stackalloc byte[125];
        payload = payload[..(frame.Length - from.Scanner.HeaderLength)];
        frame[from.Scanner.HeaderLength..].CopyTo(payload);
        if (side == Side.Downstream)
            Masking.Apply(payload, from.Scanner.MaskKey, 0);

        switch (from.Scanner.Opcode)
        {
            case Opcode.Ping:
                to.RelayedPingHash = HashOf(payload);
                // The oldest unanswered one: a client that pings without an answer must not put off our own for ever.
                if (!to.Has(LegFlags.RelayedPingPending))
                    to.RelayedPingAt = _core.Now;
                to.Flags |= LegFlags.RelayedPingPending;
                if (to.Has(LegFlags.PingPending))
                    to.Flags |= LegFlags.RelayedAfterOwn;
                return ControlFrame.Relay;

            case Opcode.Pong:
                return OnPong(ref from, payload) ? ControlFrame.Relay : ControlFrame.Swallow;

            default:
                if (!ClosePayload.TryParse(payload, out var code, out _))
                    return ControlFrame.Violation;
                if (SetEnd(ref pair, side == Side.Downstream ? EndReason.DownstreamClose : EndReason.UpstreamClose, SideOf(side)))
                    pair.CloseCode = code;
                from.Flags |= LegFlags.CloseReceived;
                to.Flags |= LegFlags.CloseSent;
                return ControlFrame.Close;
        }
    }

    /// <summary>
    /// A peer answers pings in order, but may answer only the last: a pong settles every ping sent earlier on that leg, ours or relayed
    /// (RFC 6455 5.5.3). Ours is swallowed (false); a repeat of it, or any other pong, is the client's or endpoint's own business.
    /// </summary>
    internal static bool OnPong(ref Leg from, ReadOnlySpan<byte> payload)
    {
        if (from.Has(LegFlags.PingPending) && payload.Length == PingPayload && BinaryPrimitives.ReadUInt64LittleEndian(payload) == from.PingTag)
        {
            if (!from.Has(LegFlags.RelayedAfterOwn))
                from.Flags &= ~LegFlags.RelayedPingPending;
            from.Flags &= ~(LegFlags.PingPending | LegFlags.RelayedAfterOwn);
            return false;
        }

        if (from.Has(LegFlags.RelayedPingPending) && HashOf(payload) == from.RelayedPingHash)
        {
            if (from.Has(LegFlags.RelayedAfterOwn))
                from.Flags &= ~LegFlags.PingPending;
            from.Flags &= ~(LegFlags.RelayedPingPending | LegFlags.RelayedAfterOwn);
        }

        return true;
    }

    /// <summary>FNV-1a: only tells the last relayed ping from earlier ones; nothing rests on it being hard to forge.</summary>
    internal static ulong HashOf(ReadOnlySpan<byte> bytes)
    {
        var hash = 14695981039346656037ul;
        foreach (var b in bytes)
            hash = (hash ^ b) * 1099511628211ul;
        return hash;
    }

    /// <summary>
    /// Sends our ping to a leg if a frame boundary and an empty spill allow; else it waits for the boundary, and is dropped there if by then
    /// it is not due any more. False: the pair is gone.
    /// </summary>
    internal bool TryPing(int index, ref Pair pair, Side side)
    {
        ref var leg = ref pair.Legs[(int)side];
        if (!IsAtBoundary(in pair, side) || !leg.Spill.IsEmpty)
        {
            leg.Flags |= LegFlags.PingWanted;
            return true;
        }

        leg.Flags &= ~LegFlags.PingWanted;
        var isFence = pair.Held != 0 && side == Side.Upstream && _held.WantsFence(in pair);
        if (leg.Has(LegFlags.WriteFailed) || (!isFence && PingDeadline(in leg, in pair.Settings, _core.Now) > _core.Now))
            return true;
        // A ping that is still pending keeps its tag: whichever pong comes is swallowed, and tells of the first only.
        var isRepeated = leg.Has(LegFlags.PingPending);
        if (!isRepeated)
            leg.PingTag = _core.Random.NextUInt64();
        leg.Flags |= LegFlags.PingPending;
        leg.Flags &= ~LegFlags.RelayedAfterOwn;
        leg.PingSentAt = _core.Now;
        if (pair.Held != 0 && side == Side.Upstream && !isRepeated)
            _held.OnPingSent(in pair);
        Span<byte> payload = stackalloc byte[PingPayload];
        BinaryPrimitives.WriteUInt64LittleEndian(payload, leg.PingTag);
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        var length = FrameWriter.WriteControl(frame, Opcode.Ping, payload, MaskFor(side));
        if (!Send(index, ref pair, side, frame[..length]))
            return false;
        ArmTimer(index, ref pair);
        return true;
    }

    /// <summary>What we send upstream is masked with a fresh key (RFC 6455 5.3); what we send downstream is not masked.</summary>
    internal uint? MaskFor(Side side) => side == Side.Upstream ? _core.Random.NextUInt32() : null;
}
