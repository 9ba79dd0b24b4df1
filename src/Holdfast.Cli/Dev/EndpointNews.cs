using Holdfast.Cli.Admin;

namespace Holdfast.Cli.Dev;

/// <summary>Tells whoever stands before the replicas which there are. One caller.</summary>
internal interface IEndpointNews
{
    /// <summary>The endpoints told last.</summary>
    IReadOnlyList<string> Listed { get; }

    /// <param name="listed">At least one.</param>
    /// <param name="draining">Some of those.</param>
    /// <exception cref="IOException">The file that tells it cannot be written.</exception>
    void Tell(IReadOnlyList<string> listed, IReadOnlyList<string> draining);
}

/// <summary>
/// Tells the gateway what a cluster would: which endpoints there are through its configuration file, which it watches, and which are leaving through
/// its admin API. What cannot be told is told again. One caller of <see cref="Tell"/>; otherwise any thread.
/// </summary>
/// <param name="admin">The gateway's.</param>
/// <param name="backend">Whose endpoints they are.</param>
/// <param name="file">Replaced whole, so that nobody reads the half of it.</param>
/// <param name="configuration">The file's text with these endpoints.</param>
/// <param name="time">The clock.</param>
internal sealed class EndpointNews(
    AdminClient admin, string backend, string file, Func<IReadOnlyList<string>, string> configuration, TimeProvider time) : IEndpointNews
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    private readonly Wake _wake = new();
    private volatile IReadOnlyList<string> _listed = [];
    private volatile IReadOnlyList<string> _draining = [];
    private volatile bool _isForgotten;

    public IReadOnlyList<string> Listed => _listed;

    public void Tell(IReadOnlyList<string> listed, IReadOnlyList<string> draining)
    {
        if (!listed.SequenceEqual(_listed, StringComparer.Ordinal))
        {
            var next = file + ".next";
            File.WriteAllText(next, configuration(listed));
            File.Move(next, file, overwrite: true);
            _listed = listed;
        }

        _draining = draining;
        _wake.Set();
    }

    /// <summary>A gateway that has been started again knows of no drain.</summary>
    public void Forget()
    {
        _isForgotten = true;
        _wake.Set();
    }

    public async Task RunAsync(CancellationToken stop)
    {
        var told = new HashSet<string>(StringComparer.Ordinal);
        while (!stop.IsCancellationRequested)
        {
            if (_isForgotten)
            {
                _isForgotten = false;
                told.Clear();
            }

            var (listed, draining) = (_listed, _draining);
            told.RemoveWhere(e => !listed.Contains(e, StringComparer.Ordinal));
            var isAll = true;
            foreach (var endpoint in draining.Where(e => !told.Contains(e)))
                isAll &= await TryAsync(HttpMethod.Post, endpoint, stop) && told.Add(endpoint);
            foreach (var endpoint in told.Where(e => !draining.Contains(e, StringComparer.Ordinal)).ToList())
                isAll &= await TryAsync(HttpMethod.Delete, endpoint, stop) && told.Remove(endpoint);

            // The gateway may be starting, or not have read the file yet.
            if (isAll)
                await _wake.WaitAsync(stop);
            else
                await Task.Delay(RetryAfter, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> TryAsync(HttpMethod method, string endpoint, CancellationToken stop)
    {
        try
        {
            _ = await admin.SendAsync(method, AdminClient.DrainPath(backend, endpoint), stop);
            return true;
        }
        catch (Exception e) when (e is AdminException or OperationCanceledException)
        {
            return false;
        }
    }
}
