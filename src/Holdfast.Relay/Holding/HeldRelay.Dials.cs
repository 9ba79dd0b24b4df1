using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>Who takes over: dials, greetings, refusals, and the legs without a client.</summary>
internal sealed partial class HeldRelay
{
    /// <summary>Milliseconds until endpoints that could not be reached are asked again; as much again at random.</summary>
    private const int RetryAfter = 100;

    /// <summary>An attempt failed; its pair is gone.</summary>
    public void OnRedialFailed(int number, int endpointId, RedialFailure failure)
    {
        ref var held = ref _held[number];
        held.Next = -1;
        held.Step = HoldStep.Waiting;
        OnRefused(ref held, endpointId, failure);
        _ = Advance(held.PairIndex);
    }

    /// <summary>An endpoint agreed. <paramref name="received"/> came right behind its head.</summary>
    public void OnRedialed(int number, int companion, ReadOnlySpan<byte> received)
    {
        ref var held = ref _held[number];
        ref var next = ref _core.Pairs[companion];
        var index = held.PairIndex;
        next.Up.Scanner = new FrameScanner(FrameSender.Server, ReservedBits.Refused);
        next.Up.LastReceived = _core.Now;
        held.Step = HoldStep.Greeting;
        held.StepEnds = _core.Now + held.HandshakeTimeout;
        Tell(ref held, static (session, output) => session.Greet(output));
        if (!SendOutput(index))
            return;
        if (!received.IsEmpty)
        {
            // Law 6 caps the head, and what came with it is no more than a read.
            received.CopyTo(_core.Buffer.AsSpan(EventLoop.LoopCore.Headroom));
            var generation = next.Generation;
            if (_held.SessionOf(number) is null && (!Advance(index) || held.Next >= 0))
                return;     // It went to the client's pair, which reads on; or nothing moved.
            if (held.Next == companion && next.Generation == generation)
            {
                if (!Scan(index, SessionLeg.Next, ref next.Up, received.Length))
                    return;
            }
            else if (HasCurrent(in _core.Pairs[index]) && !_relay.Accept(index, Side.Upstream, received))
            {
                return;
            }
        }

        if (held.Next >= 0)
            _core.Enqueue(held.Next, Side.Upstream);
        _ = Advance(index);
    }

    public void OnCompanionEvent(int companion, EpollEvents events)
    {
        ref var leg = ref _core.Pairs[companion].Up;
        if ((events & (EpollEvents.In | EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) != 0)
            leg.Flags |= LegFlags.Readable;
        if ((events & (EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) != 0)
            leg.Flags |= LegFlags.HungUp;
        if ((events & EpollEvents.Out) != 0 && !leg.Spill.IsEmpty)
            _ = _relay.Flush(companion, ref _core.Pairs[companion], Side.Upstream);
        ReadCompanion(companion);
    }

    public void OnCompanionReady(int companion)
    {
        _core.Pairs[companion].Up.Flags &= ~LegFlags.Queued;
        ReadCompanion(companion);
    }

    /// <summary>Dials another endpoint. It may have failed when this returns.</summary>
    private void Dial(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var handshake = _handshakes.BeginRedial(pair.Held, in pair);
        if (handshake is null)
        {
            held.DialAt = _core.Now + RetryAfter;
            return;
        }

        (handshake.ConnectTimeout, handshake.HandshakeTimeout) = (held.ConnectTimeout, held.HandshakeTimeout);
        handshake.SubProtocol = held.SubProtocol;
        Span<int> tried = stackalloc int[TriedEndpoints.Length];
        for (var i = 0; i < held.TriedCount; i++)
            tried[i] = held.Tried[i];
        var request = new RehomeRequest
        {
            BackendId = pair.Settings.BackendId,
            Head = held.Head.Bytes,
            Number = held.Rehomes + 1,
            Tried = tried[..held.TriedCount],
        };
        held.Next = handshake.PairIndex;
        if (!Policy.TryPrepare(handshake, in request))
        {
            held.Next = -1;
            _handshakes.CancelRedial(handshake.PairIndex);
            if (held.Refusals > 0)
            {
                held.Refusals = MostRefusals;       // All the others have refused.
                return;
            }

            // Whoever could not be reached may be there again; the endpoint that is left only if it is lost.
            held.TriedCount = (byte)(HasCurrent(in pair) ? 1 : 0);
            held.DialAt = _core.Now + RetryAfter + (long)(_core.Random.NextDouble() * RetryAfter);
            return;
        }

        held.Step = HoldStep.Dialing;
        _handshakes.Redial(handshake);
    }

    private void OnRefused(ref HeldPair held, int endpointId, RedialFailure failure)
    {
        held.DialAt = _core.Now;
        held.Refusals = failure switch
        {
            RedialFailure.Final => MostRefusals,
            RedialFailure.Refused => (byte)(held.Refusals + 1),
            _ => held.Refusals,
        };
        held.Tried[Math.Min((int)held.TriedCount, TriedEndpoints.Length - 1)] = endpointId;
        held.TriedCount = (byte)Math.Min(held.TriedCount + 1, TriedEndpoints.Length);
    }

    /// <summary>The endpoint that was greeted left, or did not answer in time.</summary>
    private void OnNextGone(ref HeldPair held)
    {
        ref var next = ref _core.Pairs[held.Next];
        var session = SessionOf(in held);
        var isFinal = next.CloseCode != 0 && session is not null && session.IsFinalRefusal(next.CloseCode);
        var endpoint = next.Settings.EndpointId;
        DropNext(ref held);
        Tell(ref held, static (session, _) => session.OnNextGone());
        held.Step = HoldStep.Waiting;
        var failure = Policy.IsLeaving(endpoint) ? RedialFailure.Unavailable : RedialFailure.Refused;
        OnRefused(ref held, endpoint, isFinal ? RedialFailure.Final : failure);
    }

    private void ReadCompanion(int companion)
    {
        var generation = _core.Pairs[companion].Generation;
        for (var turn = 0; turn < 4; turn++)
        {
            ref var pair = ref _core.Pairs[companion];
            if (pair.Generation != generation || pair.State != PairState.Companion)
                return;
            ref var leg = ref pair.Up;
            if ((leg.Flags & (LegFlags.Readable | LegFlags.ReadDone)) != LegFlags.Readable)
                return;
            ref var held = ref _held[pair.Held];
            var index = held.PairIndex;
            var origin = held.Next == companion ? SessionLeg.Next : SessionLeg.Previous;
            if ((origin == SessionLeg.Previous && !_core.Pairs[index].Down.Spill.IsEmpty) || IsOthersMessage(in held, origin))
            {
                leg.Flags |= LegFlags.Paused;
                return;
            }

            var n = Sys.Receive(leg.Fd, _core.Buffer.AsSpan(EventLoop.LoopCore.Headroom, EventLoop.LoopCore.ReadSize));
            if (n == -(int)Errno.Again)
            {
                leg.Flags &= ~LegFlags.Readable;
                return;
            }

            if (n <= 0)
            {
                leg.Flags |= LegFlags.ReadDone;
                _ = Advance(index);
                return;
            }

            if (n < EventLoop.LoopCore.ReadSize && !leg.Has(LegFlags.HungUp))
                leg.Flags &= ~LegFlags.Readable;
            leg.LastReceived = _core.Now;
            if (!Scan(index, origin, ref leg, n) || !Advance(index))
                return;
        }

        ref var last = ref _core.Pairs[companion];
        if (last.Generation == generation && last.State == PairState.Companion)
            _core.Enqueue(companion, Side.Upstream);
    }
}
