using Holdfast.Relay.Pairs;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>How upstream legs end, and how a re-home fails.</summary>
internal sealed partial class HeldRelay
{
    /// <summary>A read of a leg of the pair with the client ended. False: for the relay to end as for any pair.</summary>
    public bool OnReadEnded(int index, Side side, EndReason reason, out bool alive)
    {
        alive = true;
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (side == Side.Downstream)
        {
            if (!IsMoving(in held) && HasCurrent(in pair))
            {
                Stop(ref held, RehomeOutcome.ClientGone);
                return false;
            }

            alive = _relay.EndNow(index, ref pair, reason, EndSide.Downstream);
            return true;
        }

        // A client that ended first makes the endpoint's end no loss.
        if (pair.Up.Has(LegFlags.CloseReceived) || (pair.Down.Flags & (LegFlags.CloseReceived | LegFlags.ReadDone)) != 0)
            return false;
        alive = (held.Step == HoldStep.Leaving ? LeaveCurrent(index) : LoseCurrent(index, RehomeCause.Crash)) && Advance(index);
        return true;
    }

    /// <summary>The current endpoint answers no ping, or takes no byte. False: for the relay to end.</summary>
    public bool OnUpstreamDead(int index)
    {
        ref var pair = ref _core.Pairs[index];
        if ((pair.Down.Flags & (LegFlags.CloseReceived | LegFlags.ReadDone)) != 0)
            return false;
        _ = LoseCurrent(index, RehomeCause.Crash) && Advance(index);
        return true;
    }

    /// <summary>
    /// The current endpoint is gone, not by our leave. What it was sent and may not have read is unknown; the client waits for another, and
    /// Advance finds it. False: the pair is gone.
    /// </summary>
    private bool LoseCurrent(int index, RehomeCause cause)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (!IsMoving(in held))
        {
            BeginMoving(index, ref held, cause);
            held.ShortLived = held.Rehomes > 0 && _core.Now - held.RehomedAt < ShortLife ? (byte)(held.ShortLived + 1) : (byte)0;
            held.Step = HoldStep.Waiting;
            held.DialAt = _budget.Take(pair.Settings.BackendId, _held.SettingsOf(pair.Held).RatePerSecond, _core.Now);
        }

