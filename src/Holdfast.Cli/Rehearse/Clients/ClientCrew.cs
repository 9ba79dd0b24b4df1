namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// All clients of a system: one message of each per interval, evenly spread, due at fixed times whatever the answers do (open loop). One caller.
/// </summary>
internal sealed class ClientCrew(IReadOnlyList<ClientConnection> clients, TimeSpan interval, RunClock clock, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Less than a listener's backlog.</summary>
    private const int MaxDialing = 128;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _stopSending = new();
    private readonly List<Task> _running = [];
    private Task _pacing = Task.CompletedTask;

    public IReadOnlyList<ClientConnection> Clients => clients;

    /// <summary>Connects all. False: not all were ready in time.</summary>
    public async Task<bool> OpenAsync(TimeSpan limit, CancellationToken cancel)
    {
        var began = time.GetTimestamp();
        while (time.GetElapsedTime(began) < limit && !cancel.IsCancellationRequested)
        {
            var ready = clients.Count(c => c.WasReady);
            if (ready == clients.Count)
                return true;
            while (_running.Count < clients.Count && _running.Count - ready < MaxDialing)
                _running.Add(clients[_running.Count].RunAsync(_stop.Token));
            await Task.Delay(Poll, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    public void StartSending() => _pacing = PaceAsync(_stopSending.Token);

    /// <summary>One more message of each, now.</summary>
    public void Burst()
    {
        foreach (var client in clients)
            client.SendDue(clock.Now);
    }

    /// <summary>No message falls due any more; returns the time.</summary>
    public async Task<long> StopSendingAsync()
    {
        await _stopSending.CancelAsync();
        await _pacing;
        return clock.Now;
    }

    /// <summary>Waits for outstanding answers, and for the feed up to a time.</summary>
    public async Task SettleAsync(long until, TimeSpan limit, CancellationToken cancel)
    {
        var began = time.GetTimestamp();
        while (!clients.All(c => c.IsSettled(until)) && time.GetElapsedTime(began) < limit && !cancel.IsCancellationRequested)
            await Task.Delay(Poll, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Ends all connections in order, and what does not end then.</summary>
    public async Task LeaveAsync(TimeSpan limit)
    {
        foreach (var client in clients)
            client.Leave();
        await ((Task)Task.WhenAll(_running)).WaitAsync(limit, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stop.CancelAsync();
        await Task.WhenAll(_running);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopSending.CancelAsync();
        await _stop.CancelAsync();
        await _pacing;
        await Task.WhenAll(_running);
        _stop.Dispose();
        _stopSending.Dispose();
    }

    private async Task PaceAsync(CancellationToken stop)
    {
        var began = clock.Now;
        var step = interval.TotalMicroseconds / clients.Count;
        for (var message = 0L; !stop.IsCancellationRequested;)
        {
            var due = began + (long)(message * step);
            var wait = due - clock.Now;
            if (wait > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(1, wait / 1000.0)), time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            clients[(int)(message % clients.Count)].SendDue(due);
            message++;
        }
    }
}
