using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>Where an endpoint is in its life. The numbers leave the process in metrics: they never change.</summary>
internal enum EndpointPhase
{
    /// <summary>Known, but its active check has not passed yet: takes new connections only when no other endpoint can.</summary>
    Starting = 0,

    /// <summary>Takes new connections.</summary>
    Ready = 1,

    /// <summary>Still serves, takes new connections only when no endpoint is ready.</summary>
    Draining = 2,

    /// <summary>Left for good: a returning address is a new endpoint.</summary>
    Gone = 3,
}

/// <summary>Whether an endpoint's answers count as good. The numbers leave the process in metrics: they never change.</summary>
internal enum EndpointHealth
{
    Healthy = 0,
    Unhealthy = 1,
}

/// <summary>
/// One endpoint of a backend, for as long as it is known: it outlives every change of configuration that keeps its address. Thread-safe
/// without locks; counts are exact, and what one thread writes another sees no later than its next pick.
/// </summary>
internal sealed class EndpointState(int id, EndpointAddress address)
{
    private const long Never = long.MinValue;
    private const long OneConnection = 1, OneRequest = 1L << 32;

    /// <summary>Connections in the lower half, plain requests in the upper: a limit on both together stays exact.</summary>
    private long _places;
    private int _handshakes;
    private int _phase;
    private int _check;
    private ulong _ejection;
    private long _readySince = Never;
    private volatile ResolvedAddress? _resolved;
    private volatile string? _checkFailure;
    private volatile DrainPlan? _drain;
    private volatile TlsDialer? _dialer;

    /// <summary>Unique in this process, never reused.</summary>
    public int Id { get; } = id;

    public EndpointAddress Address { get; } = address;

    /// <summary>Of the address: the same in every gateway and after every restart.</summary>
    public ulong Hash { get; } = StableHash.Of(Encoding.UTF8.GetBytes(address.ToString()));

    /// <summary>Where to dial; null while the host name has not been resolved.</summary>
    public ResolvedAddress? Resolved
    {
        get => _resolved;
        set => _resolved = value;
    }

    /// <summary>What handshakes and requests have met there.</summary>
    public EjectionState Ejection => new(Volatile.Read(ref _ejection));

    /// <summary>Failed attempts in a row; a 101 sets it back to 0.</summary>
    public int FailuresInARow => Ejection.Failures;

    /// <summary>The active check found it unhealthy.</summary>
    public bool FailsCheck => Volatile.Read(ref _check) == (int)EndpointHealth.Unhealthy;

    /// <summary>Why its last active check failed; null: it passed, or none was made.</summary>
    public string? CheckFailure
    {
        get => _checkFailure;
        set => _checkFailure = value;
    }

    /// <summary>How its open connections are being closed; null: it is not drained, or nobody has said yet.</summary>
    public DrainPlan? Drain
    {
        get => _drain;
        set => _drain = value;
    }

    /// <summary>Who connects to it by TLS; the same until its backend's TLS changes.</summary>
    public TlsDialer DialerBy(UpstreamTls tls, string backend, BackendHost host) =>
        _dialer is { } dialer && ReferenceEquals(dialer.Tls, tls) ? dialer : _dialer = new TlsDialer(tls, this, backend, host);

    /// <summary>Connections reserved and open: WebSockets and their handshakes.</summary>
    public int Connections => (int)Volatile.Read(ref _places);

    /// <summary>Plain requests in flight.</summary>
    public int Requests => (int)(Volatile.Read(ref _places) >> 32);

    /// <summary>What policies weigh and limits count: connections, and requests while they are in flight.</summary>
    public int InUse => SumOf(Volatile.Read(ref _places));

    /// <summary>Handshakes under way: a part of <see cref="Connections"/>.</summary>
    public int Handshakes => Volatile.Read(ref _handshakes);

    public EndpointPhase Phase => (EndpointPhase)Volatile.Read(ref _phase);

    /// <summary>Unhealthy while it is ejected, or fails its active check.</summary>
    public EndpointHealth Health => FailsCheck || !Ejection.IsInService ? EndpointHealth.Unhealthy : EndpointHealth.Healthy;

    /// <summary>When it first became Ready, or recovered last, in the caller's milliseconds; meaningless before.</summary>
    public long ReadySince => Volatile.Read(ref _readySince);

    /// <summary>
    /// Starting or Draining becomes Ready. A cancelled drain keeps <see cref="ReadySince"/>: its caches are warm, so it needs no second slow
    /// start. False when it is Gone.
    /// </summary>
    public bool MarkReady(long nowMs)
    {
        while (true)
        {
            var phase = Phase;
            if (phase is EndpointPhase.Gone or EndpointPhase.Ready)
                return phase == EndpointPhase.Ready;
            // Before the phase, so that no pick sees a Ready endpoint with the time of nothing.
            Interlocked.CompareExchange(ref _readySince, nowMs, Never);
            if (TryMove(phase, EndpointPhase.Ready))
                return true;
        }
    }

    /// <summary>Starting or Ready becomes Draining. False when it is Gone.</summary>
    public bool MarkDraining()
    {
        while (true)
        {
            var phase = Phase;
            if (phase == EndpointPhase.Gone)
                return false;
            if (phase == EndpointPhase.Draining || TryMove(phase, EndpointPhase.Draining))
                return true;
        }
    }

