using Holdfast.Relay.Interop;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Load;

/// <summary>Something that lives on a load thread's epoll beside its connections: in a bench, the server that is loaded. That thread only.</summary>
internal interface ILoopGuest
{
    /// <summary>The guest registers its descriptors with tokens from <paramref name="firstToken"/> on, now and later.</summary>
    void Attach(Epoll epoll, ulong firstToken);

    /// <param name="token">Less the first.</param>
    void OnEvents(ulong token, EpollEvents events);

    /// <summary>The run is over, and its epoll about to close.</summary>
    void Detach();
}

/// <summary>
/// One thread's share of a run: an epoll loop that dials at a pace, sends what is due once per turn, and reads whatever comes. One receive
/// and one send per message, no allocation. Threads meet at the <see cref="StartGate"/> only.
/// </summary>
internal sealed class LoadEngine : IDisposable
{
    // The timer slack of a thread: a shorter wait would end no sooner (prctl(2), PR_SET_TIMERSLACK).
    private const long ShortestWait = 50;

    // More than this at once would overflow the listener's backlog, and a dropped SYN costs a second.
    private const int MaxInHandshake = 256;
    private const int SendsPerTurn = 256;
    private const int EventsPerTurn = 512;
    private const ulong GuestTokens = 1ul << 40, WakeToken = ulong.MaxValue;

    private readonly LoadLane _lane;
    private readonly StartGate _gate;
    private readonly LoadConnection[] _connections;
    private readonly NativeAddress _target;
    private readonly NativeAddress[] _sources;
    private readonly Epoll _epoll = new(EventsPerTurn);

    // Nothing is registered here: waiting on it is a sleep to the microsecond, from which no message wakes.
    private readonly Epoll _pause = new(1);
    private readonly long _turn;
    private long _lastTurn;
    private readonly WakeUp _wakeUp;
    private readonly ILoopGuest? _guest;
    private readonly double _dialsPerMicrosecond;
    private readonly long _dialsFrom;
    private readonly long _grace;
    private Phase _phase;
    private long _deadline;
    private int _dialed;
    private int _firstUnsettled;
    private int _slot;
    private long _round;
    private volatile bool _stop;

    public LoadEngine(LoadLane lane, StartGate gate, int[] indexes, NativeAddress target, NativeAddress[] sources, ILoopGuest? guest = null)
    {
        _guest = guest;
        _lane = lane;
        _gate = gate;
        _target = target;
        _sources = sources;
        _connections = Array.ConvertAll(indexes, index => new LoadConnection(index, lane));
        _wakeUp = gate.NewWakeUp();
        _epoll.Register(_wakeUp.Fd, EpollEvents.In, WakeToken);
        _dialsPerMicrosecond = lane.Options.ConnectRate / (1_000_000.0 * lane.Options.Threads);
        _dialsFrom = lane.Clock.Now;
        _grace = (long)lane.Options.Grace.TotalMicroseconds;
        _turn = (long)lane.Options.Turn.TotalMicroseconds;
    }

    private enum Phase
    {
        Dialing,
        AtGate,
        Sending,
        Answers,
        Closing,
        Done,
    }

    public LoadLane Lane => _lane;

    /// <summary>Ends the sending early; the rest goes its ordinary way. Any thread; the gate's wake-up follows.</summary>
    public void Stop() => _stop = true;

    /// <summary>Returns when all connections have ended.</summary>
    public void Run()
    {
        _guest?.Attach(_epoll, GuestTokens);
        while (_phase != Phase.Done)
        {
            PauseBetweenTurns();
            var wait = Step();
            if (_phase == Phase.Done)
                break;
            var n = _epoll.WaitMicroseconds(wait);
            for (var i = 0; i < n; i++)
            {
                var events = _epoll.Get(i, out var token);
                if (token == WakeToken)
                    _wakeUp.Clear();
                else if (token >= GuestTokens)
                    _guest!.OnEvents(token - GuestTokens, events);
                else
                    OnEvents(_connections[(int)token], events);
            }
        }

        _guest?.Detach();
    }

    public void Settle(LoadTotals totals)
    {
        foreach (var connection in _connections)
            connection.Settle(totals);
        totals.Add(_lane);
    }

    public void Dispose()
    {
        _epoll.Dispose();
        _pause.Dispose();
    }

