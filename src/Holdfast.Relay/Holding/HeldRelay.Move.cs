using System.Buffers;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>The move itself, and parting from the endpoint that was before.</summary>
internal sealed partial class HeldRelay
{
    /// <summary>The next endpoint becomes the current one; what waited for it is sent. False: the pair is gone.</summary>
    private bool Move(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var settings = _held.SettingsOf(pair.Held);
        var session = _held.SessionOf(pair.Held);
        var hasPrevious = HasCurrent(in pair);
        SwapLegs(index, hasPrevious);
        if (hasPrevious)
            held.PreviousAnsweredAt = Math.Max(held.AnsweredAt, held.HeldSince);
        held.AnsweredAt = _core.Now;
        held.Written = held.Fenced = held.PingMark = held.RelayedMark = 0;
        held.FenceAt = held.PatienceEnds = 0;
        held.Set(HoldFlags.CloseSent | HoldFlags.OverlapBegun | HoldFlags.Planned, false);
        held.Step = HoldStep.None;
        Tell(ref held, hasPrevious ? static (s, output) => s.Move(hasPrevious: true, output) : static (s, output) => s.Move(hasPrevious: false, output));
        if (!SendOutput(index))
            return false;

        if (hasPrevious)
        {
            held.Part = settings.Overlap > 0 ? PartStep.Overlapping : PartStep.Ending;
            // The pong to the ping below says that the state is made; should none come, the old endpoint is not kept for ever.
            held.PartEnds = _core.Now + (held.Part == PartStep.Overlapping ? settings.Overlap + LeaveTimeout : PatienceOf(session, settings));
        }

        var rehomed = held.Has(HoldFlags.CutShort) ? RehomeOutcome.CutShort : RehomeOutcome.Completed;
        held.Rehomes++;
        held.RehomedAt = _core.Now;
        Report(ref held, rehomed, pair.Settings.EndpointId);
        held.HeldSince = 0;
        if (!FlushBuffer(index) || !_relay.TryPing(index, ref pair, Side.Upstream))
            return false;
        _relay.Rearm(index);
        return true;
    }

    /// <summary>With requests counted, patience decides how long they may run; without, the longest quiet.</summary>
    private static int PatienceOf(Session? session, HoldSettings settings) =>
        session?.PendingOn(SessionLeg.Previous) is null ? settings.QuietMax : settings.Patience;

    private void SwapLegs(int index, bool hasPrevious)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var companion = held.Next;
        ref var next = ref _core.Pairs[companion];
        held.Next = -1;
        (next.Up.BytesReceived, next.Up.MessagesReceived) = (pair.Up.BytesReceived, pair.Up.MessagesReceived);
        (pair.Up, next.Up) = (next.Up, pair.Up);
        (pair.Settings.EndpointId, next.Settings.EndpointId) = (next.Settings.EndpointId, pair.Settings.EndpointId);
        _core.CountEstablished(next.Settings.EndpointId, -1);
        _core.CountEstablished(pair.Settings.EndpointId, +1);
        _core.Reregister(index, Side.Upstream);
        if (hasPrevious)
        {
            held.Previous = companion;
            _core.Reregister(companion, Side.Upstream);
            if (held.Has(HoldFlags.DownOpen) && held.DownOwner == SessionLeg.Current)
                held.DownOwner = SessionLeg.Previous;
            held.Set(HoldFlags.PongToPrevious, pair.Down.Has(LegFlags.RelayedPingPending));
        }
        else
        {
            Policy.Release(next.Settings.EndpointId);
            next.Up = default;
            next.Up.Fd = -1;
            _core.Free(companion);
        }

