using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Holding;

namespace Holdfast.Gateway.Events;

/// <summary>
/// Tells its readers of drains, re-homes and endpoints. Looks around a few times a second while there is a reader or a drain, and else not at all.
/// Thread-safe.
/// </summary>
internal sealed class GatewayEvents : IDrainObserver, IDisposable
{
    /// <summary>A reader costs up to 256 waiting events; more than these are a mistake.</summary>
    public const int MaxReaders = 64;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RehomesInterval = TimeSpan.FromSeconds(1);

    private readonly GatewayRuntime _runtime;
    private readonly EndpointDirectory _directory;
    private readonly RehomeCounts _rehomes = new();
    private readonly Lock _gate = new();
    private readonly List<EventReader> _readers = [];
    private readonly Dictionary<int, DrainWatch> _drains = [];
    private readonly ITimer _timer;
    private Dictionary<int, Seen> _endpoints = [];
    private long _rehomesTaken;
    private bool _isAwake;
    private bool _isDisposed;

    public GatewayEvents(GatewayRuntime runtime, EndpointDirectory directory)
    {
        (_runtime, _directory) = (runtime, directory);
        _timer = runtime.Time.CreateTimer(static state => ((GatewayEvents)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        runtime.Drains.Observer = this;
    }

    /// <summary>Those that follow.</summary>
    public int Readers
    {
        get
        {
            lock (_gate)
                return _readers.Count;
        }
    }

    /// <summary>On loop threads; neither waits nor allocates once the backend is known.</summary>
    public void OnRehomed(in RehomeEnd end, BackendState backend) => _rehomes.Count(in end, backend);

    /// <summary>A reader of what happens from here on; it is to <see cref="Leave"/>. Null: there are too many.</summary>
    public EventReader? Join()
    {
        lock (_gate)
        {
            if (_isDisposed || _readers.Count == MaxReaders)
                return null;
            if (_readers.Count == 0)
            {
                // What was before is not news.
                _endpoints = SeeEndpoints();
                _ = _rehomes.Take("");
                _rehomesTaken = _runtime.Time.GetTimestamp();
            }

            var reader = new EventReader();
            _readers.Add(reader);
            StayAwake();
            return reader;
        }
    }

    public void Leave(EventReader reader)
    {
        lock (_gate)
            _readers.Remove(reader);
    }

    public void OnBegun(BackendState backend, EndpointState endpoint, DrainCause cause)
    {
        lock (_gate)
        {
            if (_isDisposed)
                return;
            if (_drains.TryGetValue(endpoint.Id, out var drain))
            {
                drain.Add(cause);
                return;
            }

            _drains.Add(endpoint.Id, drain = new DrainWatch(_runtime, _directory, backend, endpoint));
            drain.Add(cause);
            Tell(drain.Started());
            StayAwake();
        }
    }

    public void OnCancelled(EndpointState endpoint)
    {
        lock (_gate)
        {
            if (_drains.Remove(endpoint.Id, out var drain))
                Tell(drain.Ended(isCancelled: true));
        }
    }

    public void Dispose()
    {
        lock (_gate)
            _isDisposed = true;
        _timer.Dispose();
    }

    /// <summary>Under the lock, as everything below.</summary>
    private void Tell(GatewayEvent happened)
    {
        foreach (var reader in _readers)
            reader.Add(happened);
    }

    private void StayAwake()
    {
        if (!_isAwake)
            _isAwake = _timer.Change(Interval, Timeout.InfiniteTimeSpan);
    }

    private void Look()
    {
        lock (_gate)
        {
            // Loops that have stopped are not to be asked.
            if (_isDisposed || _runtime.Phase == GatewayPhase.Stopped)
                return;
            if (_readers.Count > 0)
            {
                TellEndpoints();
                TellRehomes();
            }

            foreach (var drain in _drains.Values.Where(static d => d.IsEmpty()).ToList())
            {
                _drains.Remove(drain.Endpoint.Id);
                Tell(drain.Ended(isCancelled: false));
            }

            _isAwake = false;
            if (_readers.Count > 0 || _drains.Count > 0)
                StayAwake();
        }
    }

    private void TellRehomes()
    {
        if (_runtime.Time.GetElapsedTime(_rehomesTaken) < RehomesInterval)
            return;
        _rehomesTaken = _runtime.Time.GetTimestamp();
        foreach (var view in _rehomes.Take(Now))
            Tell(GatewayEvent.Of(view));
    }

    private void TellEndpoints()
    {
        var seen = SeeEndpoints();
        foreach (var (id, now) in seen)
        {
            if (!_endpoints.TryGetValue(id, out var before) || before != now)
                Tell(now);
        }

        foreach (var (id, before) in _endpoints)
        {
            if (!seen.ContainsKey(id))
                Tell(before with { Phase = EndpointPhase.Gone });
        }

        _endpoints = seen;
    }

    private void Tell(Seen endpoint) => Tell(GatewayEvent.Of(new EndpointChangedView(
        Now,
        endpoint.Backend,
        endpoint.Endpoint.ToString(),
        TelemetryNames.Of(endpoint.Phase),
        TelemetryNames.Of(endpoint.Health),
        EndpointDirectory.Relayed(endpoint.Endpoint))));

    private Dictionary<int, Seen> SeeEndpoints()
    {
        var seen = new Dictionary<int, Seen>();
        foreach (var backend in _runtime.KnownBackends)
        {
            foreach (var endpoint in (ReadOnlySpan<EndpointState>)[.. backend.Endpoints, .. backend.Leaving])
                seen[endpoint.Id] = new Seen(backend.Name, endpoint, endpoint.Phase, endpoint.Health);
        }

        return seen;
    }

    private string Now => UtcTime.Text(_runtime.Time.GetUtcNow());

    private readonly record struct Seen(string Backend, EndpointState Endpoint, EndpointPhase Phase, EndpointHealth Health);
}
