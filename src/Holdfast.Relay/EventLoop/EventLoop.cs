using System.Collections.Concurrent;
using System.Net;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.EventLoop;

/// <summary>
/// One thread, one epoll, and the pairs that live on it from accept to end. Other threads speak to it only through
/// <see cref="Post"/> and <see cref="HandOver"/>, and read its counters. An exception on the loop is a bug: it ends the process rather than
/// leave connections hanging.
/// </summary>
public sealed class EventLoop : IDisposable
{
    private const ulong WakeUpToken = 0;
    private const int PlacesPerSnapshot = 4096;

    // Thousands may fire together: heads that came together and were not finished in time. Sockets have their turn in between.
    private const int TimersPerTurn = 8;

    // Requests that were read elsewhere, as many as heads are read.
    private const int LinkedPerTurn = 4;
    private readonly LoopCore _core;
    private readonly PairRelay _relay;
    private readonly HandshakeDriver _handshakes;
    private readonly HeldRelay _held;
    private readonly Acceptor _acceptor;
    private readonly WakeUp _wakeUp = new();
    private readonly ConcurrentQueue<Action<EventLoop>> _posted = new();
    private readonly ConcurrentQueue<Accepted> _handedOver = new();
    private readonly ConcurrentQueue<HandshakeTicket> _resumed = new();
    private readonly ConcurrentQueue<LinkedRequest> _linked = new();
    private readonly ConcurrentQueue<(DialTicket Ticket, DialFailure? Failure)> _dialed = new();
    private readonly Thread _thread;
    private Action<int, NativeAddress, int>? _distribute;
    private bool _stopping;
    private volatile bool _isDisposed;
    private int _asleep;
    private long _wakeUps;
    private long _longestTurn;
    private int _load;

    /// <param name="number">For the thread's name.</param>
    /// <param name="policy">Used on this loop's thread only.</param>
    /// <param name="clock">Milliseconds that deadlines are measured in.</param>
    /// <param name="capacity">Pairs at most; costs address space, not memory.</param>
    /// <param name="rehomes">Used on this loop's thread only; null: the policy holds no pair.</param>
    public EventLoop(int number, IHandshakePolicy policy, LoopClock clock, int capacity = 1 << 20, IRehomePolicy? rehomes = null)
    {
        Number = number;
        _core = new LoopCore(clock, capacity);
        _relay = new PairRelay(_core, policy);
        _handshakes = new HandshakeDriver(_core, _relay, policy);
        _handshakes.Serve(this);
        _held = new HeldRelay(_core, _relay, _handshakes, rehomes, capacity);
        _acceptor = new Acceptor(_core, OnAccepted);
        _ = _core.Epoll.Register(_wakeUp.Fd, EpollEvents.In | EpollEvents.EdgeTriggered, WakeUpToken);
        _thread = new Thread(Run) { Name = "holdfast-loop-" + number, IsBackground = true };
    }

    public int Number { get; }

    /// <summary>
    /// Before <see cref="Start"/>: the loop takes no descriptor from this number on. Accepting waits and dials fail for want of local resources
    /// while only such are free, so that the runtime can still open files (a process that cannot load a library dies).
    /// </summary>
    public int DescriptorCap
    {
        get => _core.DescriptorCap;
        set => _core.DescriptorCap = value;
    }

    /// <summary>Established pairs; any thread.</summary>
    public int Established => _core.Established;

    /// <summary>Connections here or on their way here, handshakes included; any thread. What new ones are spread by.</summary>
    public int Load => Volatile.Read(ref _load) + _handedOver.Count + _linked.Count;

    /// <summary>Times epoll_wait returned; any thread.</summary>
    public long WakeUps => Volatile.Read(ref _wakeUps);

    /// <summary>Times accepting paused for want of descriptors; any thread.</summary>
    public long AcceptPauses => _acceptor.Pressure;

    public long AcceptedTotal => _acceptor.Accepted;

    /// <summary>By endpoint id; any thread may read the numbers.</summary>
    public EndpointTraffic[] Traffic => _core.Traffic;

    /// <summary>The longest turn of the loop since last asked, in milliseconds of its coarse clock (4 ms steps on most kernels); any thread.</summary>
    public long TakeLongestTurn() => Interlocked.Exchange(ref _longestTurn, 0);

    internal LoopCore Core => _core;

    internal PairRelay Relay => _relay;

    internal HandshakeDriver Handshakes => _handshakes;

    internal HeldRelay Held => _held;

