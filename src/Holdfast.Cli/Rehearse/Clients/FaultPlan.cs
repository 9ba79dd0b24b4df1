using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// Faults made on purpose between one client and its socket, after what it sends has been recorded and before what it receives is: the way to the judge
/// is the same as for real ones. Of the messages of one flow two are dropped, sent twice, or swapped with the next. One client.
/// </summary>
internal sealed class FaultPlan(FaultKind kind, Flow flow, int connection)
{
    /// <summary>Messages of the flow before the first fault, and between the first and the second.</summary>
    private const int First = 3, Distance = 5;

    private readonly List<FaultPlace> _planted = [];
    private int _count;

    /// <summary>All faults have happened, and what is swapped has been followed.</summary>
    public bool IsDone => Volatile.Read(ref _count) > First + Distance + 2;

    public Flow Flow => flow;

    public IReadOnlyList<FaultPlace> Planted => _planted;

    /// <summary>How many answers more (or fewer) than questions there will be.</summary>
    public int MoreAnswers => (flow, kind) switch
    {
        (Flow.Feed, _) => 0,
        (_, FaultKind.Lost) => -_planted.Count,
        (_, FaultKind.Duplicated) => _planted.Count,
        _ => 0,
    };

    /// <summary>What is to be done with the next message.</summary>
    /// <returns>Null: nothing. <see cref="FaultKind.Reordered"/>: it goes after the next one.</returns>
    public FaultKind? Next(long sequence)
    {
        var at = _count;
        Volatile.Write(ref _count, at + 1);
        if (at is not (First or First + Distance))
            return null;
        _planted.Add(new FaultPlace(kind, flow, connection, sequence));
        return kind;
    }

    /// <summary>One client for each kind and direction.</summary>
    public static IReadOnlyList<FaultPlan> All(int firstConnection, bool hasFeed)
    {
        var plans = new List<FaultPlan>();
        foreach (var flow in (Flow[])[Flow.ToServer, hasFeed ? Flow.Feed : Flow.Answers])
        {
            foreach (var kind in (FaultKind[])[FaultKind.Lost, FaultKind.Duplicated, FaultKind.Reordered])
                plans.Add(new FaultPlan(kind, flow, firstConnection + plans.Count));
        }

        return plans;
    }
}
