using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Health;

/// <summary>
/// Makes the active checks of every backend that has them configured, on the thread pool, and puts their results in force. Follows the
/// configuration by itself. Never touches a loop.
/// </summary>
/// <param name="tell">Each check's outcome, for the metrics; any thread.</param>
/// <param name="seed">Of what spreads the checks.</param>
internal sealed class HealthMonitor(GatewayRuntime runtime, Action<BackendState, CheckOutcome> tell, int seed) : IAsyncDisposable
{
    /// <summary>
    /// Checks at once, and thereby descriptors, whatever the number of endpoints. Endpoints that answer take milliseconds, so this is
    /// thousands of checks a second.
    /// </summary>
    public const int MostAtOnce = 32;

    private readonly Lock _gate = new();
    private readonly Dictionary<int, EndpointWatch> _byEndpoint = [];
    private readonly SemaphoreSlim _places = new(MostAtOnce);
    private readonly SemaphoreSlim _changed = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Random _random = new(seed);
    private Task _run = Task.CompletedTask;

    public TimeProvider Time => runtime.Time;

    public void Start()
    {
        runtime.Changed += OnChanged;
        _run = FollowAsync(_stop.Token);
    }

    /// <summary>One check, when its turn has come; only <paramref name="cancel"/> throws.</summary>
    public async Task CheckAsync(EndpointWatch watch, CancellationToken cancel)
    {
        await _places.WaitAsync(cancel).ConfigureAwait(false);
        CheckResult result;
        var startedAt = Time.GetTimestamp();
        try
        {
            result = await EndpointCheck.RunAsync(watch.Endpoint, watch.Backend.Tls, watch.Options, Time, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // One endpoint's checks must not end for a bug, silently at that.
            HostLog.CheckBug(runtime.Logger, e);
            result = new CheckResult(CheckOutcome.NotMade, "of a bug");
        }
        finally
        {
            _places.Release();
        }

        tell(watch.Backend, result.Outcome);
        if (result.Outcome != CheckOutcome.NotMade)
            Apply(watch, result, startedAt);
    }

    public async ValueTask DisposeAsync()
    {
        runtime.Changed -= OnChanged;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(false);
        EndpointWatch[] left;
        lock (_gate)
            left = [.. _byEndpoint.Values];
        await Task.WhenAll(left.Select(static w => w.StopAsync())).ConfigureAwait(false);
        foreach (var watch in left)
            watch.Dispose();
        _places.Dispose();
        _stop.Dispose();
    }

    /// <summary>Signals are not counted: one look sees all changes.</summary>
    private void OnChanged()
    {
        if (_changed.CurrentCount == 0)
            _changed.Release();
    }

    private async Task FollowAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                await _changed.WaitAsync(cancel).ConfigureAwait(false);
                await FollowOnceAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway stops.
        }
    }

    /// <summary>Begins and ends watches, so that they are what the configuration says now.</summary>
    private async Task FollowOnceAsync()
    {
        var ended = new List<EndpointWatch>();
        lock (_gate)
        {
            var wanted = new HashSet<int>();
            foreach (var backend in runtime.Backends)
            {
                if (backend.Options.Health.Check is not { } check)
                    continue;
                foreach (var endpoint in Asked(backend))
                {
                    wanted.Add(endpoint.Id);
                    if (_byEndpoint.TryGetValue(endpoint.Id, out var known) && known.Options == check)
                        continue;
                    var watch = new EndpointWatch(backend, endpoint, check, new Random(_random.Next())) { IsDraining = known?.IsDraining == true };
                    _byEndpoint[endpoint.Id] = watch;
                    watch.Start(this, known?.StopAsync() ?? Task.CompletedTask);
                    if (known is not null)
                        ended.Add(known);
                }
            }

            foreach (var (id, watch) in _byEndpoint.ToArray())
            {
                if (wanted.Contains(id))
                    continue;
                _byEndpoint.Remove(id);
                _ = watch.StopAsync();
                ended.Add(watch);
                Forget(watch);
            }
        }

        foreach (var watch in ended)
        {
            await watch.StopAsync().ConfigureAwait(false);
            watch.Dispose();
        }
    }

    /// <summary>Also those that left and still have connections: whoever fails need not wait for dns.grace.</summary>
    private static EndpointState[] Asked(BackendState backend) => [.. backend.Endpoints, .. backend.Leaving];

    /// <summary>Its endpoint is no longer asked: no check speaks for or against it.</summary>
    private void Forget(EndpointWatch watch)
    {
        watch.Endpoint.SetHealth(EndpointHealth.Healthy);
        watch.Endpoint.CheckFailure = null;
        if (watch.Endpoint.Phase == EndpointPhase.Starting)
            watch.Endpoint.MarkReady(runtime.Clock.Milliseconds);
        if (watch.IsDraining)
            runtime.Drains.Cancel(watch.Backend, watch.Endpoint, DrainCause.FailedCheck);
    }

    private void Apply(EndpointWatch watch, CheckResult result, long startedAt)
    {
        lock (_gate)
        {
            var endpoint = watch.Endpoint;
            if (!_byEndpoint.TryGetValue(endpoint.Id, out var current) || current != watch)
                return;     // Its options or its endpoint left while it was under way.
            var passed = result.Outcome == CheckOutcome.Passed;
            var changed = watch.Ledger.Record(passed, startedAt, Time.GetTimestamp(), watch.Options);
            endpoint.CheckFailure = passed ? null : result.Reason;
            if (changed)
                Change(watch, result);
            if (passed && endpoint.Phase == EndpointPhase.Starting && !endpoint.FailsCheck)
                endpoint.MarkReady(runtime.Clock.Milliseconds);
            DrainFailed(watch.Backend);
        }
    }

    private void Change(EndpointWatch watch, CheckResult result)
    {
        var (backend, endpoint) = (watch.Backend, watch.Endpoint);
        if (watch.Ledger.IsUnhealthy)
        {
            endpoint.SetHealth(EndpointHealth.Unhealthy);
            HostLog.CheckFailed(runtime.Logger, backend.Name, endpoint.ToString(), result.Reason);
            if (backend.FailsEveryCheck)
                HostLog.NoneHealthy(runtime.Logger, backend.Name);
        }
        else
        {
            // Before anyone may pick it.
            endpoint.RestartSlowly(runtime.Clock.Milliseconds);
            endpoint.SetHealth(EndpointHealth.Healthy);
            HostLog.CheckOk(runtime.Logger, backend.Name, endpoint.ToString());
        }
    }

    /// <summary>
    /// The connections of an endpoint that fails are drained while another can take them, and no longer. What fails everywhere, such as a wrong
    /// path, is no reason to cut anyone off.
    /// </summary>
    private void DrainFailed(BackendState backend)
    {
        foreach (var endpoint in Asked(backend))
        {
            if (!_byEndpoint.TryGetValue(endpoint.Id, out var watch))
                continue;
            // One that has never been in service has nothing to leave.
            var isInUse = endpoint.Phase != EndpointPhase.Starting || endpoint.InUse > 0;
            var drains = endpoint.FailsCheck && isInUse && HasOther(backend, watch);
            if (drains == watch.IsDraining)
                continue;
            watch.IsDraining = drains;
            if (drains)
                _ = runtime.Drains.Begin(backend, endpoint, DrainCause.FailedCheck);
            else
                runtime.Drains.Cancel(backend, endpoint, DrainCause.FailedCheck);
        }
    }

    /// <summary>
    /// Whether another endpoint is in service and has passed a check that began after this one was known to fail: one that passed before may be
    /// about to fail of the same cause.
    /// </summary>
    private bool HasOther(BackendState backend, EndpointWatch failing)
    {
        foreach (var other in backend.Endpoints)
        {
            if (other != failing.Endpoint && other.Phase == EndpointPhase.Ready && other.Health == EndpointHealth.Healthy
                && _byEndpoint.TryGetValue(other.Id, out var watch) && watch.Ledger.PassedAt > failing.Ledger.FailingSince)
                return true;
        }

        return false;
    }
}
