namespace Holdfast.Cli.Dev;

/// <summary>A replica and where it listens.</summary>
internal sealed record Replica(SupervisedProcess Process, int Port)
{
    public string Name => Process.Name;

    /// <summary>As the gateway names it.</summary>
    public string Address { get; } = DevGateway.Address(Port);
}

/// <summary>Everything a screen shows. Any thread.</summary>
internal sealed record DevModel(DevOptions Options, IReadOnlyList<Replica> Replicas, SupervisedProcess Gateway, AdminPoller Admin, bool HasKeys)
{
    /// <summary>The name of the replica at an endpoint's address, or the address.</summary>
    public string NameOf(string? address) => Replicas.FirstOrDefault(r => r.Address == address)?.Name ?? address ?? "-";

    /// <summary>The running replica with the most connections; the first of several.</summary>
    public Replica? Busiest()
    {
        var endpoints = Admin.View.Endpoints;
        return Replicas.Where(r => r.Process.Snapshot.ProcessId != 0).MaxBy(r => endpoints.GetValueOrDefault(r.Address)?.Connections ?? 0);
    }
}

/// <summary>Shows what goes on. <see cref="Tell"/> and <see cref="Output"/> may be called by any thread and must not block for long.</summary>
internal interface IDevScreen
{
    void Tell(ProcessEvent happened);

    /// <summary>A line of a replica's output.</summary>
    void Output(string replica, string line);

    /// <summary>Draws until stopped.</summary>
    Task RunAsync(DevModel model, CancellationToken stop);

    /// <summary>A sentence outside of the picture; only before and after <see cref="RunAsync"/>.</summary>
    void Say(string sentence);
}
