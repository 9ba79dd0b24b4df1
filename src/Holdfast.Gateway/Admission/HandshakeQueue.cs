using Holdfast.Api.Configuration;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Admission;

/// <summary>What became of a handshake that came to the queue.</summary>
internal enum QueueEntry
{
    /// <summary>It may go on at once.</summary>
    Granted,

    /// <summary>It waits; its place's <see cref="QueuePlace.Resume"/> is called when that is over.</summary>
    Waiting,

    /// <summary>As many wait as may.</summary>
    Full,
}

/// <summary>
/// One backend's handshake queue: lets handshakes go on no faster than configured, and no more at once than its endpoints (and its auth service) have room for, and serves those
/// that wait in turn. Thread-safe: a short lock, taken once or twice for each handshake and never for a message.
/// </summary>
/// <remarks>
/// A grant keeps a slot from when it is given until it is used on an endpoint (<see cref="Use"/>) or given up (<see cref="Leave"/>): so what is granted always finds room, unless retries and
/// re-homes, which go ahead, have taken it meanwhile; then it waits in a line before all others (<see cref="LineUp"/>).
/// </remarks>
internal sealed class HandshakeQueue : IDisposable
{
    /// <summary>While anyone waits, the queue is looked at this often in any case: an endpoint that became ready, or got room for any other reason, is noticed then.</summary>
    private const int Tick = 50;

    /// <summary>The loops' clock goes in steps of about this.</summary>
    private const int ClockStep = 4;

    private readonly Lock _gate = new();
    private readonly BackendState _backend;
    private readonly QueueHost? _host;
    private readonly FairQueue _waiting = new();

    /// <summary>One for each endpoint that someone waits for, and one for any: few, however many wait in them.</summary>
    private readonly List<EndpointLine> _lines = [];
    private readonly ITimer? _timer;
    private TokenBucket _tokens;
    private int _granted;
    private int _inLine;
    private volatile int _count;
    private bool _isTicking;

    /// <param name="host">Null: nobody looks at it but by <see cref="Pump"/>.</param>
    public HandshakeQueue(BackendState backend, QueueHost? host)
    {
        _backend = backend;
        _host = host;
        _timer = host?.Time.CreateTimer(_ => host.Post(OnTick), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Handshakes that wait.</summary>
    public int Count => _count;

    /// <summary>Slots kept for handshakes that may go on and have no endpoint yet.</summary>
    public int Granted
    {
        get
        {
            lock (_gate)
                return _granted;
        }
    }

    /// <summary>A handshake comes. Granted: pair it with one <see cref="Use"/> or <see cref="Leave"/>; Waiting: with one <see cref="Leave"/> at the latest when its handshake ends.</summary>
    /// <param name="key">Whose turn it takes.</param>
    public QueueEntry Enter(QueuePlace place, UInt128 key, long nowMs)
    {
        var options = _backend.Options.Handshakes;
        QueuePlace? evicted = null;
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                var free = Free();
                ServeLines(ref free);
                if (TryGrant(place, options, nowMs, free))
                    return QueueEntry.Granted;
            }

            if (_count >= options.Queue && (options.Queue == 0 || (evicted = _waiting.Evict(key)) is null))
                return QueueEntry.Full;
            if (evicted is not null)
            {
                evicted.State = PlaceState.Evicted;
                evicted.Resume(evicted.Ticket);
            }

            _waiting.Add(place, key);
            place.State = PlaceState.Waiting;
            // Whoever gave a slot back before anybody waited has not looked here: the first looks once more.
            if (_count == 0)
                Serve(options, nowMs);
            else
                Settle(options, nowMs);
            return QueueEntry.Waiting;
        }
    }

    /// <summary>What was granted has found its endpoint busy, and waits on, before all that have had no turn. False: as many wait as may, and its grant is given up.</summary>
    /// <param name="endpoint">The one that it is bound to; null: any would do.</param>
    public bool LineUp(QueuePlace place, EndpointState? endpoint, long nowMs)
    {
        var options = _backend.Options.Handshakes;
        lock (_gate)
        {
            var before = place.Line;
            Drop(place);
            var isTaken = _count < options.Queue;
            if (isTaken)
                Join(LineOf(endpoint), place, isFirst: before is not null);

            // The slot that it gives up may do for another; and its own may have become free since it looked.
            Serve(options, nowMs);
            return isTaken;
        }
    }

    /// <summary>What was granted has a slot at an endpoint now.</summary>
    public void Use(QueuePlace place)
    {
        lock (_gate)
            Drop(place);
    }

    /// <summary>Whatever its state, the handshake is not there any more. May be called more than once.</summary>
    public void Leave(QueuePlace place, long nowMs)
    {
        if (place.State == PlaceState.None)
            return;
        AuthGate? unused;
        lock (_gate)
        {
            Drop(place);
            (unused, place.Gate) = (place.Gate, null);
        }

        unused?.Exit();
        Pump(nowMs);
    }

    /// <summary>The place at the auth service that came with the grant, if one must be asked: the caller asks, and exits it, from here on.</summary>
    public AuthGate? TakeGate(QueuePlace place)
    {
        lock (_gate)
        {
            var gate = place.Gate;
            place.Gate = null;
            return gate;
        }
    }

