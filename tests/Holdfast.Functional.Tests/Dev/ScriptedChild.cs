using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>A process that does what a test says.</summary>
internal sealed class ScriptedChild : IChildProcess
{
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private int _terms;
    private int _kills;

    public bool IgnoresTerm { get; init; }

    public int Terms => Volatile.Read(ref _terms);

    public int Kills => Volatile.Read(ref _kills);

    public int Id => 1;

    public Task<int> Exited => _exited.Task;

    public void End(int exitCode) => _exited.TrySetResult(exitCode);

    public void Terminate()
    {
        Interlocked.Increment(ref _terms);
        if (!IgnoresTerm)
            End(143);
    }

    public void Kill()
    {
        Interlocked.Increment(ref _kills);
        End(137);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

internal sealed class AlwaysReady : IReadinessCheck
{
    public string Describe => "nothing";

    public bool IsAskedAgain => false;

    public Task<bool> IsReadyAsync(CancellationToken cancel) => Task.FromResult(true);
}
