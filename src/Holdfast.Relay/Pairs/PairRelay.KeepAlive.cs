using Holdfast.Relay.Timers;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// Pings per leg, dead and stalled peers, idle connections, drains, and the deadlines of an end. One timer per pair: it fires, the time stamps
/// that messages left behind are looked at, and it is armed again.
/// </summary>
internal sealed partial class PairRelay
{
    private const LegFlags Silent = LegFlags.ReadDone | LegFlags.CloseReceived | LegFlags.CloseSent | LegFlags.FinSent | LegFlags.FinWanted;

    /// <summary>The pair's timer fired.</summary>
    public void OnTimer(int index)
    {
        ref var pair = ref _core.Pairs[index];
        var now = _core.Now;
        if (pair.Deadline != 0 && now >= pair.Deadline)
        {
            _ = EndNow(index, ref pair, EndReason.Shutdown, EndSide.Gateway);
            return;
        }

        if (pair.State == PairState.Relaying)
        {
            if (HalfCloseDeadline(in pair) <= now)
            {
                _ = EndNow(index, ref pair, EndReason.DownstreamEof, EndSide.Downstream);
                return;
            }

            if (pair.Held != 0 && !_held.OnTimer(index))
                return;
            if (pair.DrainAt != 0 && pair.DrainAt <= now)
            {
                _ = Close(index, _core.Drains.Reason, EndSide.Gateway, (CloseCode)pair.DrainCode, CloseCode.GoingAway);
                return;
            }

            if (IdleDeadline(in pair) <= now)
            {
                _ = Close(index, EndReason.IdleTimeout, EndSide.Gateway, CloseCode.GoingAway, CloseCode.GoingAway);
                return;
            }

            for (var side = Side.Downstream; side <= Side.Upstream; side++)
            {
                if (!CheckLeg(index, ref pair, side, now))
                    return;
            }
        }

        ArmTimer(index, ref pair);
    }

    /// <summary>A deadline of the pair was changed.</summary>
    public void Rearm(int index) => ArmTimer(index, ref _core.Pairs[index]);

    /// <summary>Sets the pair's timer to the nearest of its deadlines.</summary>
    private void ArmTimer(int index, ref Pair pair)
    {
        var next = pair.Deadline == 0 ? long.MaxValue : pair.Deadline;
        if (pair.State == PairState.Relaying)
        {
            next = Math.Min(next, Math.Min(IdleDeadline(in pair), HalfCloseDeadline(in pair)));
            if (pair.DrainAt != 0)
                next = Math.Min(next, pair.DrainAt);
            if (pair.Held != 0)
                next = Math.Min(next, _held.NextLook(in pair));
            for (var side = 0; side < 2; side++)
            {
                ref var leg = ref pair.Legs[side];
                next = Math.Min(next, Math.Min(StallDeadline(in leg, in pair.Settings), PingLook(in leg, in pair.Settings, _core.Now)));
            }
        }

        if (next == long.MaxValue)
            _core.Timers.Disarm(index);
        else
            _core.Timers.Arm(index, next);
    }

    private static long IdleDeadline(in Pair pair) => pair.Settings.IdleTimeout <= 0 ? long.MaxValue : pair.LastRelayed + pair.Settings.IdleTimeout;

    private static long HalfCloseDeadline(in Pair pair)
    {
        ref readonly var down = ref pair.Legs[0];
        return down.Has(LegFlags.ReadDone) && !down.Has(LegFlags.CloseReceived)
            ? Math.Max(pair.LastRelayed, pair.Legs[1].LastReceived) + HalfCloseTimeout
            : long.MaxValue;
    }

    private static long StallDeadline(in Leg leg, in PairSettings settings) =>
        leg.Spill.IsEmpty || settings.PongTimeout <= 0 ? long.MaxValue : leg.SpillProgressAt + settings.PongTimeout;

