using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>Where a re-home stands, what is due, and when to look again.</summary>
internal sealed partial class HeldRelay
{
    /// <summary>How often a drain that finds no other endpoint ready looks again, in milliseconds; as much again at random.</summary>
    private const int LookAgain = 200;

    /// <summary>The pair's timer fired while it relays. False: the pair is gone or closing.</summary>
    public bool OnTimer(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (pair.DrainAt != 0 && pair.DrainAt <= _core.Now && _core.Drains.Reason == EndReason.Drained && _held.SessionOf(pair.Held) is not { CanMove: false })
        {
            pair.DrainAt = 0;
            held.Set(HoldFlags.Planned, true);
        }

        if (!TryFence(index))
            return false;
        if (held.FenceAt != 0 && held.FenceAt <= _core.Now)
            held.FenceAt = _core.Now + _held.SettingsOf(pair.Held).Fence;      // Another ping is unanswered, whose pong may do.
        return Advance(index) && pair.State == PairState.Relaying;
    }

    /// <summary>When to look at a pair again, in the loop's milliseconds.</summary>
    public long NextLook(in Pair pair)
    {
        ref var held = ref _held[pair.Held];
        var settings = _held.SettingsOf(pair.Held);
        var next = held.FenceAt == 0 ? long.MaxValue : held.FenceAt;
        if (held.PatienceEnds != 0)
            next = Math.Min(next, held.PatienceEnds);
        switch (held.Step)
        {
            case HoldStep.Budgeted or HoldStep.Waiting:
                next = Math.Min(next, held.DialAt);
                break;
            case HoldStep.Quieting:
                next = Math.Min(next, Math.Min(held.StepEnds, QuietAt(in held, settings)));
                break;
            case HoldStep.Fencing or HoldStep.Leaving or HoldStep.Greeting:
                next = Math.Min(next, held.StepEnds);
                break;
        }

        if (held.Previous >= 0)
            next = Math.Min(next, held.Part == PartStep.Ending ? Math.Min(held.PartEnds, held.PreviousAnsweredAt + settings.Quiet) : held.PartEnds);
        return next <= _core.Now ? _core.Now + Timers.TimerWheel.Resolution : next;
    }

    /// <summary>Whether the current endpoint is to be asked what it has read.</summary>
    public bool WantsFence(in Pair pair)
    {
        ref var held = ref _held[pair.Held];
        if (held.Written == held.Fenced && !(held.Part == PartStep.Overlapping && !held.Has(HoldFlags.OverlapBegun)))
            return false;
        ref readonly var up = ref pair.Legs[1];
        const LegFlags Over = LegFlags.CloseSent | LegFlags.CloseReceived | LegFlags.ReadDone | LegFlags.WriteFailed | LegFlags.FinSent | LegFlags.FinWanted;
        if (held.Has(HoldFlags.CloseSent) || (up.Flags & (LegFlags.PingPending | Over)) != 0)
            return false;
        // The pong to a relayed ping fences as well, if one comes.
        return !up.Has(LegFlags.RelayedPingPending) || _core.Now >= up.RelayedPingAt + Math.Max(pair.Settings.PongTimeout, 1);
    }

    /// <summary>Our ping to the current endpoint leaves.</summary>
    public void OnPingSent(in Pair pair)
    {
        ref var held = ref _held[pair.Held];
        held.PingMark = held.Written;
        held.FenceAt = 0;
    }

    /// <summary>
    /// Takes every step that is due, until none is. Not to be called while a leg's bytes are looked at. False: the pair is gone.
    /// </summary>
    private bool Advance(int index)
    {
        ref var pair = ref _core.Pairs[index];
        if (pair.State != PairState.Relaying)
            return true;    // It is closing.
        ref var held = ref _held[pair.Held];
        if (held.Has(HoldFlags.Broken))
            return _relay.Close(index, EndReason.InternalError, EndSide.Gateway, CloseCode.InternalError, CloseCode.GoingAway);
        if (held.Step == HoldStep.None && held.Previous < 0 && !held.Has(HoldFlags.Planned))
            return true;
        if (_advancing)
            return true;    // A dial that failed at once: the caller's turn goes on.
        _advancing = true;
        var alive = true;
        for (var seen = (HoldStep)byte.MaxValue; alive && pair.State == PairState.Relaying && seen != held.Step;)
        {
            seen = held.Step;
            alive = (held.Previous < 0 || Part(index)) && pair.State == PairState.Relaying && Step(index);
        }

        _advancing = false;
        if (alive && pair.State == PairState.Relaying)
            _relay.Rearm(index);
        return alive;
    }

    /// <summary>One step. False: the pair is gone, or closing.</summary>
    private bool Step(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (held.PatienceEnds != 0 && _core.Now >= held.PatienceEnds)
            return Fail(index, RehomeOutcome.TimedOut, EndReason.HoldExpired);
        if (held.Next >= 0 && _core.Pairs[held.Next].State == PairState.Companion
            && (_core.Pairs[held.Next].Up.Flags & (LegFlags.ReadDone | LegFlags.CloseReceived)) != 0)
            OnNextGone(ref held);
        if (held.Refusals >= MostRefusals && IsMoving(in held))
            return Fail(index, RehomeOutcome.Refused, EndReason.RehomeRefused);
        switch (held.Step)
        {
            case HoldStep.None:
                Plan(index);
                return true;
            case HoldStep.Budgeted:
                Begin(index);
                return true;
            case HoldStep.Fencing:
                return Fence(index);
            case HoldStep.Quieting:
                return Quiet(index);
            case HoldStep.Leaving:
                return _core.Now < held.StepEnds || LeaveCurrent(index);
            case HoldStep.Waiting:
                return Wait(index);
            case HoldStep.Greeting:
                return Greet(index);
            default:
                return true;
        }
    }

