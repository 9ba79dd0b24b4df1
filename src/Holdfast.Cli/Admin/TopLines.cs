using System.Globalization;

namespace Holdfast.Cli.Admin;

/// <summary><c>holdfast top</c> without a terminal: one line for each endpoint and for the whole, every two seconds.</summary>
internal sealed class TopLines(TextWriter output, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>Until stopped, or until nobody reads any more.</summary>
    public async Task RunAsync(AdminPoller poller, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                await Task.Delay(Interval, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (stop.IsCancellationRequested)
                    break;
                foreach (var line in Of(poller.View, time.GetUtcNow()))
                    await output.WriteLineAsync(line);
                await output.FlushAsync(stop);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // As `holdfast top | head` ends it.
        }
    }

    internal static IEnumerable<string> Of(AdminView view, DateTimeOffset now)
    {
        var at = now.ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        if (view.Fault is { } fault)
        {
            yield return $"{at} {Shown.Text(fault)}";
            yield break;
        }

        yield return $"{at} {Shown.Count(view.Backends.Sum(b => b.Endpoints?.Sum(e => e.Connections) ?? 0), "connection")}, {Shown.Rate(view.Connects.Now)} new/s"
            + (view.Rehomes.Total > 0 ? string.Create(CultureInfo.InvariantCulture, $", {view.Rehomes.Total} re-homed, {Shown.Rate(view.Rehomes.Now)}/s") : "");
        foreach (var (backend, endpoint) in view.Backends.SelectMany(b => (b.Endpoints ?? []).Select(e => (b, e))))
        {
            var rates = view.Rates.GetValueOrDefault(new EndpointKey(backend.Name, endpoint.Address));
            yield return $"{at} {Shown.Text(backend.Name)}/{Shown.Text(endpoint.Address)} {Shown.Text(endpoint.Phase)} {Shown.Text(endpoint.Health)}: "
                + $"{Shown.Count(endpoint.Connections, "connection")}, {Shown.Rate(rates.Opened)} new/s, {Shown.Rate(rates.ToEndpoint)} messages/s in, {Shown.Rate(rates.ToClient)} out";
        }
    }
}
