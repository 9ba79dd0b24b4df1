using Holdfast.Cli.Admin;

namespace Holdfast.Cli.Dev;

/// <summary>Everything a screen shows. Any thread.</summary>
/// <param name="Options">What was asked for.</param>
/// <param name="Backend">Whose endpoints the replicas are.</param>
/// <param name="List">The replicas.</param>
/// <param name="Gateway">The process before them.</param>
/// <param name="Admin">What the gateway says of itself.</param>
/// <param name="HasKeys">Somebody may press one.</param>
internal sealed record DevModel(
    DevOptions Options, string Backend, ReplicaList List, SupervisedProcess Gateway, AdminPoller Admin, bool HasKeys)
{
    /// <summary>In the order of their starts: the old ones of a roll before the new.</summary>
    public IReadOnlyList<Replica> Replicas => List.All;

    /// <summary>The name of the replica at an endpoint's address, or the address.</summary>
    public string NameOf(string? address) => List.NameOf(address) ?? address ?? "-";

    /// <summary>The running replica with the most connections; the first of several.</summary>
    public Replica? Busiest() => Busiest(r => r.Process.Snapshot.ProcessId != 0);

    /// <summary>The one with the most connections of those that can be drained; the first of several.</summary>
    public Replica? BusiestReady() => Busiest(r => r.IsReady);

    private Replica? Busiest(Func<Replica, bool> which)
    {
        var endpoints = Admin.View.EndpointsOf(Backend);
        return Replicas.Where(which).MaxBy(r => endpoints.GetValueOrDefault(r.Address)?.Connections ?? 0);
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
