namespace Holdfast.Cli.Admin;

/// <summary>Asks the gateway's admin API over and over. <see cref="View"/> may be read by any thread.</summary>
internal sealed class AdminPoller(AdminClient admin, TimeProvider time)
{
    internal const int Ends = 5;

    /// <summary>Polls that <see cref="ConnectRate.History"/> goes back: 20 s.</summary>
    internal const int HistoryLength = 40;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(2);

    private readonly Queue<Sample> _samples = new();
    private readonly Queue<double> _history = new();
    private volatile AdminView _view = AdminView.None;

    /// <summary>The counters of one poll; Opened and Rehomed are counted on over the gateway's restarts.</summary>
    private sealed record Sample(long At, Dictionary<EndpointKey, Counters> Endpoints, long Opened, long RehomedSaid, long Rehomed);

    private readonly record struct Counters(long Opened, long ToEndpoint, long ToClient);

    public AdminView View => _view;

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await RefreshAsync(stop);
            await Task.Delay(Interval, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // What it said while running says nothing about afterwards; what has ended stays so.
        _view = AdminView.None with { Ends = _view.Ends };
    }

    internal async Task RefreshAsync(CancellationToken stop) => _view = await PollAsync(stop);

    internal async Task<AdminView> PollAsync(CancellationToken stop)
    {
        try
        {
            var backends = (await admin.GetAsync("v1/backends", AdminJson.Default.BackendList, stop)).Backends ?? [];
            Take(backends);
            return new AdminView(null, backends, await EndsAsync(stop), Rates(), Connects(), Rehomes());
        }
        catch (AdminException e)
        {
            // Not there for the moment (starting, restarting, busy): the next poll may do better.
            return AdminView.None with { Fault = e.Message, Ends = _view.Ends };
        }
        catch (OperationCanceledException)
        {
            return _view;
        }
    }

    /// <summary>None when they cannot be had: the rest is worth showing without them.</summary>
    private async Task<IReadOnlyList<EndAnswer>> EndsAsync(CancellationToken stop)
    {
        try
        {
            return (await admin.GetAsync(FormattableString.Invariant($"v1/ends?limit={Ends}"), AdminJson.Default.EndList, stop)).Ends ?? [];
        }
        catch (AdminException)
        {
            return [];
        }
    }

    private void Take(IReadOnlyList<BackendAnswer> backends)
    {
        var last = _samples.LastOrDefault();
        var endpoints = new Dictionary<EndpointKey, Counters>();
        foreach (var backend in backends)
        {
            foreach (var endpoint in backend.Endpoints ?? [])
                endpoints[new EndpointKey(backend.Name, endpoint.Address)] = new Counters(endpoint.OpenedTotal, endpoint.MessagesToEndpoint, endpoint.MessagesToClient);
        }

        // An endpoint that was not there at the last poll has opened all of its connections since.
        var opened = last is null ? 0 : endpoints.Sum(e => Since(last.Endpoints.GetValueOrDefault(e.Key).Opened, e.Value.Opened));
        var rehomed = backends.Sum(b => b.RehomedTotal);
        var now = new Sample(time.GetTimestamp(), endpoints, (last?.Opened ?? 0) + opened, rehomed, (last?.Rehomed ?? 0) + Since(last?.RehomedSaid ?? 0, rehomed));
        if (last is not null)
            _history.Enqueue(PerSecond(opened, time.GetElapsedTime(last.At, now.At)));
        while (_history.Count > HistoryLength)
            _history.Dequeue();
        _samples.Enqueue(now);
        while (_samples.Count > 2 && time.GetElapsedTime(_samples.Peek().At, now.At) > RateWindow)
            _samples.Dequeue();
    }

    /// <summary>Over the last two seconds: one poll's difference alone would jump about.</summary>
    private Dictionary<EndpointKey, EndpointRates> Rates()
    {
        var now = _samples.Last();
        return now.Endpoints.ToDictionary(e => e.Key, e =>
        {
            var first = _samples.First(s => s.Endpoints.ContainsKey(e.Key));
            var (from, to, elapsed) = (first.Endpoints[e.Key], e.Value, time.GetElapsedTime(first.At, now.At));
            // Counters that fell are a new gateway's, and tell nothing yet.
            return to.Opened < from.Opened || to.ToEndpoint < from.ToEndpoint || to.ToClient < from.ToClient
                ? default
                : new EndpointRates(
                    PerSecond(to.Opened - from.Opened, elapsed), PerSecond(to.ToEndpoint - from.ToEndpoint, elapsed), PerSecond(to.ToClient - from.ToClient, elapsed));
        });
    }

    private ConnectRate Connects()
    {
        var (first, now) = (_samples.Peek(), _samples.Last());
        return new ConnectRate(PerSecond(now.Opened - first.Opened, time.GetElapsedTime(first.At, now.At)), [.. _history]);
    }

    private RehomeRate Rehomes()
    {
        var (first, now) = (_samples.Peek(), _samples.Last());
        return new RehomeRate(PerSecond(now.Rehomed - first.Rehomed, time.GetElapsedTime(first.At, now.At)), now.Rehomed);
    }

    /// <summary>A counter that fell has begun anew.</summary>
    private static long Since(long before, long now) => now < before ? now : now - before;

    private static double PerSecond(long count, TimeSpan elapsed) => elapsed <= TimeSpan.Zero ? 0 : count / elapsed.TotalSeconds;
}