    /// <summary>
    /// Opens a listening socket, non-blocking and not shared with other processes (no SO_REUSEPORT); any thread. The caller owns the descriptor
    /// until <see cref="Listen"/>. Throws <see cref="IOException"/> that says which address and why.
    /// </summary>
    /// <param name="bound">The address with the port that the kernel chose, when port 0 was asked for.</param>
    public static int OpenListener(IPEndPoint address, out IPEndPoint bound) => Acceptor.Open(address, out bound);

    /// <summary>Before <see cref="Start"/>: this loop accepts for a listening socket (<see cref="OpenListener"/>).</summary>
    /// <param name="fd">Owned by the loop from here on.</param>
    /// <param name="listenerId">Handed to the policy.</param>
    /// <param name="distribute">Gives an accepted connection to a loop; null: all stay here.</param>
    public void Listen(int fd, int listenerId, Action<int, NativeAddress, int>? distribute)
    {
        _distribute = distribute;
        var result = _acceptor.Add(fd, listenerId);
        if (result < 0)
            throw new IOException("epoll refuses a listening socket: errno " + -result);
    }

    /// <summary>
    /// On the loop's thread: as <see cref="Listen"/>, while the loop runs; accepted connections go where those of the first listener go. False,
    /// and the socket is closed, when the system has no room for it, or the loop has stopped listening.
    /// </summary>
    public bool TryListen(int fd, int listenerId) => _acceptor.Add(fd, listenerId) == 0;

    /// <summary>On the loop's thread: accepts who waits in the backlog, and closes this listener's socket. False: there is none.</summary>
    public bool StopListening(int listenerId) => _acceptor.Close(listenerId);

    public void Start() => _thread.Start();

    /// <summary>Runs an action on the loop's thread, soon; any thread. It must be short and must not throw.</summary>
    public void Post(Action<EventLoop> action)
    {
        _posted.Enqueue(action);
        Wake();
    }

    /// <summary>Gives this loop an accepted socket; any thread.</summary>
    public void HandOver(int fd, in NativeAddress client, int listenerId)
    {
        _handedOver.Enqueue(new Accepted(fd, client, listenerId));
        Wake();
    }

    /// <summary>
    /// Lets a waiting handshake of this loop go on (<see cref="HandshakeStep.Wait"/>), soon; any thread. A ticket of one that waits no longer does nothing; one that
    /// comes while the policy is still about to let it wait is not lost.
    /// </summary>
    public void Resume(HandshakeTicket ticket)
    {
        _resumed.Enqueue(ticket);
        Wake();
    }

    /// <summary>
    /// Gives this loop a request that was read elsewhere (<see cref="LinkedRequest"/>), soon; any thread. From here on it is a handshake like any other: what is answered comes out
    /// of the socket pair's far end, the 101 or a refusal and what follows it, as bytes.
    /// </summary>
    public void Connect(LinkedRequest request)
    {
        _linked.Enqueue(request);
        // It was queued before this looks, so either this or Dispose takes it out.
        Interlocked.MemoryBarrier();
        if (_isDisposed)
            RejectLinked();
        else
            Wake();
    }

    /// <summary>A dial by <see cref="IUpstreamDialer"/> has come to its end, soon; any thread. One that nobody waits for any more does nothing.</summary>
    /// <param name="failure">Null: the link may be written to.</param>
    public void Dialed(DialTicket ticket, DialFailure? failure)
    {
        _dialed.Enqueue((ticket, failure));
        Wake();
    }

    /// <summary>On the loop's thread: takes a connection as just accepted.</summary>
    public void Adopt(int fd, in NativeAddress client, int listenerId)
    {
        _handshakes.OnAccepted(fd, client, listenerId);
        Volatile.Write(ref _load, _core.Pairs.Count);
    }

    /// <summary>On the loop's thread: stops listening, for good.</summary>
    public void StopListening() => _acceptor.CloseAll();

    /// <summary>On the loop's thread: ends the pair with this id. False: no such pair here.</summary>
    public bool Close(UInt128 id, EndReason reason, CloseCode downstream, CloseCode upstream)
    {
        for (var i = 0; i < _core.Pairs.HighWater; i++)
        {
            ref var pair = ref _core.Pairs[i];
            if (pair.State == PairState.Relaying && pair.Id == id)
            {
                _ = _relay.Close(i, reason, EndSide.Gateway, downstream, upstream);
                return true;
            }
        }

        return false;
    }

    /// <summary>On the loop's thread: ends everything in order; handshakes at once.</summary>
    public void CloseAll(EndReason reason, CloseCode downstream, CloseCode upstream)
    {
        for (var i = 0; i < _core.Pairs.HighWater; i++)
        {
            var state = _core.Pairs[i].State;
            if (state == PairState.Relaying)
                _ = _relay.Close(i, reason, EndSide.Gateway, downstream, upstream);
            else if (state is PairState.ReadingProxyHeader or PairState.AwaitingHandOff or PairState.ReadingRequest or PairState.Waiting or PairState.Connecting or PairState.SendingRequest or PairState.AwaitingResponse
                && _core.Pairs[i].Held == 0)
                _handshakes.Shutdown(i);    // A re-home's handshake ends with its client's pair.
        }
    }