        held.Cause = cause;
        CountUnknown(ref held);
        if (held.Has(HoldFlags.DownOpen) && held.DownOwner == Wire.Sessions.SessionLeg.Current)
            return EndTorn(index);
        if (held.ShortLived >= MostRefusals)
            return Fail(index, RehomeOutcome.Refused, EndReason.RehomeRefused);
        return DropCurrent(index);
    }

    /// <summary>The current endpoint has had its leave, and has said its last. False: the pair is gone.</summary>
    private bool LeaveCurrent(int index)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        if (held.Has(HoldFlags.CutShort))
            CountUnknown(ref held);
        if (held.Has(HoldFlags.DownOpen) && held.DownOwner == Wire.Sessions.SessionLeg.Current)
            return EndTorn(index);
        return DropCurrent(index);
    }

    private bool DropCurrent(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        held.Set(HoldFlags.SwallowRest, held.Has(HoldFlags.UpOpen) || held.Has(HoldFlags.SwallowRest));
        held.Set(HoldFlags.UpOpen | HoldFlags.UpInFrame | HoldFlags.CloseSent, false);
        held.FenceAt = 0;
        StartHolding(ref held);
        held.PatienceEnds = _core.Now + _held.SettingsOf(pair.Held).Patience;
        if (held.Step is HoldStep.Fencing or HoldStep.Quieting or HoldStep.Leaving && held.Next < 0)
        {
            held.Step = HoldStep.Waiting;
            held.DialAt = _core.Now;
        }

        held.Waiting.Release();     // They are no news without what was to come between; the machine has forgotten them too.
        _relay.DropLeg(ref pair, Side.Upstream, abort: false);
        pair.Up.Flags &= ~(LegFlags.PingPending | LegFlags.RelayedPingPending | LegFlags.RelayedAfterOwn);
        if (!held.Has(HoldFlags.PongToPrevious))
            pair.Down.Flags &= ~LegFlags.RelayedPingPending;
        pair.DrainAt = _core.Drains.Reason == EndReason.Shutdown ? pair.DrainAt : 0;
        held.Set(HoldFlags.Planned, false);
        Tell(ref held, static (session, output) => session.OnLost(output));
        if (!SendOutput(index))
            return false;
        if (SessionOf(in held) is { CanMove: false })
            return Fail(index, RehomeOutcome.Refused, EndReason.RehomeRefused);
        return AnswerPings(index);
    }

    /// <summary>Messages written after the last ping whose pong came; the one under way with them.</summary>
    private static void CountUnknown(ref HeldPair held)
    {
        var unknown = held.Written - held.Fenced + (held.Has(HoldFlags.UpOpen) ? 1 : 0);
        held.Unknown += unknown;
        held.UnknownNow += unknown;
        held.Fenced = held.Written;
    }

    /// <summary>A re-home begins, for the first cause there is.</summary>
    private void BeginMoving(int index, ref HeldPair held, RehomeCause cause)
    {
        held.Cause = cause;
        held.FromEndpoint = _core.Pairs[index].Settings.EndpointId;
        held.Refusals = 0;
        held.UnknownNow = 0;
        held.Set(HoldFlags.CutShort, false);
        held.Tried[0] = held.FromEndpoint;
        held.TriedCount = 1;
    }

    /// <summary>No other endpoint can end a message that this one began.</summary>
    private bool EndTorn(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var inFrame = held.Has(HoldFlags.DownInFrame);
        if (IsMoving(in held))
            Report(ref held, RehomeOutcome.Ended, -1);
        held.Step = HoldStep.None;
        _relay.DropLeg(ref pair, Side.Upstream, abort: false);
        if (inFrame)
            return _relay.EndNow(index, ref pair, EndReason.TornMessage, EndSide.Upstream);
        return _relay.Close(index, EndReason.TornMessage, EndSide.Upstream, CloseCode.ServiceRestart, 0);
    }

    /// <summary>Nobody takes over. False: the pair is gone.</summary>
    private bool Fail(int index, RehomeOutcome outcome, EndReason reason)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        Report(ref held, outcome, -1);
        held.Step = HoldStep.None;
        return _relay.Close(index, reason, EndSide.Upstream, CloseCode.ServiceRestart, CloseCode.GoingAway);
    }

    /// <summary>The endpoint to come is no longer wanted, or is gone.</summary>
    private void DropNext(ref HeldPair held)
    {
        if (held.Next < 0)
            return;
        var next = held.Next;
        held.Next = -1;
        ref var pair = ref _core.Pairs[next];
        if (pair.State == PairState.Companion)
        {
            Policy.Release(pair.Settings.EndpointId);
            _core.Free(next);
        }
        else
        {
            _handshakes.CancelRedial(next);
        }
    }

    private void DropPrevious(ref HeldPair held)
    {
        held.Part = PartStep.None;
        if (held.Previous < 0)
            return;
        var previous = held.Previous;
        held.Previous = -1;
        if (held.Has(HoldFlags.PongToPrevious))
            _core.Pairs[held.PairIndex].Down.Flags &= ~LegFlags.RelayedPingPending;     // Nobody is left to hear the pong.
        held.Set(HoldFlags.PongToPrevious, false);
        Policy.Release(_core.Pairs[previous].Settings.EndpointId);
        _core.Free(previous);
    }

    /// <summary>Tells an upstream leg that it is left. A leg in the middle of a client's frame is just closed later.</summary>
    private bool SendLeave(int index)
    {
        ref var pair = ref _core.Pairs[index];
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        var length = FrameWriter.WriteClose(frame, CloseCode.GoingAway, [], _core.Random.NextUInt32());
        pair.Up.Flags |= LegFlags.CloseSent;
        return _relay.Send(index, ref pair, Side.Upstream, frame[..length]);
    }
}
