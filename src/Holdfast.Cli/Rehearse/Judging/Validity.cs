using System.Globalization;

namespace Holdfast.Cli.Rehearse.Judging;

/// <summary>The processes of the replicas before and after one roll.</summary>
internal sealed record RollRecord(IReadOnlySet<int> Before, IReadOnlySet<int> After);

/// <summary>Whether a run has shown anything: one in which nothing was replaced or in flight would keep every promise. Pure.</summary>
internal static class Validity
{
    /// <summary>In microseconds. A re-home delays a few messages; when half of them are, everything on the machine is late, the system or not.</summary>
    private const long MostMedianStall = 1_000_000;

    /// <summary>Why it has not; nothing when it has.</summary>
    public static IReadOnlyList<string> Doubts(Evidence evidence, Verdict verdict, IReadOnlyList<RollRecord> rolls, int wantedRolls)
    {
        var doubts = new List<string>();
        if (rolls.Count != wantedRolls)
            doubts.Add(Text($"{rolls.Count} of {wantedRolls} rolls were done"));
        for (var i = 0; i < rolls.Count; i++)
        {
            if (rolls[i].Before.Count == 0 || rolls[i].After.Count < rolls[i].Before.Count || rolls[i].Before.Overlaps(rolls[i].After))
                doubts.Add(Text($"roll {i + 1} did not change every replica's process: {List(rolls[i].Before)} before, {List(rolls[i].After)} after"));
        }

        if (verdict.Stall.Percentile(50) > MostMedianStall)
            doubts.Add(Text($"half of the answers were more than {MostMedianStall / 1e6:0.#} s late: this machine cannot carry this load"));
        doubts.AddRange(WithoutRehome(evidence));
        doubts.AddRange(Silent(evidence));
        if (verdict.Sent == 0)
            doubts.Add("no message was sent");
        var kills = evidence.Ends.Where(e => e.Kind == EndKind.Killed).ToList();
        if (kills.Count == 0)
            doubts.Add("no replica was killed");
        foreach (var kill in kills.Where(k => !HadMessagesInFlight(evidence, k)))
            doubts.Add(Text($"no message was in flight at the hard kill of process {kill.ProcessId}"));
        return doubts;
    }

    /// <summary>Written before the kill by a client that sat there, and not answered before it.</summary>
    private static bool HadMessagesInFlight(Evidence evidence, ReplicaEnd kill)
    {
        var sat = Judge.ArrivalsOf(evidence)
            .Where(a => a.Value.FindLast(r => r.At <= kill.At) is { ProcessId: var last } && last == kill.ProcessId)
            .Select(a => a.Key).ToHashSet();
        const long Recent = 1_000_000;
        return evidence.Connections.Where(c => sat.Contains(c.Number)).Any(c =>
        {
            var answered = c.Answers.Where(a => a.At <= kill.At).Select(a => a.Sequence).ToHashSet();
            for (var sequence = 0; sequence < c.Sent.Count; sequence++)
            {
                if (c.Sent[sequence].At is > 0 and var at && at <= kill.At && at > kill.At - Recent && !answered.Contains(sequence))
                    return true;
            }

            return false;
        });
    }

    /// <summary>Whoever sat on a replica that has gone has to be seen on another one afterwards.</summary>
    private static IEnumerable<string> WithoutRehome(Evidence evidence)
    {
        var gone = evidence.Ends.Select(e => e.ProcessId).ToHashSet();
        var stuck = Judge.ArrivalsOf(evidence).Where(a => a.Value.Count > 0 && gone.Contains(a.Value[^1].ProcessId)).Select(a => a.Key).Order().ToList();
        if (stuck.Count > 0)
            yield return Text($"of {stuck.Count} connections that sat on a replaced replica no other has read anything, such as connection {stuck[0]}");
    }

    private static IEnumerable<string> Silent(Evidence evidence)
    {
        var arrivals = Judge.ArrivalsOf(evidence);
        var silent = evidence.Connections.Where(c => arrivals.GetValueOrDefault(c.Number, []).Count == 0).Select(c => c.Number).ToList();
        if (silent.Count > 0)
            yield return Text($"no replica has read anything of {silent.Count} connections, such as connection {silent[0]}");
    }

    private static string List(IEnumerable<int> processes) => string.Join(", ", processes.Order());

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
