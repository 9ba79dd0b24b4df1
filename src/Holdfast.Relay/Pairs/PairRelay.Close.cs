using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// How pairs end. In order: a Close frame is relayed each way, then a FIN each way. Otherwise the first cause is recorded, each leg still
/// there is told with a Close frame at its next frame boundary and a FIN, and what a peer still says is read and dropped, so that it sees
/// our Close and no reset. A leg in the middle of a frame that can never be finished is reset.
/// </summary>
internal sealed partial class PairRelay
{
    /// <summary>How long an end in order may take (RFC 6455 7.1.1 leaves it open; browsers wait 2 to 10 s).</summary>
    internal const int CloseTimeout = 5_000;

    /// <summary>How long an endpoint may say nothing after the client has ended its side without a Close frame.</summary>
    internal const int HalfCloseTimeout = 30_000;

    /// <summary>The gateway ends an established pair. Codes of 0 send no Close frame. False: the pair is gone already.</summary>
    public bool Close(int index, EndReason reason, EndSide endSide, CloseCode downstream, CloseCode upstream)
    {
        ref var pair = ref _core.Pairs[index];
        if (pair.State != PairState.Relaying)
            return true;
        if (pair.Held != 0)
            _held.OnClosing(index);
        if (SetEnd(ref pair, reason, endSide))
            pair.CloseCode = (ushort)(downstream != 0 ? downstream : upstream);
        pair.State = PairState.Closing;
        pair.Deadline = _core.Now + CloseTimeout;
        pair.DownstreamCode = (ushort)downstream;
        pair.UpstreamCode = (ushort)upstream;
        SendClose(index, ref pair, Side.Downstream);
        SendClose(index, ref pair, Side.Upstream);
        return Drop(index, ref pair);
    }

    /// <summary>Ends a pair that never relayed a frame: what was written is flushed, then FIN, then a bounded wait for the client's.</summary>
    public bool CloseRefused(int index, int timeoutMs)
    {
        ref var pair = ref _core.Pairs[index];
        pair.State = PairState.Closing;
        pair.Deadline = _core.Now + timeoutMs;
        DropLeg(ref pair, Side.Upstream, abort: false);
        pair.Down.Flags |= LegFlags.Readable;
        return WantFin(index, ref pair, Side.Downstream) && Drop(index, ref pair);
    }

    /// <summary>Bytes of a response head or refusal for the client. False: the pair is gone.</summary>
    public bool SendToClient(int index, ReadOnlySpan<byte> bytes) => Send(index, ref _core.Pairs[index], Side.Downstream, bytes);

    /// <summary>The end, at once: sockets closed, with RST where an order is no longer possible; the end is reported. Always false.</summary>
    public bool EndNow(int index, ref Pair pair, EndReason reason, EndSide endSide)
    {
        _ = SetEnd(ref pair, reason, endSide);
        for (var side = 0; side < 2; side++)
        {
            ref var leg = ref pair.Legs[side];
            DropLeg(ref pair, (Side)side, abort: !leg.Spill.IsEmpty || !leg.Has(LegFlags.FinSent));
        }

        return Finish(index, ref pair);
    }

    /// <summary>First cause wins.</summary>
    internal static bool SetEnd(ref Pair pair, EndReason reason, EndSide side)
    {
        if (pair.EndReason != EndReason.None)
            return false;
        pair.EndReason = reason;
        pair.EndSide = side;
        return true;
    }

    /// <summary>Whether a frame of our own may be sent to a leg: what was passed on to it ends with a frame.</summary>
    private bool IsAtBoundary(in Pair pair, Side to) =>
        pair.Held != 0 ? _held.IsAtBoundary(in pair, to) : pair.Legs[(int)to ^ 1].Scanner.AtFrameBoundary;

    private static bool IsCloseWanted(in Pair pair, Side to) => (pair.ClosesWanted & (1 << (int)to)) != 0;

    internal bool OnProtocolError(int index, ref Pair pair, Side side) => side == Side.Downstream
        ? Close(index, EndReason.DownstreamProtocolError, EndSide.Downstream, CloseCode.ProtocolError, CloseCode.GoingAway)
        : Close(index, EndReason.UpstreamProtocolError, EndSide.Upstream, CloseCode.InternalError, CloseCode.ProtocolError);

