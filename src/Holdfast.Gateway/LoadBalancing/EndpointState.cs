using Holdfast.Api.Configuration;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>Where an endpoint is in its life. The numbers leave the process in metrics: they never change.</summary>
internal enum EndpointPhase
{
    /// <summary>Known, not yet ready: takes no connection.</summary>
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

    private int _connections;
    private int _handshakes;
    private int _phase;
    private int _health;
    private int _failures;
    private long _readySince = Never;
    private volatile ResolvedAddress? _resolved;

    /// <summary>Unique in this process, never reused.</summary>
    public int Id { get; } = id;

    public EndpointAddress Address { get; } = address;

    /// <summary>Where to dial; null while the host name has not been resolved.</summary>
    public ResolvedAddress? Resolved
    {
        get => _resolved;
        set => _resolved = value;
    }

    /// <summary>Failed attempts in a row; a 101 sets it back to 0.</summary>
    public int FailuresInARow => Volatile.Read(ref _failures);

    /// <summary>Connections reserved and open.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Handshakes under way: a part of <see cref="Connections"/>.</summary>
    public int Handshakes => Volatile.Read(ref _handshakes);

    public EndpointPhase Phase => (EndpointPhase)Volatile.Read(ref _phase);

    public EndpointHealth Health => (EndpointHealth)Volatile.Read(ref _health);

    /// <summary>When it first became Ready, in the caller's milliseconds; meaningless before.</summary>
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

    /// <summary>An attempt failed in a way that speaks against this endpoint.</summary>
    public void CountFailure() => Interlocked.Increment(ref _failures);

    public void ClearFailures() => Volatile.Write(ref _failures, 0);

    public void SetHealth(EndpointHealth health) => Volatile.Write(ref _health, (int)health);

    /// <summary>Counts one more connection; pair it with exactly one <see cref="Release"/>.</summary>
    public void Reserve() => Interlocked.Increment(ref _connections);

    /// <summary>Gives one connection back.</summary>
    /// <exception cref="InvalidOperationException">More releases than reservations; the count stays 0.</exception>
    public void Release() => Decrement(ref _connections, "connection");

    /// <summary>Counts one more handshake under way; pair it with exactly one <see cref="EndHandshake"/>.</summary>
    public void BeginHandshake() => Interlocked.Increment(ref _handshakes);

    /// <summary>Gives one handshake back.</summary>
    /// <exception cref="InvalidOperationException">More ends than begins; the count stays 0.</exception>
    public void EndHandshake() => Decrement(ref _handshakes, "handshake");

    public override string ToString() => Address.ToString();

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
