using System.ComponentModel;
using System.Globalization;

namespace Holdfast.Cli.Dev;

internal enum ProcessState
{
    Starting,
    Ready,

    /// <summary>Was ready, and no longer says so.</summary>
    Unready,
    BackingOff,

    /// <summary>To end; SIGTERM has not been sent yet.</summary>
    Terminating,

    /// <summary>SIGTERM has been sent.</summary>
    Stopping,
    Stopped,
}

/// <summary>How a supervised process stands, as one value.</summary>
/// <param name="State">Where it is in its life.</param>
/// <param name="ProcessId">0 while nothing runs.</param>
/// <param name="Restarts">Starts after the first.</param>
/// <param name="At">Since when it is ready; when the next start is due while backing off; when the end began while terminating or stopping; else nothing.</param>
internal sealed record ProcessSnapshot(ProcessState State, int ProcessId, int Restarts, DateTimeOffset At);

internal enum ProcessEventKind
{
    Started,
    Ready,
    Unready,

    /// <summary>Still not ready after a while; the text says what is waited for.</summary>
    Slow,

    /// <summary>Ended by itself; the event carries its last output.</summary>
    Exited,

    /// <summary>Ended because it was told to, by a key.</summary>
    Killed,

    /// <summary>A step towards its end.</summary>
    Terminating,
    Stopped,

    /// <summary>No process's own doing: a roll, a scaling, a drain.</summary>
    News,
}

/// <summary>Something that happened to a process, in words.</summary>
internal sealed record ProcessEvent(string Process, ProcessEventKind Kind, string Text, IReadOnlyList<string> LastOutput);

/// <summary>How a process is ended, as Kubernetes does it.</summary>
/// <param name="PreStop">From the decision to SIGTERM, for whoever has to learn of it first.</param>
/// <param name="Grace">From the decision to SIGKILL: <paramref name="PreStop"/> is a part of it.</param>
internal sealed record EndTimes(TimeSpan PreStop, TimeSpan Grace)
{
    /// <summary>For whoever is told by nobody.</summary>
    public static EndTimes Quick { get; } = new(TimeSpan.Zero, TimeSpan.FromSeconds(5));
}

