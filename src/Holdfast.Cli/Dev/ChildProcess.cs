using System.ComponentModel;
using System.Diagnostics;

namespace Holdfast.Cli.Dev;

/// <summary>What to run, and with which variables on top of this process's own.</summary>
/// <param name="FileName">Found on the PATH when it has no slash.</param>
/// <param name="Arguments">Passed as they are.</param>
/// <param name="Environment">Variables to set.</param>
/// <param name="RemoveWhenOrphaned">A directory to remove should this process die without stopping the child.</param>
internal sealed record ChildSpec(
    string FileName,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    string? RemoveWhenOrphaned = null);

/// <summary>A running child and everything it started. Any thread.</summary>
internal interface IChildProcess : IAsyncDisposable
{
    int Id { get; }

    /// <summary>Completes once, when the child has ended and nothing of its group is left, with its exit code (128 + signal when killed).</summary>
    Task<int> Exited { get; }

    /// <summary>SIGTERM to the child and everything it started.</summary>
    void Terminate();

    /// <summary>SIGKILL to the child and everything it started.</summary>
    void Kill();
}

/// <summary>
/// A child in a process group of its own, with a guard in that group: a shell that reads signals to send to the group from a pipe which only
/// this process holds. The pipe's end means that this process is gone, however it went, and the guard kills the group. (A parent-death signal
/// would not do: it follows the forking thread, not the process, and reaches the child alone.) Sending from within the group also means that a
/// recycled process id is never signalled.
/// </summary>
internal sealed class ChildProcess : IChildProcess
{
    // $1 is the directory to remove, the rest the command. The guard is forked twice, so that the command gets no child it did not start.
    private const string Guard = """
        directory=$1; shift
        exec 3<&0
        ( (
          trap '' TERM INT HUP QUIT
          while read -r signal <&3; do kill -s "$signal" 0; done
          [ -z "$directory" ] || rm -rf -- "$directory"
          kill -s KILL 0
        ) </dev/null >/dev/null 2>&1 & )
        exec 3<&- </dev/null
        exec "$@"
        """;

    /// <summary>How long output may trail the exit: something may have left the group and still hold the pipe.</summary>
    private static readonly TimeSpan OutputPatience = TimeSpan.FromSeconds(1);

    private readonly Process _process;
    private readonly TimeProvider _time;
    private readonly Task _output;

    private ChildProcess(Process process, Action<string> onLine, TimeProvider time)
    {
        _process = process;
        _time = time;
        Id = process.Id;
        process.StandardInput.AutoFlush = true;
        _output = Task.WhenAll(LineReader.ReadAllAsync(process.StandardOutput, onLine), LineReader.ReadAllAsync(process.StandardError, onLine));
        Exited = WatchAsync();
    }

    public int Id { get; }

    public Task<int> Exited { get; }

    /// <param name="spec">What to run.</param>
    /// <param name="onLine">Called with each line of standard output and standard error, from any thread, never twice at once per stream.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="Win32Exception"><c>setsid</c> is missing or cannot be started.</exception>
    public static ChildProcess Start(ChildSpec spec, Action<string> onLine, TimeProvider time)
    {
        var command = Command(spec);
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in spec.Environment)
            start.Environment[name] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException("A started process is new.");
        return new ChildProcess(process, onLine, time);
    }

    /// <summary>The guarded command; its standard input is the guard's pipe.</summary>
    internal static IReadOnlyList<string> Command(ChildSpec spec) =>
        ["setsid", "/bin/sh", "-c", Guard, "holdfast-guard", spec.RemoveWhenOrphaned ?? "", spec.FileName, .. spec.Arguments];

    public void Terminate() => Signal("TERM");

    public void Kill() => Signal("KILL");

    public async ValueTask DisposeAsync()
    {
        Kill();
        await Exited;
        _process.Dispose();
    }

    private async Task<int> WatchAsync()
    {
        await _process.WaitForExitAsync();
        var exitCode = _process.ExitCode;

        // As in a pod: when the main process ends, what it started ends too.
        Kill();
        await Task.WhenAny(_output, Task.Delay(OutputPatience, _time));
        return exitCode;
    }

    private void Signal(string signal)
    {
        try
        {
            lock (_process)
                _process.StandardInput.WriteLine(signal);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The guard is gone, and with it, save for an accident, the group.
            KillWithoutGuard();
        }
    }

    private void KillWithoutGuard()
    {
        try
        {
            if (!_process.HasExited)
                _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // Already ended.
        }
    }
}
