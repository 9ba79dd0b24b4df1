using System.Buffers.Binary;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>
/// What comes in: cut into units (a frame; a message, where there is a session machine), each passed on only when whole, unless it is longer than
/// <see cref="Whole"/>. Units that pass as they are leave in one send, however many a read brought.
/// </summary>
internal sealed partial class HeldRelay
{
    private readonly byte[] _payload = new byte[(2 * Whole) + LoopCore.Headroom];

    /// <summary>What becomes of a unit, in the words of this loop.</summary>
    private enum Unit
    {
        /// <summary>To the other side, as it is.</summary>
        Pass,
        PassToPrevious,
        Swallow,

        /// <summary>A client's: it waits for an endpoint. An endpoint's: it waits until the one before is gone.</summary>
        Keep,
    }

    /// <summary>Looks at <paramref name="count"/> fresh bytes of a leg, which lie in the loop's buffer. False: the pair is gone.</summary>
    private bool Scan(int index, SessionLeg origin, ref Leg from, int count)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (from.Has(LegFlags.CloseReceived))
            return true;    // Nothing may follow a Close frame (RFC 6455 5.5.1).
        CountBytes(ref pair, origin, count);
        var hasSession = _held.SessionOf(pair.Held) is not null;
        var offset = LoopCore.Headroom - from.Unscanned;
        if (from.Unscanned > 0)
        {
            from.Held.Bytes[^from.Unscanned..].CopyTo(_core.Buffer.AsSpan(offset));
            from.Held.RemoveLast(from.Unscanned);
            from.Unscanned = 0;
        }

        ReadOnlySpan<byte> data = _core.Buffer.AsSpan(offset, LoopCore.Headroom + count - offset);
        int run = 0, unit = 0, position = 0;    // What passes as it is; the unit under way; what the scanner has taken.
        while (position < data.Length)
        {
            var status = from.Scanner.Next(data[position..], out var consumed);
            if (status == ScanStatus.NeedMore)
                break;
            if (status != ScanStatus.Data)
            {
                if (!SendRun(index, origin, data[run..unit]))
                    return false;
                from.Held.Append(data[unit..position]);
                var frame = data.Slice(position, consumed);
                position += consumed;
                run = unit = position;
                if (!OnControl(index, origin, ref from, frame, status == ScanStatus.Error, out var goesOn))
                    return false;
                if (!goesOn)
                    return true;
                continue;
            }

            if (from.Has(LegFlags.Limited) && from.Scanner.FrameStarted
                && pair.Meter.Judge(in from.Scanner, in pair.Settings, _core.Now) is var limit and not EndReason.None)
            {
                // The whole messages before it pass; what was kept of this one counts as not sent.
                if (!SendRun(index, origin, data[run..unit]))
                    return false;
                from.Held.Release();
                return _relay.OnLimitReached(index, ref pair, limit);
            }

            position += consumed;
            var ended = hasSession ? from.Scanner.MessageEnded : from.Scanner.AtFrameBoundary;
            if (from.Piece != PieceVerdict.None)
            {
                if (!SendRun(index, origin, data[run..unit]) || !OnPiece(index, origin, ref from, data[unit..position], ended))
                    return false;
                run = unit = position;
                continue;
            }

            if (!ended)
            {
                if (from.Held.Length + position - unit <= Whole + FrameWriter.MaxHeader)
                    continue;
                if (!SendRun(index, origin, data[run..unit]))
                    return false;
                from.Held.Append(data[unit..position]);
                if (!BeginPieces(index, origin, ref from))
                    return false;
                run = unit = position;
                continue;
            }

            var isSplit = !from.Held.IsEmpty;
            if (isSplit)
                from.Held.Append(data[unit..position]);
            var verdict = Judge(index, origin, ref from, isSplit ? from.Held.Bytes : data[unit..position], isWhole: true);
            if (verdict == Unit.Pass && !isSplit && _output.Count == 0)
            {
                unit = position;
                continue;
            }

            if (!SendRun(index, origin, data[run..unit])
                || !Deliver(index, origin, verdict, isSplit ? from.Held.Bytes : data[unit..position])
                || !SendOutput(index))
                return false;
            if (isSplit)
                from.Held.Release();
            run = unit = position;
        }