    private void PauseBetweenTurns()
    {
        if (_turn == 0)
            return;
        var rest = _lastTurn + _turn - _lane.Clock.Now;
        if (rest > 0)
            _pause.WaitMicroseconds(rest);
        _lastTurn = _lane.Clock.Now;
    }

    private void OnEvents(LoadConnection connection, EpollEvents events)
    {
        connection.OnEvents(events);
        if (_phase == Phase.Answers && connection.IsAnswered)
            connection.SendClose(CloseCode.Normal);
    }

    /// <summary>Does what the time asks for, and tells how long to wait for events then, in microseconds.</summary>
    private long Step() => _phase switch
    {
        Phase.Dialing => StepDialing(),
        Phase.AtGate => StepAtGate(),
        Phase.Sending => StepSending(),
        Phase.Answers => StepAnswers(),
        _ => StepClosing(),
    };

    private long StepDialing()
    {
        var now = _lane.Clock.Now;
        var allowed = (long)((now - _dialsFrom) * _dialsPerMicrosecond) + 1;
        while (_dialed < _connections.Length && _dialed < allowed && _lane.InHandshake < MaxInHandshake && !_stop)
        {
            var connection = _connections[_dialed];
            var source = _sources.Length == 0 ? default : _sources[connection.Index % _sources.Length];
            connection.Dial(_epoll, (ulong)_dialed, _target, source);
            _dialed++;
        }

        var timeout = (long)_lane.Options.HandshakeTimeout.TotalMicroseconds;
        while (_firstUnsettled < _dialed
            && (_connections[_firstUnsettled].At is not (LoadConnection.Phase.Dialing or LoadConnection.Phase.Preceding or LoadConnection.Phase.Upgrading)
                || now - _connections[_firstUnsettled].DialedAt > timeout))
        {
            _connections[_firstUnsettled].TimeOut();
            _firstUnsettled++;
        }

        if ((_dialed < _connections.Length && !_stop) || _lane.InHandshake > 0)
            return _dialed < _connections.Length ? 1_000 : 50_000;
        _phase = Phase.AtGate;
        _gate.Arrive();
        return 0;
    }

    private long StepAtGate()
    {
        if (_gate.Start == long.MaxValue)
            return 1_000_000;
        _lane.StartedAt = _gate.Start;
        _phase = Phase.Sending;
        return 0;
    }

    private long StepSending()
    {
        var schedule = _lane.Schedule;
        var silent = schedule.IsIdle || _lane.Options.Check == LoadCheck.Sequence;
        for (var i = 0; ; i++)
        {
            var now = _lane.Elapsed();
            var due = silent ? schedule.End : schedule.DueOf(_connections[_slot].Index, _round);
            // A guest lives to the schedule's end: others than the load may be connected to it.
            if (_stop || (_lane.Open == 0 && _guest is null) || (due >= schedule.End && now >= schedule.End))
                return EnterAnswers();
            if (due > now || due >= schedule.End)
                return Math.Max(Math.Min(due, schedule.End) - now, ShortestWait);
            if (i == SendsPerTurn)
                return 0;
            _connections[_slot].SendDue();
            if (++_slot == _connections.Length)
            {
                _slot = 0;
                _round++;
            }
        }
    }

    private long EnterAnswers()
    {
        _lane.SentUntil = _lane.Elapsed();
        _phase = Phase.Answers;
        _deadline = _lane.Clock.Now + _grace;
        foreach (var connection in _connections)
        {
            if (connection.IsAnswered)
                connection.SendClose(CloseCode.Normal);
        }

        return 0;
    }

    private long StepAnswers()
    {
        var left = _deadline - _lane.Clock.Now;
        var waiting = left > 0 && Array.Exists(_connections, c => c.At == LoadConnection.Phase.Open);
        if (waiting)
            return Math.Min(left, 10_000);
        foreach (var connection in _connections)
            connection.SendClose(CloseCode.Normal);
        _phase = Phase.Closing;
        _deadline = _lane.Clock.Now + _grace;
        return 0;
    }

    private long StepClosing()
    {
        var left = _deadline - _lane.Clock.Now;
        if (_lane.Open > 0 && left > 0)
            return left;
        foreach (var connection in _connections)
            connection.Drop();
        _phase = Phase.Done;
        return 0;
    }
}
