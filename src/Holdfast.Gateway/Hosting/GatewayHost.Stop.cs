using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Hosting;

/// <summary>The end: in order, spread over time; then everything is let go of.</summary>
public sealed partial class GatewayHost
{
    /// <summary>A pair's own bound for an end in order is 5 s; after that it is reset.</summary>
    private const int CloseWait = 6_000;

    /// <summary>How long a stop waits for what it must not depend on.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Leaves in order: readiness fails at once, the gateway goes on accepting for shutdown.delay since balancers learn late, then
    /// connections are told 1012 and end, spread over shutdown.duration. A second call, or <paramref name="atOnce"/>, skips the waits.
    /// </summary>
    public Task StopAsync(bool atOnce)
    {
        lock (_gate)
        {
            if (atOnce || _stop is not null)
                _hurry.Cancel();
            return _stop ??= StopAndTellAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopped.IsCancellationRequested)
            return;
        await _stopped.CancelAsync().ConfigureAwait(false);
        // What applies a change posts to loops, and waits for them. Not for ever: it may be a file server that does not answer.
        if (_live is not null)
            await Task.WhenAny(_live.DisposeAsync().AsTask(), Task.Delay(StopPatience, _runtime.Time)).ConfigureAwait(false);
        _ = await _applying.WaitAsync(StopPatience).ConfigureAwait(false);
        // The admin API posts to loops: it goes first.
        _runtime.Phase = GatewayPhase.Stopped;
        using (var patience = new CancellationTokenSource(StopPatience, _runtime.Time))
            await _app.StopAsync(patience.Token).ConfigureAwait(false);
        foreach (var loop in _runtime.Loops)
            loop.Dispose();
        await _health.DisposeAsync().ConfigureAwait(false);
        await _runtime.Certificates.DisposeAsync().ConfigureAwait(false);
        await _forgetting.ConfigureAwait(false);
        await _discovery.DisposeAsync().ConfigureAwait(false);
        _resolver.Dispose();
        _otlp?.Dispose();
        _telemetry.Dispose();
        _forwarder.Dispose();
        _runtime.Links.Dispose();
        foreach (var backend in _runtime.KnownBackends)
        {
            backend.Auth?.Dispose();
            backend.Queue.Dispose();
        }

        await _app.DisposeAsync().ConfigureAwait(false);
        if (_stop is null)
            _ended.TrySetResult();
    }

    private async Task StopAndTellAsync()
    {
        try
        {
            await StopCoreAsync().ConfigureAwait(false);
            _ended.TrySetResult();
        }
        catch (Exception e)
        {
            // Whoever waits for the end must hear of it, and so must whoever asked.
            _ended.TrySetException(e);
            throw;
        }
    }

    private async Task StopCoreAsync()
    {
        _runtime.Phase = GatewayPhase.Draining;
        if (!_hurry.IsCancellationRequested)
        {
            HostLog.Draining(_logger, _configuration.Shutdown.Delay, _runtime.Established);
            await DelayAsync(_configuration.Shutdown.Delay, _hurry.Token).ConfigureAwait(false);
        }

        _runtime.Phase = GatewayPhase.Closing;
        HostLog.Closing(_logger, _runtime.Established);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20), _runtime.Time);
        await DrainAsync(timer).ConfigureAwait(false);
        var deadline = _runtime.Clock.Milliseconds + CloseWait;
        do
        {
            // Each time anew: a loop may be given a connection that another had accepted before it stopped listening.
            foreach (var loop in _runtime.Loops)
            {
                loop.Post(static l =>
                {
                    l.StopListening();
                    l.CloseAll(EndReason.Shutdown, CloseCode.ServiceRestart, CloseCode.GoingAway);
                });
            }

            _ = await timer.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false);
        }
        while ((_runtime.Loops.Any(static l => l.Load > 0) || _runtime.Links.Count > 0) && _runtime.Clock.Milliseconds < deadline);

        await DisposeAsync().ConfigureAwait(false);
        HostLog.Stopped(_logger);
    }

    /// <summary>
    /// Spreads the closes over shutdown.duration, so that clients do not all come back at once; plain requests have as long to get their answers. Ends early when hurried.
    /// </summary>
    private async Task DrainAsync(PeriodicTimer timer)
    {
        var start = _runtime.Clock.Milliseconds;
        var plan = new DrainPlan(start, (int)_configuration.Shutdown.Duration.TotalMilliseconds, CloseCode.ServiceRestart);
        foreach (var loop in _runtime.Loops)
        {
            loop.Post(l =>
            {
                l.StopListening();
                l.Drain(endpointId: null, plan);
            });
        }

        while (_runtime.Clock.Milliseconds - start < plan.Duration && _runtime.Established + _server.InFlight > 0 && !_hurry.IsCancellationRequested)
            _ = await timer.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private async Task DelayAsync(TimeSpan time, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(time, _runtime.Time, cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Hurried.
        }
    }
}
