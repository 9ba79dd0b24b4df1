using System.Globalization;

namespace Holdfast.Cli.Dev;

/// <summary>
/// Runs the replicas: as many as wanted, all of the last roll, by the steps of <see cref="Rollout"/>; and has the gateway told of each.
/// <see cref="RunAsync"/> runs once and alone changes the list; everything else may be used by any thread.
/// </summary>
/// <param name="make">A replica from its number and generation.</param>
/// <param name="list">Empty at first.</param>
/// <param name="replicas">How many at first.</param>
/// <param name="late">The gateway hears of an end when it is over, not when it begins.</param>
/// <param name="news">What the gateway, or whoever stands there in its place, is told by.</param>
/// <param name="wake">Set when something has happened to a replica.</param>
/// <param name="tell">What the user is told by.</param>
/// <param name="time">The clock.</param>
internal sealed class ReplicaController(
    Func<int, int, Replica> make, ReplicaList list, int replicas, bool late, IEndpointNews news, Wake wake, Action<ProcessEvent> tell, TimeProvider time)
{
    private int _wanted = replicas;
    private int _generation;
    private int _number;

    /// <summary>Replaces every replica.</summary>
    public void Roll()
    {
        Interlocked.Increment(ref _generation);
        wake.Set();
    }

    /// <summary>One more or one fewer, within the bounds of <see cref="DevOptions"/>.</summary>
    public void Scale(int by)
    {
        var wanted = Math.Clamp(Volatile.Read(ref _wanted) + by, 1, DevOptions.MaxReplicas);
        if (Interlocked.Exchange(ref _wanted, wanted) == wanted)
            return;
        News("scale", wanted == 1 ? "1 replica" : string.Create(CultureInfo.InvariantCulture, $"{wanted} replicas"));
        wake.Set();
    }

    /// <summary>Has the gateway drain a replica that lives on, or take it back.</summary>
    /// <param name="candidate">Whom to drain when none is drained; null: nobody.</param>
    public void ToggleDrain(Replica? candidate)
    {
        if (list.Drained is { } drained)
        {
            list.Drained = null;
            News(drained.Name, "drain cancelled");
        }
        else if (candidate is not null)
        {
            list.Drained = candidate;
            News(candidate.Name, "draining, until cancelled or rolled");
        }

        wake.Set();
    }

    /// <summary>Returns when stopped and nothing is left.</summary>
    public async Task RunAsync(CancellationToken stop, CancellationToken hurry)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var running = new Dictionary<Replica, Task>();
        try
        {
            var (rolled, began) = (0, time.GetTimestamp());
            var isRolling = false;
            while (!stop.IsCancellationRequested)
            {
                await ReapAsync(running);
                if (Volatile.Read(ref _generation) is var generation && generation != rolled)
                {
                    (rolled, began, isRolling) = (generation, time.GetTimestamp(), true);
                    News("roll", "every replica is replaced, one after the other");
                }

                while (TryStep(generation, running, end.Token, hurry))
                {
                }

                Announce();
                var standings = Standings();
                if (isRolling && standings.All(r => r.Generation == generation) && standings.Count(r => r.Standing == Standing.Available) == Volatile.Read(ref _wanted))
                {
                    isRolling = false;
                    News("roll", string.Create(CultureInfo.InvariantCulture, $"done in {time.GetElapsedTime(began).TotalSeconds:0.0} s"));
                }

                // Nothing happens when a ready replica becomes available, but that time goes by.
                if (standings.Any(r => r.Standing == Standing.Ready))
                    await wake.WaitAsync(Replica.MinReady / 4, time, stop);
                else
                    await wake.WaitAsync(stop);
            }
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAll(running.Values);
            foreach (var replica in running.Keys)
                replica.Dispose();
        }
    }

    private bool TryStep(int generation, Dictionary<Replica, Task> running, CancellationToken stop, CancellationToken hurry)
    {
        var step = Rollout.Next(Standings(), Volatile.Read(ref _wanted), generation);
        switch (step.Action)
        {
            case RolloutAction.Start:
                var replica = make(++_number, generation);
                list.Add(replica);
                running[replica] = RunThenWakeAsync(replica, stop, hurry);
                return true;
            case RolloutAction.Terminate:
                list.All.Single(r => r.Number == step.Number).Terminate();
                return true;
            default:
                return false;
        }
    }

    private async Task RunThenWakeAsync(Replica replica, CancellationToken stop, CancellationToken hurry)
    {
        try
        {
            await replica.RunAsync(stop, hurry);
        }
        finally
        {
            wake.Set();
        }
    }

    private async Task ReapAsync(Dictionary<Replica, Task> running)
    {
        foreach (var (replica, run) in running.Where(r => r.Value.IsCompleted).ToList())
        {
            await run;
            running.Remove(replica);
            list.Remove(replica);
            replica.Dispose();
        }
    }

    /// <summary>
    /// Ready replicas are listed, and those that are leaving until they have gone. While there is none, all that are to come are: an empty answer
    /// of a cluster changes nothing for a gateway either, and clients are refused by whoever is dialled.
    /// </summary>
    private void Announce()
    {
        var known = news.Listed;
        var listed = list.All.Where(r => r.IsReady || (r.IsTerminating && known.Contains(r.Address, StringComparer.Ordinal))).ToList();
        if (listed.Count == 0)
            listed = [.. list.All.Where(r => !r.IsTerminating)];
        var drained = list.Drained;
        news.Tell(
            [.. listed.Select(r => r.Address)],
            [.. listed.Where(r => r == drained || (r.IsTerminating && !late)).Select(r => r.Address)]);
    }

    private IReadOnlyList<ReplicaStanding> Standings()
    {
        var now = time.GetUtcNow();
        return [.. list.All.Select(r => r.StandingAt(now))];
    }

    private void News(string about, string text) => tell(new ProcessEvent(about, ProcessEventKind.News, text, []));
}