    /// <summary>
    /// On the loop's thread: closes the pairs of an endpoint, or all, by a plan; a later plan for the same replaces it. The pairs are looked at in
    /// pieces, so that a large table does not stop the loop.
    /// </summary>
    /// <param name="endpointId">Null: this gateway leaves, and every pair ends as <see cref="EndReason.Shutdown"/>.</param>
    public void Drain(int? endpointId, DrainPlan plan)
    {
        _core.Drains.Begin(endpointId, plan, _core.Now);
        var count = endpointId is { } id ? _core.TrafficOf(id).Open : _core.Established;
        Schedule(endpointId, plan, 0, 0, count);
    }

    /// <summary>On the loop's thread: the endpoint stays, and so do its pairs that are not closed yet. A loop that leaves goes on.</summary>
    public void CancelDrain(int endpointId)
    {
        _core.Drains.Cancel(endpointId);
        if (_core.Drains.Reason != EndReason.Shutdown)
            Unschedule(endpointId, 0);
    }

    /// <summary>
    /// On the loop's thread: copies established pairs, from a position on, into <paramref name="views"/>. The position to go on from, or -1 at
    /// the end; a call looks at a bounded number of places, so that a large or once large table does not stop the loop.
    /// </summary>
    public int Snapshot(int from, Span<PairView> views, out int count)
    {
        count = 0;
        for (var i = from; i < _core.Pairs.HighWater; i++)
        {
            if (count == views.Length || i - from == PlacesPerSnapshot)
                return i;
            if (_core.Pairs[i].State == PairState.Relaying)
            {
                views[count] = PairViews.Of(in _core.Pairs[i], _core.Now);
                if (_core.Pairs[i].Held != 0)
                    _held.Describe(i, ref views[count]);
                count++;
            }
        }

        return -1;
    }

    /// <summary>Ends the thread; pairs still there are reset. Any thread but the loop's.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        if (_thread.IsAlive)
        {
            Post(static loop => loop._stopping = true);
            _thread.Join();
        }

        _acceptor.Dispose();
        while (_handedOver.TryDequeue(out var accepted))
            Sys.Close(accepted.Fd);
        RejectLinked();
        for (var i = 0; i < _core.Pairs.HighWater; i++)
        {
            if (_core.Pairs[i].State != PairState.Free)
                _core.Free(i, abort: true);
        }