        if (!SendRun(index, origin, data[run..unit]))
            return false;
        from.Held.Append(data[unit..]);
        from.Unscanned = (byte)(data.Length - position);
        return true;
    }

    /// <summary>Decides about a unit, and counts it. What the session machine wants said is in the output.</summary>
    private Unit Judge(int index, SessionLeg origin, ref Leg from, ReadOnlySpan<byte> unit, bool isWhole)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var endsMessage = isWhole && from.Scanner.MessageEnded;
        var verdict = _held.SessionOf(pair.Held) is { } session
            ? JudgeMessage(session, origin, in held, unit, isWhole)
            : origin == SessionLeg.Client && held.Has(HoldFlags.Holding) ? Unit.Keep : Unit.Pass;
        if (origin != SessionLeg.Client)
        {
            if (verdict == Unit.Pass && endsMessage)
                CountMessage(ref pair, origin);
            if (verdict is Unit.Pass)
                MarkDown(ref held, origin, !endsMessage, !isWhole);
            return verdict;
        }

        if (held.Has(HoldFlags.SwallowRest))
        {
            // The rest of a message whose start a lost endpoint was given.
            held.Set(HoldFlags.SwallowRest, !endsMessage);
            return Unit.Swallow;
        }

        if (endsMessage)
            CountMessage(ref pair, origin);
        if (verdict == Unit.Pass)
            MarkUp(ref held, !endsMessage, !isWhole);
        else if (verdict == Unit.Keep)
            MarkKept(ref held, !endsMessage, !isWhole);
        return verdict;
    }

    private Unit JudgeMessage(Session session, SessionLeg origin, in HeldPair held, ReadOnlySpan<byte> unit, bool isWhole)
    {
        if (origin == SessionLeg.Client && held.Has(HoldFlags.SwallowRest))
            return Unit.Swallow;
        try
        {
            return AskSession(session, origin, in held, unit, isWhole);
        }
        catch (Exception e)
        {
            OnBug(ref _held[_core.Pairs[held.PairIndex].Held], e);
            return Unit.Swallow;
        }
    }

    /// <summary>Tells the session machine, if there is one, what it has to know; what it wants said is in the output.</summary>
    private void Tell(ref HeldPair held, Action<Session, SessionOutput> what)
    {
        if (SessionOf(in held) is not { } session)
            return;
        try
        {
            what(session, _output);
        }
        catch (Exception e)
        {
            OnBug(ref held, e);
        }
    }

    /// <summary>A bug in a machine ends one connection, not those of everyone else.</summary>
    private void OnBug(ref HeldPair held, Exception exception)
    {
        Policy.OnBug(exception);
        _output.Clear();
        held.Set(HoldFlags.Broken, true);
    }

    private Unit AskSession(Session session, SessionLeg origin, in HeldPair held, ReadOnlySpan<byte> unit, bool isWhole)
    {
        var isText = (unit[0] & 0x0F) == (byte)Opcode.Text;
        var message = new SessionMessage(PayloadOf(unit), isText, isWhole);
        if (origin == SessionLeg.Client)
        {
            return session.OnClientMessage(in message, held.Has(HoldFlags.Holding), _output) switch
            {
                ClientVerdict.Pass => held.Has(HoldFlags.Holding) ? Unit.Keep : Unit.Pass,
                ClientVerdict.PassToPrevious => Unit.PassToPrevious,
                _ => Unit.Swallow,
            };
        }

        var verdict = session.OnServerMessage(in message, origin, _output);
        if (verdict == ServerVerdict.Pass)
        {
            ref var answered = ref _held[_core.Pairs[held.PairIndex].Held];
            if (origin == SessionLeg.Previous)
                answered.PreviousAnsweredAt = _core.Now;
            else
                answered.AnsweredAt = _core.Now;
        }

        return verdict switch
        {
            ServerVerdict.Swallow => Unit.Swallow,
            ServerVerdict.Wait when origin == SessionLeg.Current && held.Previous >= 0 && isWhole => Unit.Keep,
            _ => Unit.Pass,
        };
    }

    /// <summary>The payload of the frames of one message, unmasked, without their headers; of a long one the start. Valid until the next call.</summary>
    private ReadOnlySpan<byte> PayloadOf(ReadOnlySpan<byte> frames)
    {
        var length = 0;
        while (frames.Length >= 2 && length < _payload.Length)
        {
            var isMasked = (frames[1] & 0x80) != 0;
            ulong payload = (uint)(frames[1] & 0x7F);
            var header = 2;
            if (payload == 126)
            {
                payload = BinaryPrimitives.ReadUInt16BigEndian(frames[2..]);
                header = 4;
            }
            else if (payload == 127)
            {
                payload = BinaryPrimitives.ReadUInt64BigEndian(frames[2..]);
                header = 10;
            }

            var key = isMasked ? BinaryPrimitives.ReadUInt32LittleEndian(frames[header..]) : 0;
            header += isMasked ? 4 : 0;
            var there = (int)Math.Min(payload, (uint)(frames.Length - header));
            var taken = Math.Min(there, _payload.Length - length);
            frames.Slice(header, taken).CopyTo(_payload.AsSpan(length));
            if (isMasked)
                Masking.Apply(_payload.AsSpan(length, taken), key, 0);
            length += taken;
            frames = frames[(header + there)..];
        }

        return _payload.AsSpan(0, length);
    }

    /// <summary>Units that pass as they are. False: the pair is gone.</summary>
    private bool SendRun(int index, SessionLeg origin, ReadOnlySpan<byte> run) => run.IsEmpty || Deliver(index, origin, Unit.Pass, run);

    /// <summary>Puts a unit where it belongs. False: the pair is gone.</summary>
    private bool Deliver(int index, SessionLeg origin, Unit verdict, ReadOnlySpan<byte> bytes)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        switch (verdict)
        {
            case Unit.Pass when origin == SessionLeg.Client:
                pair.LastRelayed = _core.Now;
                return _relay.Send(index, ref pair, Side.Upstream, bytes) && AfterPassedUp(index, ref pair, ref held);
            case Unit.Pass:
                pair.LastRelayed = _core.Now;
                if (SessionOf(in held) is null)
                    held.AnsweredAt = _core.Now;
                return SendDown(index, origin, bytes);
            case Unit.PassToPrevious when held.Previous >= 0:
                return _relay.Send(held.Previous, ref _core.Pairs[held.Previous], Side.Upstream, bytes);
            case Unit.Keep when origin == SessionLeg.Client:
                held.Buffer.Append(bytes);
                _held.SettingsOf(pair.Held).Memory.Add(bytes.Length);
                return true;
            case Unit.Keep:
                held.Waiting.Append(bytes);
                return true;
            default:
                return true;
        }
    }

    /// <summary>A unit has grown too long to wait for its end. False: the pair is gone.</summary>
    private bool BeginPieces(int index, SessionLeg origin, ref Leg from)
    {
        var verdict = Judge(index, origin, ref from, from.Held.Bytes, isWhole: false);
        // A client's long message that must wait goes into the buffer piece by piece, up to where the client is not read.
        from.Piece = verdict switch
        {
            Unit.PassToPrevious => PieceVerdict.PassToPrevious,
            Unit.Swallow => PieceVerdict.Swallow,
            _ => PieceVerdict.Pass,
        };
        if (!Deliver(index, origin, verdict, from.Held.Bytes) || !SendOutput(index))
            return false;
        from.Held.Release();
        return true;
    }

    /// <summary>More of a long unit. False: the pair is gone.</summary>
    private bool OnPiece(int index, SessionLeg origin, ref Leg from, ReadOnlySpan<byte> bytes, bool ended)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var endsMessage = from.Scanner.MessageEnded;
        var verdict = from.Piece switch
        {
            PieceVerdict.PassToPrevious => Unit.PassToPrevious,
            PieceVerdict.Swallow => Unit.Swallow,
            _ => Unit.Pass,
        };
        if (origin == SessionLeg.Client && held.Has(HoldFlags.SwallowRest))
        {
            verdict = Unit.Swallow;
            held.Set(HoldFlags.SwallowRest, !endsMessage);
        }
        else if (origin == SessionLeg.Client && verdict == Unit.Pass && held.Has(HoldFlags.Holding))
        {
            verdict = Unit.Keep;
        }

        if (ended)
            from.Piece = PieceVerdict.None;
        if (endsMessage && verdict != Unit.Swallow)
            CountMessage(ref pair, origin);
        if (verdict == Unit.Pass && origin == SessionLeg.Client)
            MarkUp(ref held, !endsMessage, !from.Scanner.AtFrameBoundary);
        else if (verdict == Unit.Keep)
            MarkKept(ref held, !endsMessage, !from.Scanner.AtFrameBoundary);
        else if (verdict == Unit.Pass)
            MarkDown(ref held, origin, !endsMessage, !from.Scanner.AtFrameBoundary);
        return Deliver(index, origin, verdict, bytes);
    }

    /// <summary>What was passed up: whether it left a message, or a frame, unfinished.</summary>
    private void MarkUp(ref HeldPair held, bool opensMessage, bool inFrame)
    {
        if (!opensMessage)
            held.Written++;
        held.Set(HoldFlags.UpOpen, opensMessage);
        held.Set(HoldFlags.UpInFrame, inFrame);
        if (!opensMessage && held.Has(HoldFlags.HoldWanted))
            StartHolding(ref held);
    }

    /// <summary>The same of what waits.</summary>
    private static void MarkKept(ref HeldPair held, bool opensMessage, bool inFrame)
    {
        if (!opensMessage)
            held.Kept++;
        held.Set(HoldFlags.KeptOpen, opensMessage);
        held.Set(HoldFlags.KeptInFrame, inFrame);
    }

    private static void MarkDown(ref HeldPair held, SessionLeg origin, bool opensMessage, bool inFrame)
    {
        if (IsOthersMessage(in held, origin))
            return;     // It waits for that one's end.
        held.Set(HoldFlags.DownOpen, opensMessage);
        held.Set(HoldFlags.DownInFrame, inFrame);
        held.DownOwner = origin;
    }

    private void StartHolding(ref HeldPair held)
    {
        held.Set(HoldFlags.HoldWanted, false);
        held.Set(HoldFlags.Holding, true);
        if (held.HeldSince == 0)
            held.HeldSince = _core.Now;
    }

    /// <summary>What the endpoint has not been asked about is, within <c>fence</c>. False: the pair is gone.</summary>
    private bool AfterPassedUp(int index, ref Pair pair, ref HeldPair held)
    {
        if (held.FenceAt != 0 || held.Written == held.Fenced)
            return true;
        held.FenceAt = _core.Now + _held.SettingsOf(pair.Held).Fence;
        _relay.Rearm(index);
        return true;
    }

    private void CountBytes(ref Pair pair, SessionLeg origin, int count)
    {
        ref var traffic = ref _core.TrafficOf(pair.Settings.EndpointId);
        if (origin == SessionLeg.Client)
        {
            pair.Down.BytesReceived += count;
            traffic.BytesToEndpoint += count;
        }
        else
        {
            pair.Up.BytesReceived += count;
            traffic.BytesToClient += count;
        }
    }

    private void CountMessage(ref Pair pair, SessionLeg origin)
    {
        ref var traffic = ref _core.TrafficOf(pair.Settings.EndpointId);
        if (origin == SessionLeg.Client)
        {
            pair.Down.MessagesReceived++;
            traffic.MessagesToEndpoint++;
        }
        else
        {
            pair.Up.MessagesReceived++;
            traffic.MessagesToClient++;
        }
    }
}
