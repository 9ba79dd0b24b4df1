using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Reporting;

/// <summary>Makes a row of a run's evidence. Pure.</summary>
internal static class SystemVerdict
{
    /// <param name="blank">What was asked for, and the planted faults.</param>
    /// <param name="unknown">By connection; null: the system does not tell.</param>
    /// <param name="isPromised">The system makes promises.</param>
    public static SystemResult Fill(
        SystemResult blank, Evidence evidence, Rules rules, IReadOnlyList<RollRecord> rolls, IReadOnlyDictionary<int, long>? unknown, bool isPromised)
    {
        var verdict = Judge.Examine(evidence);
        var promises = new Promises(rules, evidence, verdict, unknown ?? new Dictionary<int, long>());

        // One rule for all systems of a run: what Holdfast would promise is what is counted.
        var lost = verdict.Findings.Where(f => f.Kind == FaultKind.Lost && (f.Flow == Flow.ToServer || (f.Flow == Flow.Feed && rules.PromisesNoGap))).ToList();
        var atKill = lost.Count(promises.IsAtKill);
        return blank with
        {
            Disconnects = evidence.Connections.Sum(c => (long)c.Disconnects.Count),
            Refused = evidence.Connections.Sum(c => (long)c.Refused),
            Lost = lost.Count - atKill,
            LostAtKill = atKill,
            Unknown = unknown?.Values.Sum(),
            Duplicated = Counted(FaultKind.Duplicated),
            Reordered = Counted(FaultKind.Reordered),
            AnswersLost = verdict.Count(FaultKind.Lost, Flow.Answers),
            Errors = verdict.Errors.Count,
            FeedMissed = verdict.Count(FaultKind.Lost, Flow.Feed),
            FeedRepeated = verdict.Count(FaultKind.Duplicated, Flow.Feed),
            Sent = verdict.Sent,
            NotSent = evidence.Connections.Sum(c => (long)c.Sent.Count(s => s.At == 0)),
            Rehomes = verdict.Rehomes.Count,
            StallP50Ms = verdict.Stall.Ms(50),
            StallP99Ms = verdict.Stall.Ms(99),
            StallMaxMs = verdict.Stall.Ms(100),
            RehomeStallP99Ms = verdict.RehomeStall.Ms(99),
            FeedStallP99Ms = verdict.FeedStall.Ms(99),
            Broken = isPromised ? [.. promises.Weigh().Select(b => new BrokenReport(b.Promise, b.Times, FindingText.Of(b.Example)))] : [],
            Invalid = Validity.Doubts(evidence, verdict, rolls, blank.Rolls),
        };

        int Counted(FaultKind kind) =>
            verdict.Count(kind, Flow.ToServer) + verdict.Count(kind, Flow.Answers) + (rules.PromisesNoRepeat ? verdict.Count(kind, Flow.Feed) : 0);
    }
}