    /// <summary>When a leg is to be pinged, or was dead; MaxValue when neither can be.</summary>
    private static long PingDeadline(in Leg leg, in PairSettings settings, long now)
    {
        if (settings.PingInterval <= 0 || (leg.Flags & Silent) != 0)
            return long.MaxValue;
        if (leg.Has(LegFlags.Paused))
            return now + Math.Max(settings.PongTimeout, TimerWheel.Resolution);      // Its pong could not be read.
        if (!leg.Spill.IsEmpty)
            return long.MaxValue;                   // A slow leg is judged by its stall.
        if (IsAwaited(in leg, in settings))
            return leg.PingSentAt + settings.PongTimeout;
        // A peer that speaks is alive, whether it answers pings or not: it is asked again only after a silence.
        var due = Math.Max(leg.LastReceived, leg.Has(LegFlags.PingPending) ? leg.PingSentAt : 0) + settings.PingInterval;
        if (leg.Has(LegFlags.PingWanted))
            due = Math.Max(due, now + settings.PingInterval);       // The frame boundary sends it, not the timer.
        return leg.Has(LegFlags.RelayedPingPending) ? Math.Max(due, leg.RelayedPingAt + settings.PongTimeout) : due;
    }

    /// <summary>
    /// When to look at <see cref="PingDeadline"/>: an answer brings it forward, to an interval after that answer at the earliest, and does not
    /// touch the timer.
    /// </summary>
    private static long PingLook(in Leg leg, in PairSettings settings, long now)
    {
        var deadline = PingDeadline(in leg, in settings, now);
        return deadline == long.MaxValue ? deadline : Math.Min(deadline, now + settings.PingInterval);
    }

    /// <summary>Our ping has left, nothing has come since, and that decides something.</summary>
    private static bool IsAwaited(in Leg leg, in PairSettings settings) =>
        settings.PongTimeout > 0 && leg.Has(LegFlags.PingPending) && leg.LastReceived <= leg.PingSentAt;

    /// <summary>
    /// Judges one leg. Before it is called stalled or dead its socket is asked once more: after a long stop of this process the timers may come
    /// before the news that would have moved them. False: the pair is gone or closing.
    /// </summary>
    private bool CheckLeg(int index, ref Pair pair, Side side, long now)
    {
        ref var leg = ref pair.Legs[(int)side];
        var downstream = side == Side.Downstream;
        if (StallDeadline(in leg, in pair.Settings) <= now)
        {
            if (!Flush(index, ref pair, side) || pair.State != PairState.Relaying)
                return false;
            if (StallDeadline(in leg, in pair.Settings) > now)
                return true;
            return EndLeg(index, ref pair, side, downstream ? EndReason.DownstreamStalled : EndReason.UpstreamStalled);
        }

        if (PingDeadline(in leg, in pair.Settings, now) > now)
            return true;
        if (IsAwaited(in leg, in pair.Settings))
        {
            leg.Flags |= LegFlags.Readable;
            if (!Read(index, ref pair, side) || pair.State != PairState.Relaying)
                return false;
            if (!IsAwaited(in leg, in pair.Settings) || leg.Has(LegFlags.Paused) || (leg.Flags & Silent) != 0)
                return true;
            return EndLeg(index, ref pair, side, downstream ? EndReason.DownstreamDead : EndReason.UpstreamDead);
        }

        return TryPing(index, ref pair, side) && pair.State == PairState.Relaying;
    }

    /// <summary>One leg is lost: it is reset, and the other told.</summary>
    private bool EndLeg(int index, ref Pair pair, Side side, EndReason reason)
    {
        if (side == Side.Upstream && pair.Held != 0 && _held.OnUpstreamDead(index))
            return false;
        DropLeg(ref pair, side, abort: true);
        _ = side == Side.Downstream
            ? Close(index, reason, EndSide.Downstream, 0, CloseCode.GoingAway)
            : Close(index, reason, EndSide.Upstream, CloseCode.ServiceRestart, 0);
        return false;
    }
}
