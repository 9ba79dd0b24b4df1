using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Health;

/// <summary>
/// Which of a backend's endpoints are passed over because handshakes failed there. Loops call it from any thread: no lock, no allocation; each
/// endpoint's state changes by one compare-and-swap. Times are milliseconds of the loops' clock.
/// </summary>
/// <remarks>
/// Every ejected endpoint holds one place under the ceiling, taken before its state changes and given back after: there are never more ejected
/// than places, nor more places than the ceiling. A place taken in vain, since the state had changed meanwhile, is given back at once; who
/// was refused for it ejects at the next failure.
/// </remarks>
internal sealed class Ejections(string backend, HealthEvents? events = null)
{
    private volatile Scope _scope = new(new EjectOptions(), []);
    private int _places;
    private long _tickets;
    private long _total;

    /// <summary>Ejections ever, renewed ones included.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <summary>Endpoints ejected now, those on trial included.</summary>
    public int Count => Volatile.Read(ref _places);

    /// <summary>
    /// Puts other options and endpoints in force: who leaves is forgotten, ejections last no longer than the options now say, and whoever is
    /// over the ceiling returns. One thread at a time.
    /// </summary>
    public void Follow(EjectOptions options, EndpointState[] endpoints)
    {
        var old = _scope;
        _scope = new Scope(options, endpoints);
        // Who ejects looks at the scope once more afterwards, and the review below looks at the places: one of the two sees the other.
        Interlocked.MemoryBarrier();
        foreach (var endpoint in old.Endpoints)
        {
            if (Array.IndexOf(endpoints, endpoint) < 0)
                Change(endpoint, 0, static (_, _) => EjectionState.Fresh(isMember: false));
        }

        foreach (var endpoint in endpoints)
        {
            if (!endpoint.Ejection.IsMember)
                Change(endpoint, 0, static (_, _) => EjectionState.Fresh(isMember: true));
        }

        if (options.For < old.Options.For)
        {
            var shorter = (long)(old.Options.For - options.For).TotalMilliseconds;
            foreach (var endpoint in endpoints)
                Change(endpoint, shorter, static (s, by) => s.Phase == EjectionPhase.Ejected ? s.Sooner(by * s.Row) : s);
        }

        Review();
    }

    /// <summary>
    /// The endpoint whose trial is due, the longest-waiting first; null when there is none. Who got it ends it with exactly one of
    /// <see cref="Failed"/>, <see cref="Upgraded"/>, <see cref="Answered"/> and <see cref="GiveBack"/>; another one then does nothing to it.
    /// </summary>
    /// <param name="excluded">Ids of endpoints that this handshake has tried.</param>
    /// <param name="isHandshake">A plain request can prove only an endpoint that was ejected for plain requests alone.</param>
    /// <param name="trial">Unlike 0 when there is one.</param>
    /// <param name="only">No other endpoint may be tried; null: any may.</param>
    public EndpointState? TryBeginTrial(long nowMs, ReadOnlySpan<int> excluded, bool isHandshake, out long trial, EndpointState? only = null)
    {
        trial = 0;
        if (Count == 0)
            return null;
        while (true)
        {
            EndpointState? best = null;
            EjectionState seen = default;
            foreach (var endpoint in _scope.Endpoints)
            {
                var state = endpoint.Ejection;
                if (state.Phase == EjectionPhase.Ejected && state.Until <= nowMs && (isHandshake || !state.HandshakeFailed)
                    && IsServing(endpoint) && !excluded.Contains(endpoint.Id) && (only is null || ReferenceEquals(only, endpoint))
                    && (best is null || state.Until < seen.Until))
                    (best, seen) = (endpoint, state);
            }

            if (best is null)
                return null;
            var ticket = NextTicket();
            if (best.TryChange(seen, seen.OnTrial(ticket)))
            {
                trial = ticket;
                return best;
            }
        }
    }

    /// <summary>
    /// The last resort, when nothing else can be picked: if the backend has no endpoint in service at all, the ejected one that waits the
    /// shortest is put back. Null otherwise.
    /// </summary>
    public EndpointState? PutBack(ReadOnlySpan<int> excluded)
    {
        if (Count == 0)
            return null;
        var scope = _scope;
        foreach (var endpoint in scope.Endpoints)
        {
            if (endpoint.Phase != EndpointPhase.Gone && endpoint.Health == EndpointHealth.Healthy)
                return null;
        }

        return Return(scope, excluded, mayBePicked: true);
    }

    /// <summary>A handshake failed in a way that speaks against the endpoint, or a plain request could not connect.</summary>
    public void Failed(EndpointState endpoint, long trial, long nowMs, bool isHandshake)
    {
        while (true)
        {
            var scope = _scope;
            var seen = endpoint.Ejection;
            var next = seen.Failed(isHandshake);
            var isRenewed = seen.IsHeldBy(trial);
            var isNew = seen.IsInService && seen.IsMember && scope.Options.AfterFailures > 0 && next.Failures >= scope.Options.AfterFailures
                && TryTakePlace(scope, endpoint);
            if (isRenewed || isNew)
                next = next.Ejected(nowMs, scope.ForMs);
            if (!endpoint.TryChange(seen, next))
            {
                if (isNew)
                    Interlocked.Decrement(ref _places);
                continue;
            }

            if (isRenewed || isNew)
            {
                Interlocked.Increment(ref _total);
                events?.Add(new HealthEvent(HealthEventKind.Ejected, backend, endpoint, next.Failures, next.Until - nowMs));
                if (!ReferenceEquals(scope, _scope))
                    Review();
            }

            return;
        }
    }

