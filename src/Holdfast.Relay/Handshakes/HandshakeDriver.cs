using Holdfast.Relay.Buffers;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Handshakes;

/// <summary>
/// Takes connections from the accept to the 101 relayed: reads the head, asks the policy, dials, reads the answer. It allocates (heads are
/// arrays); a handshake happens once in a connection's life. While the endpoint is asked, the client is not read: what it sends early
/// waits in the kernel, beyond the bytes that came with its head.
/// </summary>
internal sealed partial class HandshakeDriver
{
    /// <summary>Bytes of a request or response head at most (Kestrel and nginx allow 32 KiB in all).</summary>
    public const int MaxHead = 32 * 1024;

    /// <summary>How long a request head may take (as HAProxy's and nginx's guides set it against slow clients).</summary>
    public const int HeadTimeout = 10_000;

    /// <summary>Dials of one handshake at most, whatever the policy says: attempts that fail at once must not hold up the loop.</summary>
    public const int MaxAttempts = 64;

    /// <summary>Handshakes that keep their buffers for the next ones: more than that were in flight at once only in a storm, or an attack, which leaves nothing behind.</summary>
    private const int MostKept = 64;
    private const int RefusalLinger = 2_000;
    private const int HandshakeSpill = 1 << 20;

    private readonly LoopCore _core;
    private readonly PairRelay _relay;
    private readonly IHandshakePolicy _policy;
    private readonly List<Handshake> _handshakes = [];
    private readonly Stack<int> _free = new();
    private HeldRelay? _held;
    private EventLoop.EventLoop? _loop;

    public HandshakeDriver(LoopCore core, PairRelay relay, IHandshakePolicy policy)
    {
        _core = core;
        _relay = relay;
        _policy = policy;
    }

    /// <summary>Whose connections re-homes ask for. Before the first handshake.</summary>
    public void Serve(HeldRelay held) => _held = held;

    /// <summary>Whom dialers answer. Before the first handshake.</summary>
    public void Serve(EventLoop.EventLoop loop) => _loop = loop;

    /// <summary>Handshakes in flight that have begun to speak.</summary>
    public int InFlight => _handshakes.Count - _free.Count;

    /// <summary>A fresh connection. The descriptor is owned from here on.</summary>
    public void OnAccepted(int fd, in NativeAddress client, int listenerId)
    {
        var index = _core.Rent();
        if (index < 0)
        {
            Sys.Close(fd);
            return;
        }

        ref var pair = ref _core.Pairs[index];
        pair.Down.Fd = fd;
        pair.Client = client;
        pair.ListenerId = listenerId;
        pair.AcceptedAt = _core.Now;
        pair.State = PairState.ReadingRequest;
        pair.Settings.SpillCap = HandshakeSpill;
        var use = _policy.ProxyHeaderOf(listenerId, client);
        if (use == ProxyHeaderUse.Refused)
        {
            CloseUnanswered(index, ref pair, Begin(index, ref pair));
            return;
        }

        if (use == ProxyHeaderUse.Required)
            pair.State = PairState.ReadingProxyHeader;
        else if (_policy.IsHandedOffUnread(listenerId))
            pair.State = PairState.AwaitingHandOff;
        if (!_core.RegisterNewcomer(index))
        {
            _core.Free(index);
            return;
        }

        ArmTimer(index, ref pair, _core.Now + HeadTimeout);
    }