    /// <summary>A Close frame of a leg was passed on: once both have come TCP ends too, else the other has a bounded time.</summary>
    internal bool OnCloseRelayed(int index, ref Pair pair, Side side)
    {
        if (pair.Legs[(int)side ^ 1].Has(LegFlags.CloseReceived))
        {
            if (!WantFin(index, ref pair, Side.Downstream) || !WantFin(index, ref pair, Side.Upstream))
                return false;
        }

        if (pair.Deadline == 0)
            pair.Deadline = _core.Now + CloseTimeout;
        ArmTimer(index, ref pair);
        return true;
    }

    /// <summary>A read returned FIN, or failed. False: the pair is gone.</summary>
    private bool OnReadEnded(int index, ref Pair pair, Side side, bool failed)
    {
        ref var from = ref pair.Legs[(int)side];
        from.Flags |= LegFlags.ReadDone;
        from.Held.Release();
        from.Unscanned = 0;
        failed |= from.Has(LegFlags.WriteFailed);     // The reset may have been told to the send, and is told once.
        var reason = EndReasonOf(in from, side, failed);
        if (from.Has(LegFlags.Linked))
            failed = from.Has(LegFlags.WriteFailed) || reason is not (EndReason.DownstreamEof or EndReason.UpstreamEof);
        if (pair.State == PairState.RelayingRefusal)
            return OnRefusalReadEnded(index, ref pair, side);
        if (pair.State != PairState.Relaying)
        {
            if (failed)
                DropLeg(ref pair, side, abort: false);
            AbortIfTorn(ref pair, Other(side));
            return Drop(index, ref pair);       // A leg that waited for this one's spill is read on.
        }

        if (pair.Held != 0 && _held.OnReadEnded(index, side, reason, out var alive))
            return alive;

        // An endpoint that ends between frames after the client did, with or without a Close frame, is not lost: its FIN is passed on.
        var clientEnded = (pair.Down.Flags & (LegFlags.CloseReceived | LegFlags.ReadDone)) != 0;
        if (side == Side.Upstream && !from.Has(LegFlags.CloseReceived) && !(clientEnded && from.Scanner.AtFrameBoundary))
        {
            DropLeg(ref pair, side, abort: false);
            return Close(index, reason, EndSide.Upstream, CloseCode.ServiceRestart, 0);
        }

        if (side == Side.Downstream)
            _ = SetEnd(ref pair, reason, EndSide.Downstream);
        if (failed)
            return OnLegLost(index, ref pair, side);
        if (!WantFin(index, ref pair, Other(side)))
            return false;
        ArmTimer(index, ref pair);      // A half-closed pair has a deadline of its own.
        return true;
    }

    /// <summary>Nobody is left on one leg to hear the other, which is told by FIN after what it is still owed. False: the pair is gone.</summary>
    private bool OnLegLost(int index, ref Pair pair, Side side)
    {
        DropLeg(ref pair, side, abort: false);
        pair.State = PairState.Closing;
        pair.Deadline = _core.Now + CloseTimeout;
        return WantFin(index, ref pair, Other(side)) && Drop(index, ref pair);
    }

    /// <summary>A send failed. What the peer said before is still read, so that its Close frame or its reset names the end.</summary>
    private bool OnWriteFailed(int index, ref Pair pair, Side side)
    {
        ref var leg = ref pair.Legs[(int)side];
        leg.Flags |= LegFlags.WriteFailed | LegFlags.FinSent | LegFlags.HungUp;
        leg.Flags &= ~(LegFlags.FinWanted | LegFlags.Paused);
        leg.Spill.Release();
        if (pair.State == PairState.Companion)
        {
            leg.Flags |= LegFlags.Readable;
            _core.Enqueue(index, side);
            return true;
        }

        if (leg.Has(LegFlags.ReadDone))
            return pair.State == PairState.Relaying ? OnLegLost(index, ref pair, side) : FinishIfDone(index, ref pair);
        leg.Flags |= LegFlags.Readable;
        _core.Enqueue(index, side);
        ref var other = ref pair.Legs[(int)side ^ 1];
        if (other.Has(LegFlags.Paused))
        {
            other.Flags &= ~LegFlags.Paused;
            _core.Enqueue(index, Other(side));
        }

        return true;
    }