/// <summary>
/// Keeps one process alive: starts it, waits until it is ready, starts it again with back-off when it ends, and stops it in order. All members but
/// <see cref="RunAsync"/>, which runs once, may be used by any thread.
/// </summary>
/// <param name="name">As shown.</param>
/// <param name="start">Starts the process; the argument receives its output lines.</param>
/// <param name="readiness">When it counts as ready.</param>
/// <param name="ends">How it is ended.</param>
/// <param name="backOff">How long to wait between starts.</param>
/// <param name="time">The clock.</param>
/// <param name="onEvent">Called for each event, by the running task only; must not block.</param>
internal sealed class SupervisedProcess(
    string name,
    Func<Action<string>, IChildProcess> start,
    IReadinessCheck readiness,
    EndTimes ends,
    RestartBackOff backOff,
    TimeProvider time,
    Action<ProcessEvent> onEvent)
{
    /// <summary>Failed probes in a row after which a ready process no longer counts as ready: a Kubernetes probe's failureThreshold.</summary>
    internal const int FailureThreshold = 3;

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ProbeAgainInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SlowAfter = TimeSpan.FromSeconds(10);

    private volatile ProcessSnapshot _snapshot = new(ProcessState.Starting, 0, 0, default);
    private volatile IChildProcess? _child;
    private volatile bool _killed;

    public string Name { get; } = name;

    public ProcessSnapshot Snapshot => _snapshot;

    /// <summary>SIGKILL, as an out-of-memory kill would; it is started again. False when nothing runs.</summary>
    public bool Kill()
    {
        if (_child is not { } child)
            return false;
        _killed = true;
        child.Kill();
        return true;
    }

    /// <summary>Runs until told to end; nothing of the process is left when it returns.</summary>
    /// <param name="terminate">Ends it: the pause before SIGTERM, SIGTERM, what is left of the grace, SIGKILL.</param>
    /// <param name="stop">Ends it, or what is under way of its end, without the pause before SIGTERM.</param>
    /// <param name="hurry">Skips the rest of the grace.</param>
    public async Task RunAsync(CancellationToken terminate, CancellationToken stop, CancellationToken hurry)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(terminate, stop);
        for (var starts = 0; !leave.IsCancellationRequested; starts++)
        {
            var readyFor = await RunOnceAsync(starts, leave.Token, stop, hurry);
            if (leave.IsCancellationRequested)
                break;
            var pause = backOff.Next(readyFor);
            _snapshot = new ProcessSnapshot(ProcessState.BackingOff, 0, starts, time.GetUtcNow() + pause);
            await Task.Delay(pause, time, leave.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _snapshot = _snapshot with { State = ProcessState.Stopped, ProcessId = 0 };
        Tell(ProcessEventKind.Stopped, stop.IsCancellationRequested ? "stopped" : "gone");
    }

    /// <summary>One life of the process; returns how long it was ready.</summary>
    private async Task<TimeSpan> RunOnceAsync(int starts, CancellationToken leave, CancellationToken stop, CancellationToken hurry)
    {
        var tail = new OutputTail();
        IChildProcess child;
        try
        {
            child = start(tail.Add);
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            Tell(ProcessEventKind.Exited, "cannot be started: " + e.Message);
            return TimeSpan.Zero;
        }

        await using (child)
        {
            _killed = false;
            _child = child;
            _snapshot = new ProcessSnapshot(ProcessState.Starting, child.Id, starts, default);
            Tell(ProcessEventKind.Started, Text($"starting, process {child.Id}"));

            using var over = CancellationTokenSource.CreateLinkedTokenSource(leave);
            var probing = ProbeAsync(child, over.Token);
            await ((Task)child.Exited).WaitAsync(leave).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await over.CancelAsync();
            var readyAt = await probing;
            var isUnexpected = child.Exited.IsCompleted && !leave.IsCancellationRequested;
            if (!child.Exited.IsCompleted)
                isUnexpected = !await EndAsync(child, stop, hurry);

            _child = null;
            var exitCode = await child.Exited;
            if (isUnexpected && !stop.IsCancellationRequested)
                TellEnd(exitCode, tail.Lines);
            return readyAt is { } at ? time.GetElapsedTime(at) : TimeSpan.Zero;
        }
    }

    /// <summary>False: it ended by itself before SIGTERM.</summary>
    private async Task<bool> EndAsync(IChildProcess child, CancellationToken stop, CancellationToken hurry)
    {
        var began = time.GetTimestamp();
        _snapshot = _snapshot with { State = ProcessState.Terminating, At = time.GetUtcNow() };
        if (ends.PreStop > TimeSpan.Zero && !stop.IsCancellationRequested)
        {
            Tell(ProcessEventKind.Terminating, Text($"terminating, SIGTERM in {ends.PreStop.TotalSeconds:0.#} s"));
            await ((Task)child.Exited).WaitAsync(ends.PreStop, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (child.Exited.IsCompleted)
                return false;
        }

        child.Terminate();
        _snapshot = _snapshot with { State = ProcessState.Stopping };
        var left = ends.Grace - ends.PreStop;
        if (!stop.IsCancellationRequested)
            Tell(ProcessEventKind.Terminating, Text($"SIGTERM, SIGKILL in {left.TotalSeconds:0.#} s"));
        await ((Task)child.Exited).WaitAsync(left, time, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var inTime = child.Exited.IsCompleted;
        if (!inTime)
            child.Kill();
        var exitCode = await child.Exited;
        if (!stop.IsCancellationRequested)
        {
            var how = inTime ? Describe(exitCode) : "killed with SIGKILL, for its grace was over";
            Tell(ProcessEventKind.Terminating, Text($"{how}, {time.GetElapsedTime(began).TotalSeconds:0.0} s after its end began"));
        }

        return true;
    }

    /// <summary>Keeps the state between ready and not until it is over; returns when it was first ready.</summary>
    private async Task<long?> ProbeAsync(IChildProcess child, CancellationToken over)
    {
        var began = time.GetTimestamp();
        if (!await WaitUntilReadyAsync(over) || child.Exited.IsCompleted)
            return null;
        var readyAt = time.GetTimestamp();
        _snapshot = _snapshot with { State = ProcessState.Ready, At = time.GetUtcNow() };
        Tell(ProcessEventKind.Ready, Text($"ready after {time.GetElapsedTime(began, readyAt).TotalSeconds:0.0} s"));
        for (var failures = 0; readiness.IsAskedAgain;)
        {
            await Task.Delay(ProbeAgainInterval, time, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var isReady = await AskAsync(over);
            if (over.IsCancellationRequested || child.Exited.IsCompleted)
                break;
            failures = isReady ? 0 : failures + 1;
            if (isReady && _snapshot.State == ProcessState.Unready)
            {
                _snapshot = _snapshot with { State = ProcessState.Ready, At = time.GetUtcNow() };
                Tell(ProcessEventKind.Ready, "ready again");
            }
            else if (failures == FailureThreshold)
            {
                _snapshot = _snapshot with { State = ProcessState.Unready };
                Tell(ProcessEventKind.Unready, Text($"not ready: {FailureThreshold} times in a row not {readiness.Describe}"));
            }
        }

        return readyAt;
    }

    private async Task<bool> WaitUntilReadyAsync(CancellationToken over)
    {
        var began = time.GetTimestamp();
        var told = false;
        while (!over.IsCancellationRequested)
        {
            if (await AskAsync(over))
                return true;
            if (!told && time.GetElapsedTime(began) >= SlowAfter)
            {
                told = true;
                Tell(ProcessEventKind.Slow, Text($"still waiting for {readiness.Describe}"));
            }

            await Task.Delay(ProbeInterval, time, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    /// <summary>No answer in time is no.</summary>
    private async Task<bool> AskAsync(CancellationToken over)
    {
        using var limit = new CancellationTokenSource(ProbeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over, limit.Token);
        try
        {
            return await readiness.IsReadyAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void TellEnd(int exitCode, IReadOnlyList<string> lastOutput)
    {
        if (_killed)
            Tell(ProcessEventKind.Killed, "killed with SIGKILL");
        else
            onEvent(new ProcessEvent(Name, ProcessEventKind.Exited, Describe(exitCode), lastOutput));
    }

    private static string Describe(int exitCode) => exitCode switch
    {
        // What a shell says about a command it could not run.
        126 => "exited with code 126 (the command cannot be executed)",
        127 => "exited with code 127 (command not found)",
        128 + 6 => "ended by signal 6 (SIGABRT)",
        128 + 9 => "ended by signal 9 (SIGKILL)",
        128 + 11 => "ended by signal 11 (SIGSEGV)",
        128 + 15 => "ended by signal 15 (SIGTERM)",
        > 128 => Text($"ended by signal {exitCode - 128}"),
        _ => Text($"exited with code {exitCode}"),
    };

    private void Tell(ProcessEventKind kind, string text) => onEvent(new ProcessEvent(Name, kind, text, []));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
