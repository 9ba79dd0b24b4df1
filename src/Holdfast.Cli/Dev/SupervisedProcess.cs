using System.ComponentModel;
using System.Globalization;

namespace Holdfast.Cli.Dev;

internal enum ProcessState
{
    Starting,
    Ready,
    BackingOff,
    Stopping,
    Stopped,
}

/// <summary>How a supervised process stands, as one value.</summary>
/// <param name="State">Where it is in its life.</param>
/// <param name="ProcessId">0 while nothing runs.</param>
/// <param name="Restarts">Starts after the first.</param>
/// <param name="RestartAt">When the next start is due; only while backing off.</param>
internal sealed record ProcessSnapshot(ProcessState State, int ProcessId, int Restarts, DateTimeOffset RestartAt);

internal enum ProcessEventKind
{
    Started,
    Ready,

    /// <summary>Still not ready after a while; the text says what is waited for.</summary>
    Slow,

    /// <summary>Ended by itself; the event carries its last output.</summary>
    Exited,

    /// <summary>Ended because it was told to, by a key.</summary>
    Killed,
    Stopped,
}

/// <summary>Something that happened to a process, in words.</summary>
internal sealed record ProcessEvent(string Process, ProcessEventKind Kind, string Text, IReadOnlyList<string> LastOutput);

/// <summary>
/// Keeps one process alive: starts it, waits until it is ready, starts it again with back-off when it ends, and stops it in order. All members but
/// <see cref="RunAsync"/>, which runs once, may be used by any thread.
/// </summary>
/// <param name="name">As shown.</param>
/// <param name="start">Starts the process; the argument receives its output lines.</param>
/// <param name="readiness">When it counts as ready.</param>
/// <param name="backOff">How long to wait between starts.</param>
/// <param name="time">The clock.</param>
/// <param name="onEvent">Called for each event, by the running task only; must not block.</param>
internal sealed class SupervisedProcess(
    string name,
    Func<Action<string>, IChildProcess> start,
    IReadinessCheck readiness,
    RestartBackOff backOff,
    TimeProvider time,
    Action<ProcessEvent> onEvent)
{
    /// <summary>From SIGTERM to SIGKILL.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(100);
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

    /// <summary>Runs until stopped; nothing of the process is left when it returns.</summary>
    /// <param name="stop">Ends the process with SIGTERM, a grace, SIGKILL.</param>
    /// <param name="hurry">Skips the rest of the grace.</param>
    public async Task RunAsync(CancellationToken stop, CancellationToken hurry)
    {
        for (var starts = 0; !stop.IsCancellationRequested; starts++)
        {
            var readyFor = await RunOnceAsync(starts, stop, hurry);
            if (stop.IsCancellationRequested)
                break;
            var pause = backOff.Next(readyFor);
            _snapshot = new ProcessSnapshot(ProcessState.BackingOff, 0, starts, time.GetUtcNow() + pause);
            await Task.Delay(pause, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _snapshot = _snapshot with { State = ProcessState.Stopped, ProcessId = 0 };
        Tell(ProcessEventKind.Stopped, "stopped");
    }

    /// <summary>One life of the process; returns how long it was ready.</summary>
    private async Task<TimeSpan> RunOnceAsync(int starts, CancellationToken stop, CancellationToken hurry)
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
            var began = time.GetTimestamp();
            _snapshot = new ProcessSnapshot(ProcessState.Starting, child.Id, starts, default);
            Tell(ProcessEventKind.Started, Text($"starting, process {child.Id}"));

            using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
            var probing = WaitUntilReadyAsync(over.Token);
            await Task.WhenAny(child.Exited, probing);
            long? readyAt = null;
            if (!child.Exited.IsCompleted && await probing)
            {
                readyAt = time.GetTimestamp();
                _snapshot = _snapshot with { State = ProcessState.Ready };
                Tell(ProcessEventKind.Ready, Text($"ready after {time.GetElapsedTime(began).TotalSeconds:0.0} s"));
            }

            await ((Task)child.Exited).WaitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await over.CancelAsync();
            await probing;
            if (!child.Exited.IsCompleted)
            {
                _snapshot = _snapshot with { State = ProcessState.Stopping };
                await StopAsync(child, hurry);
            }

            _child = null;
            var exitCode = await child.Exited;
            if (!stop.IsCancellationRequested)
                TellEnd(exitCode, tail.Lines);
            return readyAt is { } at ? time.GetElapsedTime(at) : TimeSpan.Zero;
        }
    }

    private async Task StopAsync(IChildProcess child, CancellationToken hurry)
    {
        child.Terminate();
        await ((Task)child.Exited).WaitAsync(Grace, time, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!child.Exited.IsCompleted)
            child.Kill();
    }

    private async Task<bool> WaitUntilReadyAsync(CancellationToken over)
    {
        var began = time.GetTimestamp();
        var told = false;
        while (!over.IsCancellationRequested)
        {
            using var limit = new CancellationTokenSource(ProbeTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(over, limit.Token);
            try
            {
                if (await readiness.IsReadyAsync(either.Token))
                    return true;
            }
            catch (OperationCanceledException)
            {
                // No answer in time is no.
            }

            if (!told && time.GetElapsedTime(began) >= SlowAfter)
            {
                told = true;
                Tell(ProcessEventKind.Slow, Text($"still waiting for {readiness.Describe}"));
            }

            await Task.Delay(ProbeInterval, time, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
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