    /// <summary>Bytes of a leg while the pair is closing, or of a refused handshake's answer.</summary>
    private bool OnReceivedElsewhere(int index, ref Pair pair, Side side, int count)
    {
        ReadOnlySpan<byte> data = _core.Buffer.AsSpan(LoopCore.Headroom, count);
        if (pair.State == PairState.RelayingRefusal)
            return side == Side.Downstream || OnRefusalBody(index, ref pair, data);
        ref var from = ref pair.Legs[(int)side];
        if (IsCloseWanted(in pair, Other(side)))
        {
            // The rest of the frame that was on its way passes; our Close frame follows it.
            if (from.Scanner.Next(data, out var consumed) == ScanStatus.Data && !Send(index, ref pair, Other(side), data[..consumed]))
                return false;
            if (!from.Scanner.AtFrameBoundary)
                return true;
            if (pair.Held != 0)
                _held.OnFrameFinished(in pair, Other(side));
            pair.ClosesWanted &= (byte)~(1 << ((int)side ^ 1));
            SendClose(index, ref pair, Other(side));
            if (pair.State == PairState.Free)
                return false;
            data = data[consumed..];
        }

        // Read to be dropped. No FIN answers ours where the real connection cannot be half closed, so there the peer's Close frame is looked for.
        if (from.Has(LegFlags.Linked) && !from.Has(LegFlags.CloseReceived) && pair.EstablishedAt != 0)
            LookForClose(ref pair, ref from, data);
        return FinishIfDone(index, ref pair);
    }

    /// <summary>Tells a leg with a Close frame and a FIN, now or at its next frame boundary; resets it if that can never come.</summary>
    private void SendClose(int index, ref Pair pair, Side side)
    {
        ref var leg = ref pair.Legs[(int)side];
        ref var other = ref pair.Legs[(int)side ^ 1];
        if (leg.Fd < 0 || (leg.Flags & (LegFlags.FinSent | LegFlags.FinWanted)) != 0)
            return;
        if (!IsAtBoundary(in pair, side))
        {
            if (other.Has(LegFlags.ReadDone))
                DropLeg(ref pair, side, abort: true);
            else
                pair.ClosesWanted |= (byte)(1 << (int)side);
            return;
        }

        var code = side == Side.Downstream ? pair.DownstreamCode : pair.UpstreamCode;
        if (code != 0 && !leg.Has(LegFlags.CloseSent))
        {
            leg.Flags |= LegFlags.CloseSent;
            Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
            Span<byte> reason = stackalloc byte[MaxReason];
            var length = FrameWriter.WriteClose(frame, (CloseCode)code, reason[..WriteReason(in pair, side, code, reason)], MaskFor(side));
            _ = Send(index, ref pair, side, frame[..length]);
        }

        if (leg.Spill.IsEmpty && !leg.Has(LegFlags.FinSent))
        {
            _core.ShutdownWrite(ref leg);
            leg.Flags |= LegFlags.FinSent;
        }
        else if (!leg.Has(LegFlags.FinSent))
        {
            leg.Flags |= LegFlags.FinWanted;
        }
    }

    /// <summary>A client that is to come back is told when, and one that went over a limit which.</summary>
    private int WriteReason(in Pair pair, Side side, ushort code, Span<byte> reason)
    {
        if (side == Side.Downstream && pair.EndReason is EndReason.MessageTooBig or EndReason.MessageRate)
            return WriteLimit(in pair, reason);
        var returns = (CloseCode)code is CloseCode.ServiceRestart or CloseCode.TryAgainLater || pair.EndReason is EndReason.Drained or EndReason.Shutdown;
        return side == Side.Downstream && returns ? _core.Returns.Write(reason, _core.Now, _core.Random) : 0;
    }

    /// <summary>A leg whose frame can no longer be finished, because its source ended, is reset.</summary>
    private void AbortIfTorn(ref Pair pair, Side side)
    {
        if (!IsCloseWanted(in pair, side))
            return;
        pair.ClosesWanted &= (byte)~(1 << (int)side);
        DropLeg(ref pair, side, abort: true);
    }

