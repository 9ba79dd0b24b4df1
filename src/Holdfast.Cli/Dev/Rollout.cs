namespace Holdfast.Cli.Dev;

internal enum Standing
{
    /// <summary>Starting, backing off, or no longer ready.</summary>
    Unready,

    /// <summary>Ready, but not for long enough to be relied on.</summary>
    Ready,

    /// <summary>Ready for so long that who sends connections knows of it: Kubernetes' word, with its minReadySeconds.</summary>
    Available,

    /// <summary>On its way out: it no longer counts.</summary>
    Terminating,
}

/// <summary>A replica as the roll-out sees it.</summary>
/// <param name="Number">Grows from replica to replica.</param>
/// <param name="Generation">Grows from roll to roll.</param>
internal readonly record struct ReplicaStanding(int Number, int Generation, Standing Standing);

internal enum RolloutAction
{
    Nothing,
    Start,
    Terminate,
}

/// <param name="Number">Of the replica to terminate.</param>
internal readonly record struct RolloutStep(RolloutAction Action, int Number = 0);

/// <summary>
/// What a Kubernetes Deployment with maxSurge 1 and maxUnavailable 0 would do next: one replica more than wanted at the most, and never fewer that
/// are available than wanted by its own doing. Unlike there, replicas that are terminating are counted to some degree: more than twice the wanted
/// number and one are never running, or rolls in quick succession would pile up processes. Pure.
/// </summary>
internal static class Rollout
{
    /// <param name="replicas">All that have not gone.</param>
    /// <param name="wanted">How many there should be, from 1.</param>
    /// <param name="generation">Which they should all be of.</param>
    public static RolloutStep Next(IReadOnlyCollection<ReplicaStanding> replicas, int wanted, int generation)
    {
        var alive = replicas.Where(r => r.Standing != Standing.Terminating).ToList();
        var available = alive.Count(r => r.Standing == Standing.Available);
        var old = alive.Where(r => r.Generation != generation).OrderBy(r => r.Number).ToList();
        var current = alive.Where(r => r.Generation == generation).OrderBy(r => r.Number).ToList();

        // One that is not ready serves nobody. Of the current ones the youngest goes, as the connections of the oldest have lasted longest.
        ReplicaStanding? leaves = old.Count > 0
            ? old.Cast<ReplicaStanding?>().FirstOrDefault(r => r!.Value.Standing == Standing.Unready) ?? (available > wanted ? old[0] : null)
            : null;
        if (leaves is null && current.Count > wanted)
            leaves = current.Cast<ReplicaStanding?>().LastOrDefault(r => r!.Value.Standing == Standing.Unready) ?? (available > wanted ? current[^1] : null);
        if (leaves is { } leaving)
            return new RolloutStep(RolloutAction.Terminate, leaving.Number);
        return current.Count < wanted && alive.Count < wanted + 1 && replicas.Count < 2 * wanted + 1
            ? new RolloutStep(RolloutAction.Start)
            : new RolloutStep(RolloutAction.Nothing);
    }
}