        _core.Drains.OnMoved(ref pair, _core.Now, _core.Random);
    }

    /// <summary>What waited for the current endpoint goes to it, in one piece. False: the pair is gone.</summary>
    private bool FlushBuffer(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        held.Set(HoldFlags.Holding | HoldFlags.HoldWanted, false);
        held.Written += held.Kept;
        held.Kept = 0;
        held.Set(HoldFlags.UpOpen, held.Has(HoldFlags.KeptOpen));
        held.Set(HoldFlags.UpInFrame, held.Has(HoldFlags.KeptInFrame));
        held.Set(HoldFlags.KeptOpen | HoldFlags.KeptInFrame, false);
        if (!_relay.Send(index, ref pair, Side.Upstream, held.Buffer.Bytes))
            return false;
        ReleaseBuffer(ref held);
        Tell(ref held, static (session, _) => session.OnFlushed());
        Wake(index, Side.Downstream);
        return AfterPassedUp(index, ref pair, ref held);
    }

    /// <summary>Takes the steps of parting that are due. False: the pair is gone.</summary>
    private bool Part(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var session = _held.SessionOf(pair.Held);
        var settings = _held.SettingsOf(pair.Held);
        ref var previous = ref _core.Pairs[held.Previous];
        if ((previous.Up.Flags & (LegFlags.ReadDone | LegFlags.CloseReceived)) != 0)
            return EndPart(index);
        if (held.Part == PartStep.Overlapping)
        {
            if (_core.Now < held.PartEnds)
                return true;
            Tell(ref held, static (s, output) => s.EndOverlap(output));
            if (!SendOutput(index))
                return false;
            held.Part = PartStep.Ending;
            held.PartEnds = _core.Now + PatienceOf(session, settings);
        }

        if (held.Part == PartStep.Ending)
        {
            var isDone = session?.PendingOn(SessionLeg.Previous) is { } pending ? pending == 0 : _core.Now >= held.PreviousAnsweredAt + settings.Quiet;
            if (!isDone && _core.Now < held.PartEnds)
                return true;
            if (IsOthersMessage(in held, SessionLeg.Current) && _core.Now < held.PartEnds)
                return true;    // It is in the middle of a message to the client.
            held.Part = PartStep.Leaving;
            held.PartEnds = _core.Now + LeaveTimeout;
            if (!SendLeave(held.Previous))
                return false;
        }

        return _core.Now < held.PartEnds || EndPart(index);
    }

    /// <summary>The previous endpoint is gone. False: the pair is gone.</summary>
    private bool EndPart(int index)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        var isTorn = held.Has(HoldFlags.DownOpen) && held.DownOwner == SessionLeg.Previous;
        DropPrevious(ref held);
        Tell(ref held, static (session, output) => session.OnPreviousGone(output));
        if (isTorn)
        {
            _output.Clear();
            return EndTorn(index);
        }

        return SendOutput(index) && FlushWaiting(index);
    }

    /// <summary>The current endpoint's messages that waited for the previous one's last are judged again, in order. False: the pair is gone.</summary>
    private bool FlushWaiting(int index)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        if (held.Waiting.IsEmpty)
            return true;
        var length = held.Waiting.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        held.Waiting.Bytes.CopyTo(copy);
        held.Waiting.Release();
        var alive = Rejudge(index, copy.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(copy);
        if (!alive)
            return false;
        Wake(index);
        return true;
    }

    private bool Rejudge(int index, ReadOnlySpan<byte> frames)
    {
        // A leg of its own: these bytes were scanned when they came.
        Leg leg = default;
        leg.Scanner = new FrameScanner(FrameSender.Server, ReservedBits.Refused);
        int unit = 0, position = 0;
        while (position < frames.Length && leg.Scanner.Next(frames[position..], out var consumed) == ScanStatus.Data)
        {
            position += consumed;
            if (!leg.Scanner.MessageEnded)
                continue;
            var message = frames[unit..position];
            unit = position;
            if (!Deliver(index, SessionLeg.Current, Judge(index, SessionLeg.Current, ref leg, message, isWhole: true), message) || !SendOutput(index))
                return false;
        }

        return true;
    }
}
