using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Configuration;

/// <summary>
/// Looks at a configuration file whenever something in its directory changes, and from time to time in any case, and gives each content that
/// has settled to a judge, one after the other. Whatever the file becomes, a look ends and reads at most a configuration's largest size.
/// </summary>
internal sealed class ConfigurationWatcher : IAsyncDisposable
{
    /// <summary>Looks without a notice: for file systems that give none (NFS, FUSE, some overlays).</summary>
    public static readonly TimeSpan Poll = TimeSpan.FromSeconds(10);

    /// <summary>A content that did not change for so long is whole.</summary>
    public static readonly TimeSpan Stillness = TimeSpan.FromMilliseconds(200);

    /// <summary>From a notice to the look: notices come in bursts, and a directory with other busy files sends them without end.</summary>
    public static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(50);

    private readonly string _path;
    private readonly Func<ConfigurationContent, Task> _judge;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Settling _settling;
    private readonly ChangeNotices? _notices;
    private readonly Channel<bool> _looks = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private Task _watching = Task.CompletedTask;
    private bool _isHurried;
    private bool _wasNoticed;
    private int _asked;

    /// <param name="path">Absolute.</param>
    /// <param name="known">The content dealt with already.</param>
    /// <param name="judge">Called with one content at a time; must not throw.</param>
    /// <param name="notices">False: look from time to time only.</param>
    public ConfigurationWatcher(
        string path, ContentIdentity known, Func<ConfigurationContent, Task> judge, TimeProvider time, ILogger logger, bool notices = true)
    {
        _path = path;
        _judge = judge;
        _time = time;
        _logger = logger;
        _settling = new Settling(Stillness, Poll, known);
        _notices = notices ? new ChangeNotices(path, OnNotice) : null;
        _timer = time.CreateTimer(static state => ((ConfigurationWatcher)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Looks at once, for what changed since the known content was read, and from then on.</summary>
    public void Start()
    {
        if (_notices?.Start() == false)
            ConfigurationLog.NoNotices(_logger, _path, Poll);
        _looks.Writer.TryWrite(true);
        _watching = WatchAsync();
    }

    /// <summary>Judges what the file holds now, settled or not, changed or not; any thread. Does not wait for it.</summary>
    public void LookNow()
    {
        Volatile.Write(ref _asked, 1);
        _looks.Writer.TryWrite(true);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _notices?.Dispose();
        await _timer.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task WatchAsync()
    {
        var begin = _time.GetTimestamp();
        var next = Poll;
        try
        {
            await foreach (var _ in _looks.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
            {
                var asked = Interlocked.Exchange(ref _asked, 0) != 0;
                var isUntold = !TakeNotice() && next == Poll;
                // A file server that does not answer holds this up, and nothing else: a stop does not wait for it.
                var content = await Task.Run(() => ConfigurationContent.Read(_path)).WaitAsync(_stop.Token).ConfigureAwait(false);
                if (_settling.Offer(content.Identity, _time.GetElapsedTime(begin), asked, out next))
                    await _judge(content).ConfigureAwait(false);
                else if (next != Poll && isUntold)
                    _notices?.Start();      // A change that no notice told of: the directory may be another one.
                LookIn(next);
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
            _wasNoticed = true;
            if (_isHurried)
                return;
            _isHurried = true;
            _timer.Change(Gathering, Timeout.InfiniteTimeSpan);
        }
    }

    private void OnTimer()
    {
        lock (_gate)
            _isHurried = false;
        _looks.Writer.TryWrite(true);
    }

    private bool TakeNotice()
    {
        lock (_gate)
        {
            var noticed = _wasNoticed;
            _wasNoticed = false;
            return noticed;
        }
    }

    private void LookIn(TimeSpan time)
    {
        lock (_gate)
        {
            // A notice during the look has set the timer already, to an earlier time than a poll.
            if (!_isHurried || time < Gathering)
                _timer.Change(time, Timeout.InfiniteTimeSpan);
        }
    }
}
