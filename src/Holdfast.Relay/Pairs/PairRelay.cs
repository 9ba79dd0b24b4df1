using System.Runtime.CompilerServices;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// Moves bytes between the legs of established pairs. This is the hot path: one recv and one send per message, headers scanned in place,
/// nothing allocated. Everything a peer can do wrong ends in one of the methods of the other parts of this class, and every path that may
/// free the pair returns whether it still lives.
/// </summary>
internal sealed partial class PairRelay
{
    /// <summary>Full reads of one leg before the others get their turn.</summary>
    private const int ReadsPerTurn = 4;

    private readonly LoopCore _core;
    private readonly IHandshakePolicy _policy;
    private HeldRelay _held = null!;

    public PairRelay(LoopCore core, IHandshakePolicy policy)
    {
        _core = core;
        _policy = policy;
    }

    /// <summary>Who relays for held pairs. Before the first pair.</summary>
    public void Serve(HeldRelay held) => _held = held;

    private static Side Other(Side side) => (Side)((int)side ^ 1);

    private static EndSide SideOf(Side side) => side == Side.Downstream ? EndSide.Downstream : EndSide.Upstream;

    /// <summary>Starts relaying: sockets registered, scanners fresh. Early bytes of both sides follow through <see cref="Accept"/>.</summary>
    public void Establish(int index, in PairSettings settings, ReservedBits reservedBits)
    {
        ref var pair = ref _core.Pairs[index];
        pair.State = PairState.Relaying;
        pair.Settings = settings;
        // The other leg is not read while one has something waiting, so even without a cap no more waits than one read brings.
        if (settings.SpillCap <= 0)
            pair.Settings.SpillCap = LoopCore.ReadSize;
        pair.EstablishedAt = pair.LastRelayed = _core.Now;
        pair.Deadline = 0;
        pair.Down.Scanner = new FrameScanner(FrameSender.Client, reservedBits);
        pair.Up.Scanner = new FrameScanner(FrameSender.Server, reservedBits);
        pair.Down.LastReceived = pair.Up.LastReceived = _core.Now;
        if (settings.MessageBytes > 0 || settings.MessagesPerSecond > 0)
            pair.Down.Flags |= LegFlags.Limited;
        _core.CountEstablished(settings.EndpointId, +1);
        _core.Drains.OnEstablished(ref pair, _core.Now, _core.Random);
        ArmTimer(index, ref pair);
    }

    /// <summary>Goes on with a pair that was saved elsewhere; its sockets are registered, which tells every edge anew.</summary>
    public void Resume(int index)
    {
        ref var pair = ref _core.Pairs[index];
        _core.CountEstablished(pair.Settings.EndpointId, +1);
        _core.Enqueue(index, Side.Downstream);
        _core.Enqueue(index, Side.Upstream);
        ArmTimer(index, ref pair);
    }