    public void OnEvent(int index, Side side, EpollEvents events)
    {
        ref var pair = ref _core.Pairs[index];
        ref var leg = ref pair.Legs[(int)side];
        if ((events & EpollEvents.In) != 0)
            leg.Flags |= LegFlags.Readable;
        if ((events & (EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) != 0)
            leg.Flags |= LegFlags.Readable | LegFlags.HungUp;

        if (side == Side.Downstream)
        {
            if (pair.State is PairState.ReadingProxyHeader or PairState.ReadingRequest)
                ReadRequest(index, ref pair);
            else if (pair.State == PairState.AwaitingHandOff)
                HandOffUnread(index, ref pair);
            else if (leg.Has(LegFlags.HungUp))
                Abandon(index, ref pair, HandshakeEnd.ClientGone);
            return;
        }

        if (pair.State == PairState.Connecting)
            OnConnectResult(index, ref pair, events);
        else if (pair.State == PairState.SendingRequest && (events & EpollEvents.Out) != 0 && !leg.Has(LegFlags.HungUp))
            SendRequest(index, ref pair, HandshakeOf(in pair));
        // An answer, or an end, that came with the connection is told by this one edge only.
        if (pair.State is PairState.SendingRequest or PairState.AwaitingResponse && leg.Has(LegFlags.Readable))
            ReadResponse(index, ref pair);
    }

    public void OnTimer(int index)
    {
        ref var pair = ref _core.Pairs[index];
        if (_core.Now < pair.Deadline)
        {
            _core.Timers.Arm(index, pair.Deadline);     // It was past the wheel's horizon.
            return;
        }

        if (pair.State is PairState.ReadingProxyHeader or PairState.AwaitingHandOff or PairState.ReadingRequest)
        {
            if (pair.HandshakeIndex < 0)
                _core.Free(index);      // Never said a word: nobody waits for an answer.
            else if (pair.State == PairState.ReadingProxyHeader)
                CloseUnanswered(index, ref pair, HandshakeOf(in pair));
            else
                Fault(index, ref pair, HandshakeOf(in pair), RequestFault.HeadTimeout);
            return;
        }

        var handshake = HandshakeOf(in pair);
        if (pair.State == PairState.Waiting)
        {
            Resume(index, ref pair, handshake, isTimeout: true);
            return;
        }

        var failure = pair.State == PairState.Connecting ? DialFailure.ConnectTimeout : DialFailure.ResponseTimeout;
        OnAttemptFailed(index, ref pair, handshake, failure);
    }

    /// <summary>A handshake need not wait any longer. Nothing happens when it does not wait (any more).</summary>
    public void Resume(HandshakeTicket ticket)
    {
        if (ticket.Index >= _handshakes.Count || _handshakes[ticket.Index] is not { PairIndex: >= 0 } handshake || handshake.Serial != ticket.Serial)
            return;
        ref var pair = ref _core.Pairs[handshake.PairIndex];
        if (pair.State == PairState.Waiting)
            Resume(handshake.PairIndex, ref pair, handshake, isTimeout: false);
    }

    /// <summary>The gateway ends: no handshake goes on.</summary>
    public void Shutdown(int index)
    {
        ref var pair = ref _core.Pairs[index];
        Abandon(index, ref pair, HandshakeEnd.Shutdown);
    }

    private void ArmTimer(int index, ref Pair pair, long deadline)
    {
        pair.Deadline = deadline;
        _core.Timers.Arm(index, deadline);
    }

    private Handshake HandshakeOf(in Pair pair) => _handshakes[pair.HandshakeIndex];

    private Handshake Begin(int index, ref Pair pair)
    {
        if (!_free.TryPop(out var slot))
        {
            slot = _handshakes.Count;
            _handshakes.Add(new Handshake { Index = slot });
        }

        var handshake = _handshakes[slot];
        handshake.PairIndex = index;
        handshake.Client = handshake.Peer = pair.Client;
        handshake.ListenerId = pair.ListenerId;
        handshake.AcceptedAt = pair.AcceptedAt;
        handshake.Now = _core.Now;
        handshake.Id = _core.Random.NextUInt128();
        pair.HandshakeIndex = slot;
        return handshake;
    }

    private void Release(ref Pair pair)
    {
        var handshake = HandshakeOf(in pair);
        pair.HandshakeIndex = -1;
        Recycle(handshake);
    }

    private void Resume(int index, ref Pair pair, Handshake handshake, bool isTimeout)
    {
        handshake.Now = _core.Now;
        Advance(index, ref pair, handshake, _policy.OnResumed(handshake, isTimeout));
    }

    /// <summary>Does what the policy said, and goes on asking it while attempts fail at once.</summary>
    private void Advance(int index, ref Pair pair, Handshake handshake, HandshakeStep step)
    {
        while (step == HandshakeStep.Dial && handshake.Attempts < MaxAttempts)
        {
            var failure = Dial(index, ref pair, handshake);
            if (failure is null)
                return;
            DropUpstream(ref pair);
            step = PolicyOf(handshake).OnDialFailed(handshake, failure.Value);
        }

        if (step == HandshakeStep.Wait)
        {
            if (pair.Down.Has(LegFlags.HungUp))
            {
                Abandon(index, ref pair, HandshakeEnd.ClientGone);     // No edge will tell of it again.
                return;
            }

            // Thousands may wait: each with what its endpoint will be sent, and no more.
            handshake.Received.Release();
            handshake.UpstreamRequest.Trim();
            pair.State = PairState.Waiting;
            ArmTimer(index, ref pair, _core.Now + handshake.WaitTimeout);
            return;
        }

        Refuse(index, ref pair, handshake);
    }

    private void OnAttemptFailed(int index, ref Pair pair, Handshake handshake, DialFailure failure)
    {
        DropUpstream(ref pair);
        handshake.Now = _core.Now;
        Advance(index, ref pair, handshake, PolicyOf(handshake).OnDialFailed(handshake, failure));
    }

    private void DropUpstream(ref Pair pair)
    {
        _core.Close(ref pair.Up, abort: false);
        pair.Up.Flags = LegFlags.None;
    }

    private void Fault(int index, ref Pair pair, Handshake handshake, RequestFault fault)
    {
        handshake.Now = _core.Now;
        _policy.OnRequestFault(handshake, fault);
        Refuse(index, ref pair, handshake);
    }

    private IDialPolicy PolicyOf(Handshake handshake) => handshake.Held == 0 ? _policy : _held!.Policy;

    private void Refuse(int index, ref Pair pair, Handshake handshake)
    {
        if (handshake.Held != 0)
        {
            FailRedial(index, ref pair, handshake);
            return;
        }

        _policy.OnHandshakeEnded(handshake, HandshakeEnd.Refused);
        SendAndRelease(index, ref pair, handshake.Response, handshake);
        if (pair.State != PairState.Free)
            _ = _relay.CloseRefused(index, RefusalLinger);
    }

    private void SendAndRelease(int index, ref Pair pair, ByteBuffer response, Handshake handshake)
    {
        pair.State = PairState.Closing;
        _ = _relay.SendToClient(index, response.Bytes);
        if (pair.State != PairState.Free)
            Release(ref pair);
        else
            Recycle(handshake);
    }

    private void Recycle(Handshake handshake)
    {
        handshake.Reset(keepsBuffers: InFlight <= MostKept);
        _free.Push(handshake.Index);
    }

    private void Abandon(int index, ref Pair pair, HandshakeEnd end)
    {
        if (pair.HandshakeIndex >= 0)
        {
            var handshake = HandshakeOf(in pair);
            handshake.Now = _core.Now;
            PolicyOf(handshake).OnHandshakeEnded(handshake, end);
            Release(ref pair);
        }

        _core.Free(index);
    }
}
