using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Holdfast.Cli.Dev;

/// <summary>Asks the gateway's admin API over and over. <see cref="View"/> may be read by any thread.</summary>
internal sealed class AdminPoller(HttpClient http, Uri admin, TimeProvider time)
{
    internal const int Ends = 5;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, Queue<Sample>> _samples = new(StringComparer.Ordinal);
    private volatile AdminView _view = AdminView.None;

    private readonly record struct Sample(long At, long ToEndpoint, long ToClient);

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
        var backends = await GetAsync("v1/backends", AdminJson.Default.BackendList, stop);
        if (backends is null)
            return AdminView.None with { Ends = _view.Ends };
        var ends = await GetAsync($"v1/ends?limit={Ends}", AdminJson.Default.EndList, stop);
        var endpoints = new Dictionary<string, EndpointView>(StringComparer.Ordinal);
        foreach (var endpoint in backends.Backends?.FirstOrDefault(b => b.Name == DevGateway.Backend)?.Endpoints ?? [])
            endpoints[endpoint.Address] = endpoint;
        return new AdminView(true, endpoints, ends?.Ends ?? [], endpoints.Values.ToDictionary(e => e.Address, Rate, StringComparer.Ordinal));
    }

    /// <summary>Over the last two seconds: one poll's difference alone would jump about.</summary>
    private MessageRate Rate(EndpointView endpoint)
    {
        var now = new Sample(time.GetTimestamp(), endpoint.MessagesToEndpoint, endpoint.MessagesToClient);
        if (!_samples.TryGetValue(endpoint.Address, out var samples))
            _samples[endpoint.Address] = samples = new Queue<Sample>();

        // Counters that fell are a new gateway's.
        if (samples.Any(s => s.ToEndpoint > now.ToEndpoint || s.ToClient > now.ToClient))
            samples.Clear();
        samples.Enqueue(now);
        while (samples.Count > 2 && time.GetElapsedTime(samples.Peek().At, now.At) > RateWindow)
            samples.Dequeue();
        var first = samples.Peek();
        var seconds = time.GetElapsedTime(first.At, now.At).TotalSeconds;
        return seconds <= 0 ? default : new MessageRate((now.ToEndpoint - first.ToEndpoint) / seconds, (now.ToClient - first.ToClient) / seconds);
    }

    private async Task<T?> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken stop) where T : class
    {
        try
        {
            return await http.GetFromJsonAsync(new Uri(admin, path), type, stop);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or OperationCanceledException)
        {
            // Not there now (starting, restarting, busy): the next poll may do better.
            return null;
        }
    }
}