    /// <summary>A drain asks for a re-home: it waits for its turn, still relaying.</summary>
    private void Plan(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (!held.Has(HoldFlags.Planned) || held.Previous >= 0)
            return;     // One endpoint at a time is parted from.
        held.Step = HoldStep.Budgeted;
        held.DialAt = _budget.Take(pair.Settings.BackendId, _held.SettingsOf(pair.Held).RatePerSecond, _core.Now);
    }

    private void Begin(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (_core.Now < held.DialAt)
            return;
        if (!Policy.HasOther(pair.Settings.BackendId, pair.Settings.EndpointId))
        {
            // Nobody could take over: as long as the endpoint serves, it serves.
            held.DialAt = _core.Now + LookAgain + (long)(_core.Random.NextDouble() * LookAgain);
            return;
        }

        held.Set(HoldFlags.Planned, false);
        BeginMoving(index, ref held, RehomeCause.Planned);
        held.ShortLived = 0;
        if (_held.SessionOf(pair.Held) is { DialsFirst: true })
        {
            held.Step = HoldStep.Waiting;
            held.DialAt = _core.Now;
            return;
        }

        BeginFencing(index);
    }

    private void BeginFencing(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        held.Step = HoldStep.Fencing;
        held.StepEnds = _core.Now + _held.SettingsOf(pair.Held).QuietMax;
        if (!held.Has(HoldFlags.UpOpen))
            StartHolding(ref held);
        else
            held.Set(HoldFlags.HoldWanted, true);
    }

    /// <summary>Every message that was passed up has been read, or is not known to be in time.</summary>
    private bool Fence(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (HasCurrent(in pair) && _core.Now < held.StepEnds && !(held.Has(HoldFlags.Holding) && held.Written == held.Fenced))
            return !held.Has(HoldFlags.Holding) || TryFence(index);
        if (HasCurrent(in pair) && !(held.Has(HoldFlags.Holding) && held.Written == held.Fenced))
        {
            held.Set(HoldFlags.CutShort, true);
            if (held.Next >= 0)
                CutClient(ref held);
        }

        if (held.Next >= 0)
            return Move(index);
        held.Step = HoldStep.Quieting;
        return true;
    }

    /// <summary>What the endpoint has not read, or not wholly got, goes nowhere else.</summary>
    private void CutClient(ref HeldPair held)
    {
        CountUnknown(ref held);
        held.Set(HoldFlags.SwallowRest, held.Has(HoldFlags.UpOpen));
        held.Set(HoldFlags.UpOpen | HoldFlags.UpInFrame, false);
        StartHolding(ref held);
    }

    private bool Quiet(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var session = _held.SessionOf(pair.Held);
        var isQuiet = session?.PendingOn(SessionLeg.Current) is { } pending
            ? pending == 0
            : _core.Now >= QuietAt(in held, _held.SettingsOf(pair.Held));
        isQuiet &= !held.Has(HoldFlags.DownOpen) && held.Has(HoldFlags.Holding);
        if (!isQuiet && _core.Now < held.StepEnds)
            return true;
        if (!isQuiet)
            held.Set(HoldFlags.CutShort, true);
        held.Step = HoldStep.Leaving;
        held.StepEnds = _core.Now + LeaveTimeout;
        held.Set(HoldFlags.CloseSent, true);
        if (held.Has(HoldFlags.UpInFrame))
            return LeaveCurrent(index);     // In the middle of a client's frame there is no leave to take.
        if (!held.Has(HoldFlags.Holding))
            CutClient(ref held);            // In the middle of its message there is, and nothing may follow.
        return SendLeave(index);
    }

    private static long QuietAt(in HeldPair held, HoldSettings settings) => Math.Max(held.AnsweredAt, held.HeldSince) + settings.Quiet;

    private bool Wait(int index)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        if (_core.Now >= held.DialAt)
            Dial(index);
        if (held.Refusals >= MostRefusals)
            return Fail(index, RehomeOutcome.Refused, EndReason.RehomeRefused);
        return true;
    }

    private bool Greet(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (_held.SessionOf(pair.Held) is { IsGreeted: false })
        {
            if (_core.Now >= held.StepEnds)
                OnNextGone(ref held);
            return true;
        }

        if (!HasCurrent(in pair))
            return Move(index);
        BeginFencing(index);
        return true;
    }

    /// <summary>Our ping that tells what the endpoint has read, if it is due. False: the pair is gone.</summary>
    private bool TryFence(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (!HasCurrent(in pair) || !WantsFence(in pair))
            return true;
        return held.Step == HoldStep.Fencing || (held.FenceAt != 0 && _core.Now >= held.FenceAt) ? _relay.TryPing(index, ref pair, Side.Upstream) : true;
    }

    /// <summary>The endpoint has read so many of its messages.</summary>
    private void OnFenced(ref HeldPair held, long mark)
    {
        if (mark > held.Fenced)
            held.Fenced = mark;
        if (held.Part == PartStep.Overlapping && !held.Has(HoldFlags.OverlapBegun))
        {
            held.Set(HoldFlags.OverlapBegun, true);
            held.PartEnds = _core.Now + SettingsOf(in held).Overlap;
        }

        if (held.Written != held.Fenced && held.FenceAt == 0)
            held.FenceAt = _core.Now + SettingsOf(in held).Fence;
    }
}
