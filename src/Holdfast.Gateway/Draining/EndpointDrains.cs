using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.EventLoop;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Draining;

/// <summary>
/// Takes endpoints out of service and back. A draining endpoint gets no new connections while others are ready, and its open ones are closed at
/// the pace of its backend's <c>drain</c>, by each loop for itself. Any thread.
/// </summary>
internal sealed class EndpointDrains(GatewayRuntime runtime)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<int, Entry> _byEndpoint = [];

    public IDrainObserver? Observer { get; set; }

    /// <summary>
    /// Begins, for one cause. Nothing happens when that cause holds already; but asking through the admin API once more begins anew, for
    /// connections that were let in since. False: the endpoint is gone.
    /// </summary>
    public bool Begin(BackendState backend, EndpointState endpoint, DrainCause cause)
    {
        lock (_gate)
        {
            if (!endpoint.MarkDraining())
                return false;
            if (!_byEndpoint.TryGetValue(endpoint.Id, out var entry))
                _byEndpoint.Add(endpoint.Id, entry = new Entry());
            if (!entry.Causes.ContainsKey(cause) || cause == DrainCause.Admin)
            {
                entry.Causes[cause] = runtime.Clock.Milliseconds + Delay(backend, cause);
                Observer?.OnBegun(backend, endpoint, cause);
                Plan(backend, endpoint, entry);
                HostLog.EndpointDraining(runtime.Logger, backend.Name, endpoint.ToString(), TelemetryNames.Of(cause), EndpointDirectory.Relayed(endpoint));
            }

            return true;
        }
    }

    /// <summary>Ends one cause; the endpoint is ready again, and its connections stay, when it was the last.</summary>
    public void Cancel(BackendState backend, EndpointState endpoint, DrainCause cause)
    {
        lock (_gate)
        {
            if (!_byEndpoint.TryGetValue(endpoint.Id, out var entry) || !entry.Causes.Remove(cause))
                return;
            if (entry.Causes.Count > 0)
            {
                Plan(backend, endpoint, entry);
                return;
            }

            Forget(endpoint);
            Observer?.OnCancelled(endpoint);
            endpoint.MarkReady(runtime.Clock.Milliseconds);
            HostLog.EndpointReturned(runtime.Logger, backend.Name, endpoint.ToString(), EndpointDirectory.Relayed(endpoint));
        }
    }

    /// <summary>The endpoint is gone: nothing of its drains is kept.</summary>
    public void Forget(EndpointState endpoint)
    {
        lock (_gate)
        {
            if (!_byEndpoint.Remove(endpoint.Id))
                return;
            endpoint.Drain = null;
            foreach (var loop in runtime.Loops)
                loop.Post(l => l.CancelDrain(endpoint.Id));
        }
    }

    /// <summary>The causes that hold, and in how many milliseconds closes begin and end (negative: that long ago). Null: it is not drained.</summary>
    public (IReadOnlyList<DrainCause> Causes, long StartsInMs, long EndsInMs)? Find(EndpointState endpoint)
    {
        lock (_gate)
        {
            if (!_byEndpoint.TryGetValue(endpoint.Id, out var entry))
                return null;
            var startsIn = entry.Plan!.Start - runtime.Clock.Milliseconds;
            return ([.. entry.Causes.Keys.Order()], startsIn, startsIn + entry.Plan.Duration);
        }
    }

    private static long Delay(BackendState backend, DrainCause cause)
    {
        var grace = cause == DrainCause.Missing ? backend.Options.Dns?.Grace ?? TimeSpan.Zero : TimeSpan.Zero;
        return (long)(grace + backend.Options.Drain.Delay).TotalMilliseconds;
    }

    /// <summary>Several causes: the one that closes first decides.</summary>
    private void Plan(BackendState backend, EndpointState endpoint, Entry entry)
    {
        var drain = backend.Options.Drain;
        var plan = new DrainPlan(entry.Causes.Values.Min(), (int)drain.Duration.TotalMilliseconds, (CloseCode)drain.CloseCode)
        {
            // Where others are ready, who is let in meanwhile has a session there, and moves on with the others.
            ClosesLater = backend.Affinity.IsByCookie && backend.HasReadyBut(endpoint),
        };
        if (entry.Plan is { } current && current.Start == plan.Start)
            return;
        endpoint.Drain = entry.Plan = plan;
        foreach (var loop in runtime.Loops)
            loop.Post(l => l.Drain(endpoint.Id, plan));
    }

    /// <summary>By cause: when its closes begin, in the loops' milliseconds.</summary>
    private sealed class Entry
    {
        public Dictionary<DrainCause, long> Causes { get; } = [];

        public DrainPlan? Plan { get; set; }
    }
}