    /// <summary>A handshake was answered with a good 101, whoever began it and when: nothing is held against the endpoint any more.</summary>
    public void Upgraded(EndpointState endpoint, long nowMs)
    {
        // Nearly always there is nothing to forget, and the word is only read.
        if (Change(endpoint, 0, static (s, _) => s.Recovered()) is var before && !before.IsInService)
        {
            endpoint.RestartSlowly(nowMs);
            events?.Add(new HealthEvent(HealthEventKind.Recovered, backend, endpoint));
        }
    }

    /// <summary>A plain request was answered: that proves an endpoint that only plain requests speak against.</summary>
    public void Answered(EndpointState endpoint, long trial, long nowMs)
    {
        var before = Change(endpoint, (trial, nowMs), static (s, a) =>
            !s.HandshakeFailed ? s.Recovered() : s.IsHeldBy(a.trial) ? s.HalfOpen(a.nowMs) : s);
        if (!before.IsInService && !before.HandshakeFailed)
        {
            endpoint.RestartSlowly(nowMs);
            events?.Add(new HealthEvent(HealthEventKind.Recovered, backend, endpoint));
        }
    }

    /// <summary>A trial came to no result: the next handshake may try at once. Nothing happens when it is no longer under way.</summary>
    public void GiveBack(EndpointState endpoint, long trial, long nowMs)
    {
        if (trial != 0)
            Change(endpoint, (trial, nowMs), static (s, a) => s.IsHeldBy(a.trial) ? s.HalfOpen(a.nowMs) : s);
    }

    /// <summary>Lets out whoever the ceiling or the options do not allow to be ejected, the soonest due first.</summary>
    private void Review()
    {
        while (true)
        {
            var scope = _scope;
            var most = scope.Options.AfterFailures == 0 ? 0 : Ceiling(scope);
            if (Count <= most || Return(scope, [], mayBePicked: false) is null)
                return;
        }
    }

    private EndpointState? Return(Scope scope, ReadOnlySpan<int> excluded, bool mayBePicked)
    {
        while (true)
        {
            EndpointState? best = null;
            EjectionState seen = default;
            foreach (var endpoint in scope.Endpoints)
            {
                var state = endpoint.Ejection;
                // One on trial is the nearest to its return: its Until is 0.
                if (!state.IsInService && !excluded.Contains(endpoint.Id) && (!mayBePicked || IsServing(endpoint))
                    && (best is null || state.Until < seen.Until))
                    (best, seen) = (endpoint, state);
            }

            if (best is null)
                return null;
            if (best.TryChange(seen, seen.Returned()))
            {
                Interlocked.Decrement(ref _places);
                events?.Add(new HealthEvent(HealthEventKind.Returned, backend, best));
                return best;
            }
        }
    }

    /// <summary>Would be picked but for its ejection.</summary>
    private static bool IsServing(EndpointState endpoint) => endpoint.Phase == EndpointPhase.Ready && !endpoint.FailsCheck;

    /// <summary>How many may be ejected at once: a share of those that are ready and pass their check, and never all of them.</summary>
    private static int Ceiling(Scope scope)
    {
        var count = 0;
        foreach (var endpoint in scope.Endpoints)
        {
            if (IsServing(endpoint))
                count++;
        }

        return Math.Min((int)((long)count * scope.Options.MaxPercent / 100), count - 1);
    }

    private bool TryTakePlace(Scope scope, EndpointState endpoint)
    {
        if (!IsServing(endpoint))
            return false;
        var ceiling = Ceiling(scope);
        for (var seen = Count; seen < ceiling;)
        {
            var before = Interlocked.CompareExchange(ref _places, seen + 1, seen);
            if (before == seen)
                return true;
            seen = before;
        }

        return false;
    }

    /// <summary>Changes the state, giving its place back when it leaves an ejection. What it was before.</summary>
    private EjectionState Change<T>(EndpointState endpoint, T argument, Func<EjectionState, T, EjectionState> change)
    {
        while (true)
        {
            var seen = endpoint.Ejection;
            var next = change(seen, argument);
            if (next == seen)
                return seen;
            if (!endpoint.TryChange(seen, next))
                continue;
            if (!seen.IsInService && next.IsInService)
                Interlocked.Decrement(ref _places);
            return seen;
        }
    }

    private long NextTicket()
    {
        long ticket;
        do
            ticket = Interlocked.Increment(ref _tickets) & EjectionState.GreatestMark;
        while (ticket == 0);
        return ticket;
    }

    private sealed class Scope(EjectOptions options, EndpointState[] endpoints)
    {
        public readonly EjectOptions Options = options;
        public readonly EndpointState[] Endpoints = endpoints;
        public readonly long ForMs = (long)options.For.TotalMilliseconds;
    }
}
