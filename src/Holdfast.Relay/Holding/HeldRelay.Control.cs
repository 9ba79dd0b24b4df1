using System.Buffers.Binary;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>
/// Control frames, which are never buffered: pings reach who can answer them or are answered here, pongs reach who asked, and a Close is relayed or is the
/// news that an endpoint leaves.
/// </summary>
internal sealed partial class HeldRelay
{
    /// <summary>Bytes of unanswered pings that are remembered; the oldest are forgotten (RFC 6455 5.5.3: only the newest must be answered).</summary>
    private const int MostPings = 1024;

    /// <summary>A control frame, or a violation. <paramref name="goesOn"/>: the leg's next bytes are to be looked at. False: the pair is gone.</summary>
    private bool OnControl(int index, SessionLeg origin, ref Leg from, ReadOnlySpan<byte> frame, bool isViolation, out bool goesOn)
    {
        goesOn = false;
        if (isViolation)
            return OnViolation(index, origin, ref from);
        Span<byte> payload = stackalloc byte[FrameWriter.MaxControlPayload];
        payload = payload[..(frame.Length - from.Scanner.HeaderLength)];
        frame[from.Scanner.HeaderLength..].CopyTo(payload);
        if (origin == SessionLeg.Client)
            Masking.Apply(payload, from.Scanner.MaskKey, 0);
        goesOn = true;
        switch (from.Scanner.Opcode)
        {
            case Opcode.Ping when origin == SessionLeg.Client:
                return OnClientPing(index, frame, payload);
            case Opcode.Ping:
                return OnEndpointPing(index, origin, frame, payload);
            case Opcode.Pong when origin == SessionLeg.Client:
                return OnClientPong(index, frame, payload);
            case Opcode.Pong:
                return OnEndpointPong(index, origin, ref from, frame, payload);
            default:
                goesOn = false;
                if (!ClosePayload.TryParse(payload, out var code, out _))
                    return OnViolation(index, origin, ref from);
                from.Flags |= LegFlags.CloseReceived;
                return origin switch
                {
                    SessionLeg.Client => OnClientClose(index, frame, code),
                    SessionLeg.Current => OnCurrentClose(index, frame, code),
                    _ => OnCompanionClose(index, origin, code),
                };
        }
    }

    private bool OnViolation(int index, SessionLeg origin, ref Leg from)
    {
        ref var pair = ref _core.Pairs[index];
        if (origin is SessionLeg.Client or SessionLeg.Current)
            return _relay.OnProtocolError(index, ref pair, origin == SessionLeg.Client ? Side.Downstream : Side.Upstream);
        from.Flags |= LegFlags.ReadDone;    // A companion that breaks the protocol is as good as gone.
        return true;
    }