    /// <summary>FIN once nothing waits. False: the pair is gone.</summary>
    internal bool WantFin(int index, ref Pair pair, Side side)
    {
        ref var leg = ref pair.Legs[(int)side];
        if (leg.Fd < 0 || leg.Has(LegFlags.FinSent))
            return FinishIfDone(index, ref pair);
        if (leg.Spill.IsEmpty)
            return SendFin(index, ref pair, side);
        leg.Flags |= LegFlags.FinWanted;
        ArmTimer(index, ref pair);
        return true;
    }

    private bool SendFin(int index, ref Pair pair, Side side)
    {
        ref var leg = ref pair.Legs[(int)side];
        leg.Flags = (leg.Flags | LegFlags.FinSent) & ~LegFlags.FinWanted;
        _core.ShutdownWrite(ref leg);
        return FinishIfDone(index, ref pair);
    }

    /// <summary>Both legs are read on and what comes is dropped. False: the pair is gone.</summary>
    internal bool Drop(int index, ref Pair pair)
    {
        if (pair.State == PairState.Free)
            return false;
        ArmTimer(index, ref pair);
        for (var side = Side.Downstream; side <= Side.Upstream; side++)
        {
            ref var leg = ref pair.Legs[(int)side];
            leg.Flags &= ~LegFlags.Paused;
            if (leg.Fd >= 0 && leg.Has(LegFlags.Readable))
                _core.Enqueue(index, side);
        }

        return FinishIfDone(index, ref pair);
    }

    private bool FinishIfDone(int index, ref Pair pair)
    {
        if (pair.State == PairState.Free)
            return false;
        var isDone = true;
        for (var side = Side.Downstream; side <= Side.Upstream; side++)
        {
            ref var leg = ref pair.Legs[(int)side];
            if (leg.Fd < 0)
                continue;
            var isLinked = leg.Has(LegFlags.Linked);
            if (!leg.Has(LegFlags.FinSent) || !(leg.Has(LegFlags.ReadDone) || (isLinked && IsHeardOut(in pair, in leg))))
                isDone = false;
            else if (isLinked)
                DropLeg(ref pair, side, abort: false);      // Who stands behind it need not wait for the other leg's end.
        }

        return !isDone || Finish(index, ref pair);

        // What was sent stays in a socket pair when one end closes, so its peer's FIN is not needed to know that it arrives.
        static bool IsHeardOut(in Pair pair, in Leg leg) => leg.Has(LegFlags.CloseReceived) || pair.EstablishedAt == 0;
    }

    internal void DropLeg(ref Pair pair, Side side, bool abort)
    {
        ref var leg = ref pair.Legs[(int)side];
        leg.Flags = (leg.Flags | LegFlags.ReadDone | LegFlags.FinSent) & ~(LegFlags.FinWanted | LegFlags.PingWanted | LegFlags.Paused);
        leg.Spill.Release();
        leg.Held.Release();
        leg.Unscanned = 0;
        leg.Piece = PieceVerdict.None;
        _core.Close(ref leg, abort);
    }

    /// <summary>Reports and frees. Always false, which is what callers hand on.</summary>
    private bool Finish(int index, ref Pair pair)
    {
        if (pair.EstablishedAt != 0)
        {
            _core.CountEstablished(pair.Settings.EndpointId, -1);
            var end = new PairEnd
            {
                Id = pair.Id,
                Client = pair.Client,
                ListenerId = pair.ListenerId,
                BackendId = pair.Settings.BackendId,
                EndpointId = pair.Settings.EndpointId,
                Claims = pair.Settings.Claims,
                Reason = pair.EndReason,
                Side = pair.EndSide,
                CloseCode = pair.CloseCode,
                HandshakeMs = pair.EstablishedAt - pair.AcceptedAt,
                DurationMs = _core.Now - pair.EstablishedAt,
                BytesFromClient = pair.Down.BytesReceived,
                BytesFromEndpoint = pair.Up.BytesReceived,
                MessagesFromClient = pair.Down.MessagesReceived,
                MessagesFromEndpoint = pair.Up.MessagesReceived,
                Path = pair.Path,
            };
            if (pair.Held != 0)
                _held.OnFinished(index, ref end);
            _core.Free(index);
            _policy.OnPairEnded(in end);
            return false;
        }

        _core.Free(index);
        return false;
    }
}
