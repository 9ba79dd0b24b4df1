using Holdfast.Relay.Interop;

namespace Holdfast.Cli.Load;

/// <summary>
/// A whole run: its threads from start to report. <see cref="Stop"/>, <see cref="Snapshot"/> and <see cref="Started"/> from any thread.
/// </summary>
internal sealed class LoadRun : IDisposable
{
    private readonly LoadOptions _options;
    private readonly LoadEngine[] _engines;
    private readonly StartGate _gate;
    private volatile bool _interrupted;

    /// <param name="guest">Shares the first thread; null: none.</param>
    public LoadRun(LoadOptions options, NativeAddress target, TimeProvider time, ILoopGuest? guest = null)
    {
        _options = options;
        var url = options.Check == LoadCheck.Sequence
            ? SequencePayload.Ask(options.Url, options.MessagesPerSecond / options.Connections)
            : options.Url;
        var clock = new LoadClock(time);
        var schedule = new LoadSchedule(options.Connections, options.MessagesPerSecond, options.WarmUp + options.Duration);
        var sources = options.Sources.Select(address => NativeAddress.From(new System.Net.IPEndPoint(address, 0))).ToArray();
        _gate = new StartGate(options.Threads, clock);
        _engines = new LoadEngine[options.Threads];
        for (var thread = 0; thread < _engines.Length; thread++)
        {
            var lane = new LoadLane(options, new ClientHandshake(url, options.Origin, options.Headers), schedule, clock);
            var indexes = Enumerable.Range(0, options.Connections).Where(index => index % options.Threads == thread).ToArray();
            _engines[thread] = new LoadEngine(lane, _gate, indexes, target, sources, thread == 0 ? guest : null);
        }
    }

    /// <summary>Completes when all handshakes are decided and the schedule starts.</summary>
    public Task Started => _gate.Opened;

    /// <summary>Ends the sending now; outstanding answers are still waited for.</summary>
    public void Stop()
    {
        _interrupted = true;
        foreach (var engine in _engines)
            engine.Stop();
        _gate.WakeAll();
    }

    /// <summary>Counts so far; they may be of slightly different moments.</summary>
    public LoadProgress Snapshot()
    {
        var progress = new LoadProgress();
        foreach (var engine in _engines)
            progress.Add(engine.Lane);
        return progress;
    }

    public async Task<LoadReport> RunAsync()
    {
        await Task.WhenAll(_engines.Select(RunOnOwnThread));
        var totals = new LoadTotals();
        foreach (var engine in _engines)
            engine.Settle(totals);
        return Report(totals);
    }

    public void Dispose()
    {
        foreach (var engine in _engines)
            engine.Dispose();
        _gate.Dispose();
    }

    private static Task RunOnOwnThread(LoadEngine engine)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                engine.Run();
                ended.SetResult();
            }
            catch (Exception e)
            {
                ended.SetException(e);
            }
        })
        {
            IsBackground = true,
            Name = "load",
        };
        thread.Start();
        return ended.Task;
    }

    private LoadReport Report(LoadTotals totals)
    {
        var echo = _options.Check == LoadCheck.Echo;
        var seconds = totals.SentUntil / 1_000_000.0;
        return new LoadReport
        {
            Url = _options.Url.ToString(),
            Check = echo ? "echo" : "sequence",
            Connections = _options.Connections,
            Connected = totals.Opened,
            Failed = totals.Failures,
            Interrupted = _interrupted,
            Seconds = Math.Round(seconds, 3),
            Sent = totals.Sent,
            Received = totals.Received,
            OfferedRate = _options.MessagesPerSecond,
            AchievedRate = seconds > 0 ? Math.Round((echo ? totals.Sent : totals.Received) / seconds, 1) : 0,
            Lost = totals.Lost,
            LostWithConnection = totals.LostWithConnection,
            Duplicated = totals.Duplicated,
            Reordered = totals.Reordered,
            Corrupted = totals.Corrupted,
            Disconnects = totals.Disconnects,
            CloseCodes = totals.CloseCodes,
            NotSent = totals.NotSent,
            Exact = !totals.Inexact,
            LatencyMs = echo ? LoadLatency.From(totals.Latency) : null,
            LongestSilenceMs = echo ? null : totals.LongestSilence / 1000.0,
            Schedule = LoadLag.From(totals.Lag),
        };
    }
}

/// <summary>What a progress line shows.</summary>
internal sealed class LoadProgress
{
    public long InHandshake { get; private set; }

    public long Opened { get; private set; }

    public long Open { get; private set; }

    public long Sent { get; private set; }

    public long Received { get; private set; }

    /// <summary>Duplicates, reorders, corruptions; a loss is known at the end only.</summary>
    public long Faults { get; private set; }

    public long Disconnects { get; private set; }

    public LatencyHistogram Latency { get; } = new();

    /// <summary>How late this program was with its messages.</summary>
    public LatencyHistogram Lag { get; } = new();

    public void Add(LoadLane lane)
    {
        InHandshake += lane.InHandshake;
        Opened += lane.Opened;
        Open += lane.Open;
        Sent += lane.Sent;
        Received += lane.Received;
        Faults += lane.Duplicated + lane.Reordered + lane.Corrupted;
        Disconnects += lane.Disconnects;
        Latency.Add(lane.Latency);
        Lag.Add(lane.Lag);
    }
}