        _held.Dispose();
        _core.Dispose();
        _wakeUp.Dispose();
    }

    private void Schedule(int? endpointId, DrainPlan plan, int from, int rank, int count)
    {
        if (!_core.Drains.IsCurrent(endpointId, plan))
            return;
        var end = Math.Min(_core.Pairs.HighWater, from + PlacesPerSnapshot);
        for (var i = from; i < end; i++)
        {
            ref var pair = ref _core.Pairs[i];
            if (pair.State != PairState.Relaying || (endpointId is { } id && pair.Settings.EndpointId != id))
                continue;
            _core.Drains.Schedule(ref pair, plan, rank++, count, _core.Random.NextDouble());
            _relay.Rearm(i);
        }

        if (end < _core.Pairs.HighWater)
            Post(loop => loop.Schedule(endpointId, plan, end, rank, count));
    }

    /// <summary>A plan that begins meanwhile goes over the places again, behind this.</summary>
    private void Unschedule(int endpointId, int from)
    {
        var end = Math.Min(_core.Pairs.HighWater, from + PlacesPerSnapshot);
        for (var i = from; i < end; i++)
        {
            ref var pair = ref _core.Pairs[i];
            if (pair.State != PairState.Relaying || pair.Settings.EndpointId != endpointId)
                continue;
            pair.DrainAt = 0;
            if (pair.Held != 0)
                _held.OnDrainCancelled(i);
        }

        if (end < _core.Pairs.HighWater)
            Post(loop => loop.Unschedule(endpointId, end));
    }

    private void Wake()
    {
        // The loop clears the mark before it looks at the queues, so a wake-up is never lost and rarely doubled.
        if (Interlocked.Exchange(ref _asleep, 0) == 1)
            _wakeUp.Signal();
    }

    private void RejectLinked()
    {
        while (_linked.TryDequeue(out var request))
            HandshakeDriver.Reject(request);
    }

    private void OnAccepted(int fd, NativeAddress client, int listenerId)
    {
        if (_distribute is null)
            Adopt(fd, client, listenerId);
        else
            _distribute(fd, client, listenerId);
    }

    private void Run()
    {
        try
        {
            while (!_stopping)
                Turn();
        }
        catch (Exception e)
        {
            Environment.FailFast("holdfast: a bug on " + _thread.Name + ": " + e, e);
        }
    }

    private void Turn()
    {
        var events = _core.Epoll.Wait(PrepareToSleep());
        Volatile.Write(ref _asleep, 0);
        _core.Now = _core.Clock.Milliseconds;
        Volatile.Write(ref _wakeUps, _wakeUps + 1);
        var newcomers = false;
        for (var i = 0; i < events; i++)
        {
            var mask = _core.Epoll.Get(i, out var token);
            if (token == LoopCore.NewcomersToken)
                newcomers = true;
            else if (token >> 32 != 0)
                OnPairEvent(token, mask);
            else if (token == WakeUpToken)
                _wakeUp.Clear();
            else
                _acceptor.OnEvent(Acceptor.PositionOf(token));
        }

        if (newcomers)
            TakeNewcomers();
        for (var n = _core.Ready.Count; n > 0; n--)
            OnReady(_core.Ready.Dequeue());
        for (int n = TimersPerTurn, index; n > 0 && (index = _core.Timers.NextExpired(_core.Now)) >= 0; n--)
            OnTimer(index);
        for (var n = LinkedPerTurn; n > 0 && _linked.TryDequeue(out var request); n--)
            _handshakes.OnLinked(request);
        for (var n = _dialed.Count; n > 0 && _dialed.TryDequeue(out var dialed); n--)
            _handshakes.OnDialed(dialed.Ticket, dialed.Failure);
        while (_handedOver.TryDequeue(out var accepted))
            Adopt(accepted.Fd, accepted.Client, accepted.ListenerId);
        for (var n = _resumed.Count; n > 0 && _resumed.TryDequeue(out var ticket); n--)
            _handshakes.Resume(ticket);
        // No more than there are now: an action that posts itself again, to work in pieces, gets its next turn after the sockets had theirs.
        for (var n = _posted.Count; n > 0 && _posted.TryDequeue(out var action); n--)
            action(this);

        Volatile.Write(ref _load, _core.Pairs.Count);
        var turn = _core.Clock.Milliseconds - _core.Now;
        if (turn > Volatile.Read(ref _longestTurn))
            Volatile.Write(ref _longestTurn, turn);
    }

    /// <summary>A bounded number of them; those that are left are told again at once.</summary>
    private void TakeNewcomers()
    {
        var events = _core.Newcomers.Wait(0);
        for (var i = 0; i < events; i++)
        {
            var mask = _core.Newcomers.Get(i, out var token);
            OnPairEvent(token, mask);
        }
    }

    /// <summary>How long epoll may wait, in milliseconds: not at all while there is work.</summary>
    private int PrepareToSleep()
    {
        var accept = _acceptor.Resume();
        if (_core.Ready.Count > 0)
            return 0;
        Volatile.Write(ref _asleep, 1);
        Interlocked.MemoryBarrier();
        if (!_posted.IsEmpty || !_handedOver.IsEmpty || !_resumed.IsEmpty || !_linked.IsEmpty || !_dialed.IsEmpty)
            return 0;
        var timer = _core.Timers.UntilNext(_core.Now);
        return timer < 0 ? accept : accept < 0 ? timer : Math.Min(timer, accept);
    }

    private void OnPairEvent(ulong token, EpollEvents events)
    {
        var index = (int)((uint)token >> 1);
        var side = (Side)(token & 1);
        ref var pair = ref _core.Pairs[index];
        if (pair.Generation != (int)(token >> 32))
            return;     // Closed earlier in this batch.
        if (pair.State == PairState.Companion)
            _held.OnCompanionEvent(index, events);
        else if (pair.State >= PairState.Relaying)
            _relay.OnEvent(index, side, events);
        else
            _handshakes.OnEvent(index, side, events);
    }

    private void OnReady(ulong token)
    {
        var index = (int)((uint)token >> 1);
        if (_core.Pairs[index].Generation != (int)(token >> 32))
            return;
        if (_core.Pairs[index].State == PairState.Companion)
            _held.OnCompanionReady(index);
        else if (_core.Pairs[index].State >= PairState.Relaying)
            _relay.OnReady(index, (Side)(token & 1));
    }

    private void OnTimer(int index)
    {
        if (_core.Pairs[index].State >= PairState.Relaying)
            _relay.OnTimer(index);
        else
            _handshakes.OnTimer(index);
    }

    private readonly record struct Accepted(int Fd, NativeAddress Client, int ListenerId);
}