    /// <summary>Ends its life; what is still connected may go on.</summary>
    public void MarkGone() => Volatile.Write(ref _phase, (int)EndpointPhase.Gone);

    /// <summary>
    /// It was unhealthy and takes connections again: slow start begins anew. Whoever left it idle would otherwise send it every handshake
    /// at once, and it has most likely been started again.
    /// </summary>
    public void RestartSlowly(long nowMs) => Volatile.Write(ref _readySince, nowMs);

    /// <summary>
    /// Whether it drains and a session that is bound to it may still return: until the session's turn among the closes, so that sessions move as evenly as connections
    /// are closed. After one failure no more: it may serve those that it has, and no longer listen.
    /// </summary>
    /// <param name="turn">In 65,536ths of the drain's duration.</param>
    public bool Keeps(ushort turn, long nowMs) => Phase == EndpointPhase.Draining && Health == EndpointHealth.Healthy && FailuresInARow == 0
        && Drain is { } drain && nowMs < drain.Start + ((long)drain.Duration * turn >> 16);

    /// <summary>What its active check says.</summary>
    public void SetHealth(EndpointHealth health) => Volatile.Write(ref _check, (int)health);

    /// <summary>False: it is no longer as it was seen.</summary>
    public bool TryChange(EjectionState seen, EjectionState next) => Interlocked.CompareExchange(ref _ejection, next.Bits, seen.Bits) == seen.Bits;

    /// <summary>Counts one more connection; pair it with exactly one <see cref="Release"/>.</summary>
    public void Reserve() => Interlocked.Add(ref _places, OneConnection);

    /// <summary>
    /// Counts one more connection and one more handshake, if there is room for both: exact, however many threads ask. True: pair it with exactly one
    /// <see cref="EndHandshake"/> and one <see cref="Release"/>.
    /// </summary>
    public bool TryReserve(EndpointRoom room)
    {
        // The handshake first: who sees a place taken that is given back at once waits a little for a slot, but would be refused for want of a connection.
        if (!TryIncrement(ref _handshakes, room.Handshakes))
            return false;
        if (TryTake(OneConnection, room.Connections))
            return true;
        EndHandshake();
        return false;
    }

    /// <summary>Gives one connection back.</summary>
    /// <exception cref="InvalidOperationException">More releases than reservations; the count stays 0.</exception>
    public void Release() => GiveBack(OneConnection, "connection");

    /// <summary>Counts one more plain request, if there is room beside connections and other requests: exact. True: pair it with exactly one <see cref="ReleaseRequest"/>.</summary>
    /// <param name="most">Connections and requests; 0: any number.</param>
    public bool TryReserveRequest(int most) => TryTake(OneRequest, most);

    /// <summary>Gives one request back.</summary>
    /// <exception cref="InvalidOperationException">More releases than reservations; the count stays 0.</exception>
    public void ReleaseRequest() => GiveBack(OneRequest, "request");

    /// <summary>Counts one more handshake under way; pair it with exactly one <see cref="EndHandshake"/>.</summary>
    public void BeginHandshake() => Interlocked.Increment(ref _handshakes);

    /// <summary>Gives one handshake back.</summary>
    /// <exception cref="InvalidOperationException">More ends than begins; the count stays 0.</exception>
    public void EndHandshake() => Decrement(ref _handshakes, "handshake");

    public override string ToString() => Address.ToString();

    private static int SumOf(long places) => (int)places + (int)(places >> 32);

    private bool TryTake(long one, int most)
    {
        if (most == 0)
        {
            Interlocked.Add(ref _places, one);
            return true;
        }

        for (var seen = Volatile.Read(ref _places); SumOf(seen) < most;)
        {
            var before = Interlocked.CompareExchange(ref _places, seen + one, seen);
            if (before == seen)
                return true;
            seen = before;
        }

        return false;
    }

    private void GiveBack(long one, string what)
    {
        for (var seen = Volatile.Read(ref _places); ;)
        {
            if ((int)(seen / one) <= 0)
                throw new InvalidOperationException($"A {what} was given back twice.");
            var before = Interlocked.CompareExchange(ref _places, seen - one, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    private static bool TryIncrement(ref int count, int limit)
    {
        if (limit == 0)
        {
            Interlocked.Increment(ref count);
            return true;
        }

        for (var seen = Volatile.Read(ref count); seen < limit;)
        {
            var before = Interlocked.CompareExchange(ref count, seen + 1, seen);
            if (before == seen)
                return true;
            seen = before;
        }

        return false;
    }

    private static void Decrement(ref int count, string what)
    {
        for (var seen = Volatile.Read(ref count); ;)
        {
            if (seen <= 0)
                throw new InvalidOperationException($"A {what} was given back twice.");
            var before = Interlocked.CompareExchange(ref count, seen - 1, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    private bool TryMove(EndpointPhase from, EndpointPhase to) => Interlocked.CompareExchange(ref _phase, (int)to, (int)from) == (int)from;
}

/// <summary>An address in the form that connect(2) takes, swapped whole.</summary>
/// <param name="failures">The endpoint's failures in a row when it got this address: what comes on top is this address's.</param>
internal sealed class ResolvedAddress(NativeAddress address, int failures = 0)
{
    public NativeAddress Address { get; } = address;

    public int Failures { get; } = failures;
}