    /// <summary>A slot, or a place at the auth service, has become free: lets go on whoever may. Costs one look when nobody waits.</summary>
    public void Pump(long nowMs)
    {
        if (_count == 0)
            return;
        lock (_gate)
            Serve(_backend.Options.Handshakes, nowMs);
    }

    /// <summary>As <see cref="Pump"/>, on a loop's thread; any thread may ask.</summary>
    public void PumpSoon()
    {
        if (_count > 0)
            _host?.Post(() => Pump(_host.NowMs()));
    }

    /// <summary>Seconds after which who is turned away may find room.</summary>
    public int RetryAfter()
    {
        var rate = _backend.Options.Handshakes.RatePerSecond;
        return rate == 0 ? 1 : Math.Clamp((_count + rate - 1) / rate, 1, 300);
    }

    public void Dispose() => _timer?.Dispose();

    private void OnTick()
    {
        lock (_gate)
            _isTicking = false;
        Pump(_host!.NowMs());
    }

    /// <summary>Slots that no handshake has or is kept for.</summary>
    private int Free() => _backend.FreeSlots() is var free && free == int.MaxValue ? free : free - _granted;

    private bool TryGrant(QueuePlace place, HandshakeOptions options, long nowMs, int free)
    {
        if (free <= 0 || !_tokens.Has(options, nowMs))
            return false;
        var gate = _backend.Auth;
        if (gate is not null && !gate.TryEnter())
            return false;
        _tokens.Take(options);
        place.Gate = gate;
        Grant(place);
        return true;
    }

    private void Grant(QueuePlace place)
    {
        place.State = PlaceState.Granted;
        _granted++;
    }

    /// <summary>Lets go on whoever may. Under the lock.</summary>
    private void Serve(HandshakeOptions options, long nowMs)
    {
        // In this order: a slot that is given back meanwhile is either seen here, or its giver sees that somebody waits.
        CountWaiting();
        Interlocked.MemoryBarrier();
        var free = Free();
        ServeLines(ref free);
        while (_waiting.Next is { } place && TryGrant(place, options, nowMs, free))
        {
            _ = _waiting.Take();
            free--;
            place.Resume(place.Ticket);
        }

        Settle(options, nowMs);
    }

    /// <summary>Those in line have had their turn and their answer: an endpoint with room is all that they need.</summary>
    private void ServeLines(ref int free)
    {
        foreach (var line in _lines)
        {
            var room = line.Endpoint is { } endpoint ? _backend.SlotsAt(endpoint) : int.MaxValue;
            while (free > 0 && line.Granted < room && line.Places.First is { } node)
            {
                line.Places.Remove(node);
                _inLine--;
                line.Granted++;
                free--;
                Grant(node.Value);
                node.Value.Resume(node.Value.Ticket);
            }
        }

        CountWaiting();
    }

    private EndpointLine LineOf(EndpointState? endpoint)
    {
        var line = _lines.Find(l => l.Endpoint == endpoint);
        if (line is null)
            _lines.Add(line = new EndpointLine(endpoint));
        return line;
    }

    /// <param name="isFirst">It was let go on from a line before, and found the room taken again: it has not lost its turn.</param>
    private void Join(EndpointLine line, QueuePlace place, bool isFirst)
    {
        if (isFirst)
            line.Places.AddFirst(place.Node);
        else
            line.Places.AddLast(place.Node);
        _inLine++;
        place.Line = line;
        place.State = PlaceState.InLine;
    }

    /// <summary>Takes it out of wherever it is.</summary>
    private void Drop(QueuePlace place)
    {
        switch (place.State)
        {
            case PlaceState.Waiting:
                _waiting.Remove(place);
                break;
            case PlaceState.InLine:
                place.Line!.Places.Remove(place.Node);
                _inLine--;
                break;
            case PlaceState.Granted:
                _granted--;
                if (place.Line is not null)
                    place.Line.Granted--;
                break;
        }

        if (place.Line is { IsNeeded: false } line)
            _lines.Remove(line);
        place.Line = null;
        place.State = PlaceState.None;
        CountWaiting();
    }

    private void CountWaiting() => _count = _waiting.Count + _inLine;

    private void Settle(HandshakeOptions options, long nowMs)
    {
        CountWaiting();
        if (_count == 0 || _isTicking || _timer is null)
            return;
        _isTicking = true;
        // Where it is not the rate that holds them up, whoever gives a slot back looks.
        var until = _waiting.Count > 0 ? _tokens.Until(options, nowMs) : 0;
        var due = until == 0 ? Tick : Math.Clamp(until, ClockStep, Tick);
        _ = _timer.Change(TimeSpan.FromMilliseconds(due), Timeout.InfiniteTimeSpan);
    }
}

/// <summary>What a queue needs of the gateway around it.</summary>
/// <param name="Time">For its timer.</param>
/// <param name="NowMs">The loops' clock.</param>
/// <param name="Post">Runs an action on a loop's thread, soon.</param>
internal sealed record QueueHost(TimeProvider Time, Func<long> NowMs, Action<Action> Post);
