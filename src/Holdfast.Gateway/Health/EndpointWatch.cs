using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Health;

/// <summary>The checks of one endpoint, one after the other, until cancelled.</summary>
internal sealed class EndpointWatch(BackendState backend, EndpointState endpoint, HealthCheckOptions options, Random random) : IDisposable
{
    /// <summary>Either way, of the interval: checks that fell together drift apart again.</summary>
    private const double Jitter = 0.1;

    private readonly CancellationTokenSource _stop = new();
    private Task _run = Task.CompletedTask;

    public BackendState Backend { get; } = backend;

    public EndpointState Endpoint { get; } = endpoint;

    public HealthCheckOptions Options { get; } = options;

    /// <summary>Of the monitor, under its lock.</summary>
    public CheckLedger Ledger { get; } = new(endpoint.FailsCheck);

    /// <summary>Its connections are being drained since it fails. Of the monitor, under its lock.</summary>
    public bool IsDraining { get; set; }

    /// <param name="after">What must have ended before the first check: an earlier watch of the same endpoint.</param>
    public void Start(HealthMonitor monitor, Task after) => _run = RunAsync(monitor, after, _stop.Token);

    /// <summary>No check begins any more, and one under way is given up. Completes when it is.</summary>
    public Task StopAsync()
    {
        _stop.Cancel();
        return _run;
    }

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(HealthMonitor monitor, Task after, CancellationToken cancel)
    {
        await after.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        // The first at once, the second at any time of the interval: the endpoints of a gateway that has just started are spread from there on.
        var share = random.NextDouble();
        try
        {
            while (true)
            {
                var startedAt = monitor.Time.GetTimestamp();
                await monitor.CheckAsync(this, cancel).ConfigureAwait(false);
                var wait = (Options.Interval * share) - monitor.Time.GetElapsedTime(startedAt);
                if (wait > TimeSpan.Zero)
                    await Task.Delay(wait, monitor.Time, cancel).ConfigureAwait(false);
                share = 1 + (Jitter * ((2 * random.NextDouble()) - 1));
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }
}