    private bool OnClientPing(int index, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> payload)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (!HasCurrent(in pair) || held.Has(HoldFlags.CloseSent) || pair.Up.Has(LegFlags.CloseReceived))
            return SendPong(index, payload);
        ref var up = ref pair.Up;
        up.RelayedPingHash = PairRelay.HashOf(payload);
        if (!up.Has(LegFlags.RelayedPingPending))
            up.RelayedPingAt = _core.Now;
        up.Flags |= LegFlags.RelayedPingPending;
        if (up.Has(LegFlags.PingPending))
            up.Flags |= LegFlags.RelayedAfterOwn;
        held.RelayedMark = held.Written;
        Remember(ref held, payload);
        pair.LastRelayed = _core.Now;
        return _relay.Send(index, ref pair, Side.Upstream, frame);
    }

    private bool OnEndpointPing(int index, SessionLeg origin, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> payload)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (origin == SessionLeg.Next)
        {
            // The client knows nothing of it yet.
            Span<byte> pong = stackalloc byte[FrameWriter.MaxControlFrame];
            var length = FrameWriter.WriteControl(pong, Opcode.Pong, payload, _core.Random.NextUInt32());
            return _relay.Send(held.Next, ref _core.Pairs[held.Next], Side.Upstream, pong[..length]);
        }

        ref var down = ref pair.Down;
        down.RelayedPingHash = PairRelay.HashOf(payload);
        if (!down.Has(LegFlags.RelayedPingPending))
            down.RelayedPingAt = _core.Now;
        down.Flags |= LegFlags.RelayedPingPending;
        if (down.Has(LegFlags.PingPending))
            down.Flags |= LegFlags.RelayedAfterOwn;
        held.Set(HoldFlags.PongToPrevious, origin == SessionLeg.Previous);
        pair.LastRelayed = _core.Now;
        return SendControlDown(index, frame);
    }

    private bool OnClientPong(int index, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> payload)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var isAsked = pair.Down.Has(LegFlags.RelayedPingPending);
        if (!PairRelay.OnPong(ref pair.Down, payload))
            return true;
        if (held.Has(HoldFlags.PongToPrevious))
            return held.Previous < 0 || _relay.Send(held.Previous, ref _core.Pairs[held.Previous], Side.Upstream, frame);
        // After a re-home the current endpoint gets no pong that it has not asked for: it answers a ping of one that is gone.
        if (!HasCurrent(in pair) || held.Has(HoldFlags.CloseSent) || (held.Rehomes > 0 && !isAsked))
            return true;
        pair.LastRelayed = _core.Now;
        return _relay.Send(index, ref pair, Side.Upstream, frame);
    }

    private bool OnEndpointPong(int index, SessionLeg origin, ref Leg from, ReadOnlySpan<byte> frame, ReadOnlySpan<byte> payload)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (origin == SessionLeg.Next)
            return true;
        var isOwn = from.Has(LegFlags.PingPending) && payload.Length == PairRelay.PingPayload
            && BinaryPrimitives.ReadUInt64LittleEndian(payload) == from.PingTag;
        var answersRelayed = !isOwn && from.Has(LegFlags.RelayedPingPending) && PairRelay.HashOf(payload) == from.RelayedPingHash;
        var settlesOwn = isOwn || (answersRelayed && from.Has(LegFlags.RelayedAfterOwn) && from.Has(LegFlags.PingPending));
        var relayed = PairRelay.OnPong(ref from, payload);
        if (origin == SessionLeg.Current)
        {
            if (settlesOwn)
                OnFenced(ref held, held.PingMark);
            if (answersRelayed)
                OnFenced(ref held, held.RelayedMark);
        }

        if (!relayed)
            return true;
        Forget(ref held, payload);
        pair.LastRelayed = _core.Now;
        return SendControlDown(index, frame);
    }

    /// <summary>The client leaves: that ends the pair in every step.</summary>
    private bool OnClientClose(int index, ReadOnlySpan<byte> frame, ushort code)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (PairRelay.SetEnd(ref pair, EndReason.DownstreamClose, EndSide.Downstream))
            pair.CloseCode = code;
        var reachesEndpoint = HasCurrent(in pair) && !held.Has(HoldFlags.CloseSent) && !pair.Up.Has(LegFlags.CloseReceived);
        Stop(ref held, RehomeOutcome.ClientGone);
        if (reachesEndpoint && !held.Has(HoldFlags.UpInFrame))
        {
            pair.Up.Flags |= LegFlags.CloseSent;
            return _relay.Send(index, ref pair, Side.Upstream, frame) && _relay.OnCloseRelayed(index, ref pair, Side.Downstream);
        }

        return _relay.Close(index, EndReason.DownstreamClose, EndSide.Downstream, code == 0 ? CloseCode.NoStatus : (CloseCode)code, CloseCode.GoingAway);
    }

    private bool OnCurrentClose(int index, ReadOnlySpan<byte> frame, ushort code)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (pair.Down.Has(LegFlags.CloseReceived) || !(held.Step == HoldStep.Leaving || IsRehomed(in pair, code)))
            return RelayClose(index, frame, code);
        if (held.Step == HoldStep.Leaving)
            return LeaveCurrent(index);
        if (!pair.Up.Has(LegFlags.CloseSent) && !held.Has(HoldFlags.UpInFrame))
        {
            Span<byte> echo = stackalloc byte[FrameWriter.MaxControlFrame];
            var length = FrameWriter.WriteClose(echo, code == 0 ? CloseCode.NoStatus : (CloseCode)code, [], _core.Random.NextUInt32());
            pair.Up.Flags |= LegFlags.CloseSent;    // Should the pair end with this loss, the endpoint is not told twice.
            if (!_relay.Send(index, ref pair, Side.Upstream, echo[..length]))
                return false;
        }

        return LoseCurrent(index, RehomeCause.CloseFirst);
    }

    /// <summary>DESIGN section 8's table of closes.</summary>
    private bool IsRehomed(in Pair pair, ushort code) => (CloseCode)code switch
    {
        CloseCode.GoingAway or CloseCode.ServiceRestart or CloseCode.TryAgainLater or CloseCode.BadGateway => true,
        CloseCode.InternalError => _held.SettingsOf(pair.Held).RehomeOnServerError || Policy.IsLeaving(pair.Settings.EndpointId),
        0 => Policy.IsLeaving(pair.Settings.EndpointId),
        _ => false,
    };

    private bool RelayClose(int index, ReadOnlySpan<byte> frame, ushort code)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (PairRelay.SetEnd(ref pair, EndReason.UpstreamClose, EndSide.Upstream))
            pair.CloseCode = code;
        Stop(ref held, RehomeOutcome.Ended);
        if (held.Has(HoldFlags.DownInFrame))
            return _relay.Close(index, EndReason.UpstreamClose, EndSide.Upstream, 0, CloseCode.GoingAway);
        pair.Down.Flags |= LegFlags.CloseSent;
        return _relay.Send(index, ref pair, Side.Downstream, frame) && _relay.OnCloseRelayed(index, ref pair, Side.Upstream);
    }

    private bool OnCompanionClose(int index, SessionLeg origin, ushort code)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        var companion = origin == SessionLeg.Next ? held.Next : held.Previous;
        ref var pair = ref _core.Pairs[companion];
        pair.CloseCode = code;
        Span<byte> echo = stackalloc byte[FrameWriter.MaxControlFrame];
        var length = FrameWriter.WriteClose(echo, code == 0 ? CloseCode.NoStatus : (CloseCode)code, [], _core.Random.NextUInt32());
        if (!pair.Up.Has(LegFlags.CloseSent))
            _ = _relay.Send(companion, ref pair, Side.Upstream, echo[..length]);
        pair.Up.Flags |= LegFlags.CloseSent;
        return true;    // Advance does the rest.
    }

    private bool SendPong(int index, ReadOnlySpan<byte> payload)
    {
        Span<byte> pong = stackalloc byte[FrameWriter.MaxControlFrame];
        return SendControlDown(index, pong[..FrameWriter.WriteControl(pong, Opcode.Pong, payload, null)]);
    }

    /// <summary>Control frames may come between the frames of a message, not inside one (RFC 6455 5.4).</summary>
    private bool SendControlDown(int index, ReadOnlySpan<byte> frame)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (!held.Has(HoldFlags.DownInFrame))
            return _relay.Send(index, ref pair, Side.Downstream, frame);
        held.Owed.Append(frame);
        return true;
    }

    /// <summary>Pings relayed to an endpoint that ends without answering are answered here. False: the pair is gone.</summary>
    private bool AnswerPings(int index)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        while (!held.Pings.IsEmpty)
        {
            var length = held.Pings.Bytes[0];
            if (!SendPong(index, held.Pings.Bytes.Slice(1, length)))
                return false;
            held.Pings.Consume(1 + length);
        }

        return true;
    }

    private static void Remember(ref HeldPair held, ReadOnlySpan<byte> payload)
    {
        while (held.Pings.Length + payload.Length >= MostPings)
            held.Pings.Consume(1 + held.Pings.Bytes[0]);
        held.Pings.Append([(byte)payload.Length]);
        held.Pings.Append(payload);
    }

    /// <summary>A pong answers its ping and those before it.</summary>
    private static void Forget(ref HeldPair held, ReadOnlySpan<byte> payload)
    {
        var rest = held.Pings.Bytes;
        while (!rest.IsEmpty)
        {
            var ping = rest.Slice(1, rest[0]);
            rest = rest[(1 + ping.Length)..];
            if (!ping.SequenceEqual(payload))
                continue;
            held.Pings.Consume(held.Pings.Length - rest.Length);
            return;
        }
    }
}