    /// <summary>An event of epoll on a leg of a pair that is relaying or closing.</summary>
    public void OnEvent(int index, Side side, EpollEvents events)
    {
        ref var pair = ref _core.Pairs[index];
        ref var leg = ref pair.Legs[(int)side];
        if ((events & (EpollEvents.In | EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) != 0)
        {
            leg.Flags |= LegFlags.Readable;
            if ((events & (EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) != 0)
                leg.Flags |= LegFlags.HungUp;
        }

        if ((events & EpollEvents.Out) != 0 && !leg.Spill.IsEmpty && !Flush(index, ref pair, side))
            return;
        Read(index, ref pair, side);
    }

    /// <summary>A leg's turn in the ready queue.</summary>
    public void OnReady(int index, Side side)
    {
        ref var pair = ref _core.Pairs[index];
        pair.Legs[(int)side].Flags &= ~LegFlags.Queued;
        Read(index, ref pair, side);
    }

    /// <summary>Bytes that came with a head, before the relay read by itself. False: the pair is gone.</summary>
    public bool Accept(int index, Side side, ReadOnlySpan<byte> bytes)
    {
        ref var pair = ref _core.Pairs[index];
        while (!bytes.IsEmpty)
        {
            var piece = bytes[..Math.Min(bytes.Length, LoopCore.ReadSize)];
            piece.CopyTo(_core.Buffer.AsSpan(LoopCore.Headroom));
            if (!OnReceived(index, ref pair, side, piece.Length))
                return false;
            bytes = bytes[piece.Length..];
        }

        return true;
    }

    /// <summary>Reads a leg until it has no more, the other leg is slow, or its turn is over. False: the pair is gone.</summary>
    public bool Read(int index, ref Pair pair, Side side)
    {
        ref var from = ref pair.Legs[(int)side];
        ref var to = ref pair.Legs[(int)side ^ 1];
        for (var turn = 0; turn < ReadsPerTurn; turn++)
        {
            if ((from.Flags & (LegFlags.Readable | LegFlags.ReadDone)) != LegFlags.Readable)
                return true;
            if ((!to.Spill.IsEmpty && (pair.State != PairState.Closing || IsCloseWanted(in pair, Other(side))))
                || (pair.Held != 0 && !_held.MayRead(in pair, side)))
            {
                from.Flags |= LegFlags.Paused;
                return true;
            }

            // What one read brings may all have to wait, so it is never more than the spill may hold.
            var room = Math.Min(LoopCore.ReadSize, pair.Settings.SpillCap);
            var n = Sys.Receive(from.Fd, _core.Buffer.AsSpan(LoopCore.Headroom, room));
            if (n > 0)
            {
                // A short read means the socket is empty, and epoll tells of what comes after; unless a FIN is already behind it.
                if (n < room && !from.Has(LegFlags.HungUp))
                    from.Flags &= ~LegFlags.Readable;
                from.LastReceived = _core.Now;
                if (!OnReceived(index, ref pair, side, n))
                    return false;
            }
            else if (n == -(int)Errno.Again)
            {
                from.Flags &= ~LegFlags.Readable;
                return true;
            }
            else
            {
                return OnReadEnded(index, ref pair, side, failed: n < 0);
            }
        }

        _core.Enqueue(index, side);
        return true;
    }

    /// <summary><paramref name="count"/> fresh bytes of a leg lie in the buffer. False: the pair is gone.</summary>
    private bool OnReceived(int index, ref Pair pair, Side side, int count)
    {
        if (pair.State != PairState.Relaying)
            return OnReceivedElsewhere(index, ref pair, side, count);
        if (pair.Held != 0)
            return _held.OnReceived(index, side, count);

        ref var from = ref pair.Legs[(int)side];
        ref var to = ref pair.Legs[(int)side ^ 1];
        if (from.Has(LegFlags.CloseReceived))
            return true;    // Nothing may follow a Close frame (RFC 6455 5.5.1).

        var offset = LoopCore.Headroom;
        if (!from.Held.IsEmpty)
            offset = TakeHeld(ref from);
        ReadOnlySpan<byte> data = _core.Buffer.AsSpan(offset, LoopCore.Headroom + count - offset);
        var messages = 0;
        var start = 0;
        var position = 0;
        while (position < data.Length)
        {
            var status = from.Scanner.Next(data[position..], out var consumed);
            if (status == ScanStatus.Data)
            {
                if (from.Has(LegFlags.Limited) && from.Scanner.FrameStarted
                    && pair.Meter.Judge(in from.Scanner, in pair.Settings, _core.Now) is var limit and not EndReason.None)
                {
                    Count(ref pair, side, ref count, ref messages);
                    if (position > start)
                        pair.LastRelayed = _core.Now;
                    return Send(index, ref pair, Other(side), data[start..position]) && OnLimitReached(index, ref pair, limit);
                }

                position += consumed;
                if (from.Scanner.MessageEnded)
                    messages++;
                if (!to.Has(LegFlags.PingWanted) || !from.Scanner.AtFrameBoundary)
                    continue;
                // Our ping waits for this boundary; a busy stream may never end a read at one.
                Count(ref pair, side, ref count, ref messages);
                pair.LastRelayed = _core.Now;
                if (!Send(index, ref pair, Other(side), data[start..position]) || !TryPing(index, ref pair, Other(side)))
                    return false;
                start = position;
                continue;
            }

            if (status == ScanStatus.NeedMore)
            {
                from.Held.Append(data[position..]);
                break;
            }

            var control = status == ScanStatus.Error ? ControlFrame.Violation : OnControl(ref pair, side, data.Slice(position, consumed));
            if (control == ControlFrame.Relay)
            {
                position += consumed;   // One send takes it along, however many a peer sends at once.
                continue;
            }

            // The others are rare: what came before is counted and goes out first, a Close with it.
            Count(ref pair, side, ref count, ref messages);
            var end = control == ControlFrame.Close ? position + consumed : position;
            if (end > start)
                pair.LastRelayed = _core.Now;
            if (!Send(index, ref pair, Other(side), data[start..end]))
                return false;
            if (control == ControlFrame.Violation)
                return OnProtocolError(index, ref pair, side);
            if (control == ControlFrame.Close)
                return OnCloseRelayed(index, ref pair, side);
            position += consumed;
            start = position;
        }

        Count(ref pair, side, ref count, ref messages);
        if (position > start)
        {
            pair.LastRelayed = _core.Now;
            if (!Send(index, ref pair, Other(side), data[start..position]))
                return false;
        }

        return !to.Has(LegFlags.PingWanted) || TryPing(index, ref pair, Other(side));
    }

    /// <summary>Counts what was received and makes the numbers 0, before anything that may end the pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Count(ref Pair pair, Side side, ref int bytes, ref int messages)
    {
        ref var from = ref pair.Legs[(int)side];
        from.BytesReceived += bytes;
        from.MessagesReceived += messages;
        ref var traffic = ref _core.TrafficOf(pair.Settings.EndpointId);
        if (side == Side.Downstream)
        {
            traffic.MessagesToEndpoint += messages;
            traffic.BytesToEndpoint += bytes;
        }
        else
        {
            traffic.MessagesToClient += messages;
            traffic.BytesToClient += bytes;
        }

        bytes = messages = 0;
    }

    /// <summary>Sends bytes to a leg, or lets them wait behind what waits already. False: the pair is gone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Send(int index, ref Pair pair, Side side, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return true;
        ref var leg = ref pair.Legs[(int)side];
        if (leg.Spill.IsEmpty && (leg.Flags & (LegFlags.FinSent | LegFlags.FinWanted | LegFlags.WriteFailed)) == 0)
        {
            var n = Sys.Send(leg.Fd, bytes);
            if (n == bytes.Length)
                return true;
            if (n < 0 && n != -(int)Errno.Again)
                return OnWriteFailed(index, ref pair, side);
            bytes = bytes[Math.Max(n, 0)..];
        }

        return Spill(index, ref pair, side, bytes);
    }

    private bool Spill(int index, ref Pair pair, Side side, ReadOnlySpan<byte> bytes)
    {
        ref var leg = ref pair.Legs[(int)side];
        if ((leg.Flags & (LegFlags.FinSent | LegFlags.FinWanted | LegFlags.WriteFailed)) != 0)
            return true;    // That leg takes nothing more; its end is on its way.
        if (leg.Spill.IsEmpty)
            leg.SpillProgressAt = _core.Now;
        // Held bytes come on top of a read, and a Close of our own on top of both: it is what tells a slow side that this is over.
        if (leg.Spill.Length + bytes.Length > pair.Settings.SpillCap + FrameScanner.MaxHeld + FrameWriter.MaxControlFrame
            && (pair.Held == 0 || leg.Spill.Length + bytes.Length > _held.SpillCap(in pair)))
            return EndNow(index, ref pair, EndReason.SpillOverflow, SideOf(side));
        leg.Spill.Append(bytes);
        ArmTimer(index, ref pair);
        return true;
    }

    /// <summary>The socket takes bytes again. Once nothing waits, the other leg is read on. False: the pair is gone.</summary>
    internal bool Flush(int index, ref Pair pair, Side side)
    {
        ref var leg = ref pair.Legs[(int)side];
        while (!leg.Spill.IsEmpty)
        {
            var n = Sys.Send(leg.Fd, leg.Spill.Bytes);
            if (n == -(int)Errno.Again)
                return true;
            if (n < 0)
                return OnWriteFailed(index, ref pair, side);
            leg.Spill.Consume(n);
            leg.SpillProgressAt = _core.Now;
        }

        // The pong timer starts when the ping has left.
        if (leg.Has(LegFlags.PingPending))
            leg.PingSentAt = _core.Now;
        if (leg.Has(LegFlags.FinWanted) && !SendFin(index, ref pair, side))
            return false;
        if (leg.Has(LegFlags.PingWanted) && !TryPing(index, ref pair, side))
            return false;
        ArmTimer(index, ref pair);

        ref var other = ref pair.Legs[(int)side ^ 1];
        if (other.Has(LegFlags.Paused))
        {
            other.Flags &= ~LegFlags.Paused;
            // Its pong could not be read meanwhile.
            other.PingSentAt = _core.Now;
        }

        if (pair.Held != 0 && side == Side.Downstream && !_held.OnClientReads(index))
            return false;
        return other.Fd < 0 || Read(index, ref pair, Other(side));
    }

    /// <summary>Puts held bytes back in front of the fresh ones; where the data now starts.</summary>
    private int TakeHeld(ref Leg from)
    {
        var held = from.Held.Bytes;
        var offset = LoopCore.Headroom - held.Length;
        held.CopyTo(_core.Buffer.AsSpan(offset));
        from.Held.Release();
        return offset;
    }
}
