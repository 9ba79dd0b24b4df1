namespace Holdfast.Cli.Dev;

/// <summary>
/// One replica, from its start to its end: what a pod is in a cluster. It keeps its port over restarts, and its successor gets another. Any thread.
/// </summary>
/// <param name="number">Grows from replica to replica.</param>
/// <param name="generation">Grows from roll to roll.</param>
/// <param name="port">Where it listens.</param>
/// <param name="process">Its process, named for the number.</param>
internal sealed class Replica(int number, int generation, int port, SupervisedProcess process) : IDisposable
{
    /// <summary>From ready to available: the gateway takes about a quarter of it to read its file again.</summary>
    public static readonly TimeSpan MinReady = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _terminate = new();

    public int Number { get; } = number;

    public int Generation { get; } = generation;

    public int Port { get; } = port;

    public SupervisedProcess Process { get; } = process;

    public string Name => Process.Name;

    /// <summary>As the gateway names it.</summary>
    public string Address { get; } = DevGateway.Address(port);

    public bool IsTerminating => _terminate.IsCancellationRequested;

    public bool IsReady => !IsTerminating && Process.Snapshot.State == ProcessState.Ready;

    public ReplicaStanding StandingAt(DateTimeOffset now) => new(
        Number, Generation,
        IsTerminating ? Standing.Terminating
        : Process.Snapshot is not { State: ProcessState.Ready } ready ? Standing.Unready
        : now < ready.At + MinReady ? Standing.Ready
        : Standing.Available);

    /// <summary>Ends it as a pod is ended; <see cref="RunAsync"/> returns when it has gone.</summary>
    public void Terminate() => _terminate.Cancel();

    public Task RunAsync(CancellationToken stop, CancellationToken hurry) => Process.RunAsync(_terminate.Token, stop, hurry);

    /// <summary>After <see cref="RunAsync"/> has returned; nothing but <see cref="Terminate"/> suffers.</summary>
    public void Dispose() => _terminate.Dispose();
}
