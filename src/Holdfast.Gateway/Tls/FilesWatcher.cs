using System.Threading.Channels;
using Holdfast.Gateway.Configuration;

namespace Holdfast.Gateway.Tls;

/// <summary>
/// Calls for a look whenever something in one of many directories changes, and from time to time in any case. One notice for each directory, however many files are in it: the
/// system has few to give.
/// </summary>
/// <param name="look">Looks, and says when to look again if nothing happens. One call at a time; must not throw but for the cancellation.</param>
internal sealed class FilesWatcher(TimeProvider time, Func<CancellationToken, Task<TimeSpan>> look) : IAsyncDisposable
{
    private readonly Channel<bool> _looks = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<string, ChangeNotices> _notices = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private ITimer? _timer;
    private bool _isHurried;
    private Task _watching = Task.CompletedTask;

    public void Start()
    {
        _timer = time.CreateTimer(static state => ((FilesWatcher)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _looks.Writer.TryWrite(true);
        _watching = WatchAsync();
    }

    /// <summary>Watches the directories of these files, and no others.</summary>
    public void Follow(IEnumerable<string> paths)
    {
        lock (_gate)
        {
            if (_stop.IsCancellationRequested)
                return;
            var wanted = new HashSet<string>(StringComparer.Ordinal);
            foreach (var path in paths.Select(Path.GetFullPath))
            {
                var directory = Path.GetDirectoryName(path) ?? "";
                if (!wanted.Add(directory) || _notices.ContainsKey(directory))
                    continue;
                var notices = new ChangeNotices(path, OnNotice);
                notices.Start();
                _notices.Add(directory, notices);
            }

            foreach (var (directory, notices) in _notices.Where(n => !wanted.Contains(n.Key)).ToArray())
            {
                notices.Dispose();
                _notices.Remove(directory);
            }
        }

        _looks.Writer.TryWrite(true);
    }

    /// <summary>After a change that no notice told of: a directory may be another one than before.</summary>
    public void Renew()
    {
        lock (_gate)
        {
            if (_stop.IsCancellationRequested)
                return;
            foreach (var notices in _notices.Values)
                notices.Start();
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _stop.Cancel();
            foreach (var notices in _notices.Values)
                notices.Dispose();
        }

        await _watching.ConfigureAwait(false);
        if (_timer is not null)
            await _timer.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task WatchAsync()
    {
        try
        {
            await foreach (var _ in _looks.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
            {
                var next = await look(_stop.Token).ConfigureAwait(false);
                lock (_gate)
                {
                    if (!_isHurried || next < ConfigurationWatcher.Gathering)
                        _timer!.Change(next, Timeout.InfiniteTimeSpan);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private void OnNotice()
    {
        lock (_gate)
        {
            if (_isHurried || _timer is null || _stop.IsCancellationRequested)
                return;
            _isHurried = true;
            _timer.Change(ConfigurationWatcher.Gathering, Timeout.InfiniteTimeSpan);
        }
    }

    private void OnTimer()
    {
        lock (_gate)
            _isHurried = false;
        _looks.Writer.TryWrite(true);
    }
}
