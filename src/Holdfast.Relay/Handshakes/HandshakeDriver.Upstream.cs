using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;

namespace Holdfast.Relay.Handshakes;

/// <summary>The endpoint's side of a handshake: connect, send the head, read the answer's.</summary>
internal sealed partial class HandshakeDriver
{
    /// <summary>Starts one attempt. Null: it is under way (or done). Otherwise why it failed at once.</summary>
    private DialFailure? Dial(int index, ref Pair pair, Handshake handshake)
    {
        handshake.Now = _core.Now;
        if (handshake.Attempts++ == 0)
            handshake.Deadline = _core.Now + handshake.HandshakeTimeout;
        handshake.AttemptDeadline = handshake.AttemptTimeout > 0
            ? Math.Min(handshake.Deadline, _core.Now + handshake.AttemptTimeout)
            : handshake.Deadline;
        handshake.UpstreamSent = 0;
        handshake.ResponseReceived.Clear();
        if (handshake.Target.IsEmpty)
            return DialFailure.NoAddress;
        if (handshake.Dialer is { } dialer)
            return DialLinked(index, ref pair, handshake, dialer);
        var fd = Sys.OpenStream(handshake.Target);
        if (fd < 0)
            return DialFailure.LocalResources;
        pair.Up.Fd = fd;
        if (fd >= _core.DescriptorCap)
            return DialFailure.LocalResources;
        var result = Sys.Connect(fd, handshake.Target);
        if (result != 0 && result != -(int)Errno.InProgress)
            return FailureOf(-result);
        if (!_core.Register(index, Side.Upstream))
            return DialFailure.LocalResources;
        pair.State = PairState.Connecting;
        ArmTimer(index, ref pair, Math.Min(handshake.AttemptDeadline, _core.Now + handshake.ConnectTimeout));
        return null;    // Writable, now or later, tells the rest.
    }

    private void OnConnectResult(int index, ref Pair pair, EpollEvents events)
    {
        if ((events & (EpollEvents.Out | EpollEvents.Error | EpollEvents.HangUp)) == 0)
            return;
        var handshake = HandshakeOf(in pair);
        var error = Sys.TakeError(pair.Up.Fd);
        if (error != 0)
        {
            OnAttemptFailed(index, ref pair, handshake, FailureOf(error));
            return;
        }

        BeginRequest(index, ref pair, handshake);
    }

    private void BeginRequest(int index, ref Pair pair, Handshake handshake)
    {
        pair.State = PairState.SendingRequest;
        ArmTimer(index, ref pair, handshake.AttemptDeadline);
        SendRequest(index, ref pair, handshake);
    }

    private void SendRequest(int index, ref Pair pair, Handshake handshake)
    {
        var bytes = handshake.UpstreamRequest.Bytes[handshake.UpstreamSent..];
        var n = Sys.Send(pair.Up.Fd, bytes);
        if (n < 0 && n != -(int)Errno.Again)
        {
            OnAttemptFailed(index, ref pair, handshake, DialFailure.Reset);
            return;
        }

        handshake.UpstreamSent += Math.Max(n, 0);
        if (handshake.UpstreamSent == handshake.UpstreamRequest.Length)
            pair.State = PairState.AwaitingResponse;
    }

    private void ReadResponse(int index, ref Pair pair)
    {
        ref var leg = ref pair.Up;
        var handshake = HandshakeOf(in pair);
        while (leg.Has(LegFlags.Readable))
        {
            var n = Sys.Receive(leg.Fd, _core.Buffer.AsSpan(LoopCore.Headroom, LoopCore.ReadSize));
            if (n == -(int)Errno.Again)
            {
                leg.Flags &= ~LegFlags.Readable;
                return;
            }

            if (n <= 0)
            {
                OnAttemptFailed(index, ref pair, handshake, DialFailure.Reset);
                return;
            }

            if (n < LoopCore.ReadSize && !leg.Has(LegFlags.HungUp))
                leg.Flags &= ~LegFlags.Readable;
            handshake.ResponseReceived.Append(_core.Buffer.AsSpan(LoopCore.Headroom, n));
            if (!OnResponseBytes(index, ref pair, handshake))
                return;
        }
    }

    /// <summary>True: the answer is not decided, read on.</summary>
    private bool OnResponseBytes(int index, ref Pair pair, Handshake handshake)
    {
        while (true)
        {
            var bytes = handshake.ResponseReceived.Bytes;
            var end = HeadEnd.Find(bytes, 0);
            if (end < 0 ? bytes.Length > MaxHead : end > MaxHead)
            {
                OnAttemptFailed(index, ref pair, handshake, DialFailure.MalformedResponse);
                return false;
            }

            if (end < 0)
                return true;
            handshake.Now = _core.Now;
            var step = PolicyOf(handshake).OnResponse(handshake, bytes[..end]);
            switch (step)
            {
                case HandshakeStep.AwaitNext:
                    handshake.ResponseReceived.RemoveFirst(end);
                    continue;
                case HandshakeStep.Upgrade:
                    Upgrade(index, ref pair, handshake, end);
                    return false;
                case HandshakeStep.RelayRefusal:
                    RelayRefusal(index, ref pair, handshake, end);
                    return false;
                default:
                    DropUpstream(ref pair);
                    Advance(index, ref pair, handshake, step);
                    return false;
            }
        }
    }

    /// <summary>The 101 goes to the client, then what each side sent right behind its head.</summary>
    private void Upgrade(int index, ref Pair pair, Handshake handshake, int end)
    {
        if (handshake.Held != 0)
        {
            CompleteRedial(index, ref pair, handshake, end);
            return;
        }

        pair.Id = handshake.Id;
        pair.Path = handshake.Path;
        pair.Client = handshake.Client;
        _core.Settle(index);
        _relay.Establish(index, handshake.Settings, handshake.ReservedBits);
        if (handshake.Hold is { } hold)
            _held?.Attach(index, hold, handshake);
        _policy.OnEstablished(handshake);
        var alive = _relay.SendToClient(index, handshake.Response.Bytes)
            && _relay.Accept(index, Side.Upstream, handshake.ResponseReceived.Bytes[end..])
            && _relay.Accept(index, Side.Downstream, handshake.Early.Bytes);
        Recycle(handshake);
        if (!alive)
            return;
        pair.HandshakeIndex = -1;
        // Edges seen during the handshake are not told again.
        _core.Enqueue(index, Side.Upstream);
        _core.Enqueue(index, Side.Downstream);
    }

    private void RelayRefusal(int index, ref Pair pair, Handshake handshake, int end)
    {
        _policy.OnHandshakeEnded(handshake, HandshakeEnd.Refused);
        pair.State = PairState.RelayingRefusal;
        if (_relay.SendToClient(index, handshake.Response.Bytes))
            _ = _relay.RelayRefusal(index, handshake.Body, handshake.ResponseReceived.Bytes[end..]);
        if (pair.State != PairState.Free)
            pair.HandshakeIndex = -1;
        Recycle(handshake);
    }

    private static DialFailure FailureOf(int errno) => (Errno)errno switch
    {
        Errno.ConnectionRefused => DialFailure.Refused,
        Errno.TimedOut => DialFailure.ConnectTimeout,
        Errno.ConnectionReset or Errno.BrokenPipe => DialFailure.Reset,
        Errno.TooManyOpenFiles or Errno.TooManyOpenFilesInSystem or Errno.NoBufferSpace or Errno.OutOfMemory or Errno.CannotAssignAddress =>
            DialFailure.LocalResources,
        _ => DialFailure.Unreachable,
    };
}
