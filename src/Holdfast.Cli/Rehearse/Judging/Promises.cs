using System.Globalization;

namespace Holdfast.Cli.Rehearse.Judging;

/// <summary>What a run promised. Times are microseconds.</summary>
/// <param name="Protocol">What the clients spoke.</param>
/// <param name="MakesFirst">Both replicas served the same subscription for a while.</param>
/// <param name="Quiet">A silence after which a replica is taken to owe no answer.</param>
/// <param name="Fence">How often an endpoint is asked what it has read.</param>
internal sealed record Rules(RehearseProtocol Protocol, bool MakesFirst, long Quiet, long Fence)
{
    /// <summary>What the clocks, the machine and the last hop may cost before a promise counts as broken.</summary>
    public const long Slack = 100_000;

    /// <summary>No feed message may be missing while replicas are replaced in order.</summary>
    public bool PromisesNoGap => Protocol == RehearseProtocol.Json || (Protocol == RehearseProtocol.GraphqlTransportWs && MakesFirst);

    /// <summary>Nor when one is lost.</summary>
    public bool PromisesNoGapEver => Protocol == RehearseProtocol.Json;

    /// <summary>No feed message may come twice, and none after a later one.</summary>
    public bool PromisesNoRepeat => Protocol == RehearseProtocol.Json || (Protocol == RehearseProtocol.GraphqlTransportWs && !MakesFirst);
}

/// <summary>A promise, how often it was broken, and one time it was.</summary>
internal sealed record BrokenPromise(string Promise, int Times, Finding Example);

/// <summary>Weighs what the judge found against what is promised. Pure.</summary>
internal sealed class Promises
{
    /// <summary>How long after an end without notice its losses are told from others, in microseconds.</summary>
    private const long After = 2_000_000;

    private readonly Rules _rules;
    private readonly Evidence _evidence;
    private readonly Verdict _verdict;
    private readonly IReadOnlyDictionary<int, long> _unknown;
    private readonly Dictionary<int, List<Loss>> _losses;
    private readonly Dictionary<(int Connection, long Sequence), AnsweredEntry> _answered;
    private readonly List<BrokenPromise> _broken = [];

    private readonly Dictionary<int, List<Judge.Arrival>> _arrivals;

    /// <summary>How late a message was read at worst: a replica that reads late answers the gateway's pings as late.</summary>
    private readonly long _lag;

    /// <param name="unknown">By connection, as the gateway reported it.</param>
    public Promises(Rules rules, Evidence evidence, Verdict verdict, IReadOnlyDictionary<int, long> unknown)
    {
        (_rules, _evidence, _verdict, _unknown) = (rules, evidence, verdict, unknown);
        _arrivals = Judge.ArrivalsOf(evidence);
        _losses = LossesOf(evidence);
        _lag = LagOf(evidence);
        _answered = evidence.Journals.SelectMany(j => j.Answered).GroupBy(a => (a.Connection, (long)a.Sequence)).ToDictionary(g => g.Key, g => g.First());
    }

    /// <summary>How long before an end its losses may have been sent: two fences may lie between a message and the pong that proves it read.</summary>
    private long Before => (2 * _rules.Fence) + 1_000_000;

    /// <summary>All that were broken, each once.</summary>
    public IReadOnlyList<BrokenPromise> Weigh()
    {
        Demand("nobody is disconnected", _evidence.Connections.SelectMany(c =>
            c.Disconnects.Select(d => new Finding(FaultKind.Lost, Flow.ToServer, c.Number, c.Sent.Count(s => s.At != 0 && s.At <= d.At), d.At, []))));
        Demand("no message of a client comes twice", Of(FaultKind.Duplicated, Flow.ToServer));
        Demand("no message of a client comes after a later one", Of(FaultKind.Reordered, Flow.ToServer));
        Demand("no message of a client is lost while replicas are replaced in order", Of(FaultKind.Lost, Flow.ToServer).Where(f => !IsExcused(f)));
        Demand("of a client's messages no more are lost than the gateway calls unknown", Of(FaultKind.Lost, Flow.ToServer)
            .Where(IsExcused).GroupBy(f => f.Connection).Where(g => g.Count() > _unknown.GetValueOrDefault(g.Key)).Select(g => g.First()));
        Demand("unknown is no more than what was sent since the last fence", _unknown.Where(u => u.Value > MostUnknown(u.Key))
            .Select(u => new Finding(FaultKind.Lost, Flow.ToServer, u.Key, u.Value, _evidence.Until, [])));
        Demand("no answer comes twice", Of(FaultKind.Duplicated, Flow.Answers));
        Demand("no answer comes after a later one", Of(FaultKind.Reordered, Flow.Answers));
        Demand("every message received was sent", _verdict.Findings.Where(f => f.Kind == FaultKind.Strange));
        WeighAnswers();
        WeighFeed();
        return _broken;
    }

    /// <summary>Whether its connection lost its replica about then, in a way of which nothing is promised but to count.</summary>
    public bool IsExcused(Finding finding) =>
        _losses.TryGetValue(finding.Connection, out var losses) && losses.Exists(l => finding.At >= l.From && finding.At <= l.To);

    /// <summary>Of these, whether it was the hard kill.</summary>
    public bool IsAtKill(Finding finding) =>
        _losses.TryGetValue(finding.Connection, out var losses) && losses.Exists(l => l.IsKill && finding.At >= l.From && finding.At <= l.To);

    private void WeighAnswers()
    {
        var lost = Of(FaultKind.Lost, Flow.Answers);
        if (_rules.Protocol == RehearseProtocol.GraphqlTransportWs)
        {
            Demand("every mutation that a replica has read is answered, or ended by the protocol's error", lost);
            Demand("no mutation is ended by an error while replicas are replaced in order", _verdict.Errors.Where(f => !IsExcused(SentAt(f))));
        }
        else
        {
            // What took longer may fall into the silence that is taken for the end.
            Demand("no answer that was given within quiet is lost while replicas are replaced in order", lost.Where(f =>
                !IsExcused(f) && _answered.TryGetValue((f.Connection, f.Sequence), out var answered) && answered.TookMicros <= _rules.Quiet - Rules.Slack));
        }
    }

    private void WeighFeed()
    {
        if (!_rules.Protocol.HasFeed())
            return;
        if (_rules.PromisesNoGap)
            Demand("no feed message is missing", Of(FaultKind.Lost, Flow.Feed).Where(f => _rules.PromisesNoGapEver || !IsExcused(f)));
        if (_rules.PromisesNoRepeat)
        {
            Demand("no feed message comes twice", Of(FaultKind.Duplicated, Flow.Feed));
            Demand("no feed message comes after a later one", Of(FaultKind.Reordered, Flow.Feed));
        }

        // A gap that is allowed has an end.
        Demand("every feed goes on", _evidence.Connections.Where(c => c.Feed is { } feed
                && (c.Ticks.Count == 0 || c.Ticks.Max(t => t.Sequence) < feed.SequenceAt(_evidence.Until) - 3))
            .Select(c => new Finding(FaultKind.Lost, Flow.Feed, c.Number, c.Ticks.Count == 0 ? -1 : c.Ticks.Max(t => t.Sequence), _evidence.Until, [])));
    }

    /// <summary>What was sent about the ends without notice that concern the connection.</summary>
    private long MostUnknown(int connection)
    {
        var record = _evidence.Connections.FirstOrDefault(c => c.Number == connection);
        return record is null ? 0 : _evidence.Ends.Where(e => e.Kind != EndKind.Planned && Concerns(e, _arrivals[connection]))
            .Sum(e => (long)record.Sent.Count(s => s.At >= e.At - Before - _lag && s.At <= e.At + After));
    }

    /// <summary>
    /// Whether the connection sat on what ended: its replica was the last to read, or another reads next than read last, so that one between the two, which has read
    /// nothing, may be it.
    /// </summary>
    private static bool Concerns(ReplicaEnd end, List<Judge.Arrival> read)
    {
        var last = read.FindLastIndex(a => a.At <= end.At);
        if (last < 0 || read[last].ProcessId == end.ProcessId || last + 1 == read.Count)
            return true;
        return read[last + 1].ProcessId != read[last].ProcessId;
    }

    private static long LagOf(Evidence evidence)
    {
        var sent = evidence.Connections.ToDictionary(c => c.Number, c => c.Sent);
        return evidence.Journals.SelectMany(j => j.Read)
            .Where(e => sent.TryGetValue(e.Connection, out var messages) && e.Sequence >= 0 && e.Sequence < messages.Count && messages[e.Sequence].At != 0)
            .Select(e => e.At - sent[e.Connection][e.Sequence].At)
            .DefaultIfEmpty(0)
            .Max();
    }

    /// <summary>An error tells nothing of when its question was sent; its record does.</summary>
    private Finding SentAt(Finding error)
    {
        var record = _evidence.Connections.First(c => c.Number == error.Connection);
        return error with { At = record.Sent[(int)error.Sequence].At };
    }

    /// <summary>
    /// For each connection the times around the ends that came without notice to a replica that it sat on. On a planned end nothing is excused.
    /// </summary>
    private Dictionary<int, List<Loss>> LossesOf(Evidence evidence)
    {
        var losses = new Dictionary<int, List<Loss>>();
        foreach (var end in evidence.Ends.Where(e => e.Kind != EndKind.Planned))
        {
            foreach (var (connection, read) in _arrivals)
            {
                var last = read.FindLastIndex(a => a.At <= end.At);
                if (last < 0 || read[last].ProcessId != end.ProcessId)
                    continue;

                // Nobody can say more than that it goes on with the next message that somebody reads.
                var next = last + 1 < read.Count ? read[last + 1].At : end.At;
                if (!losses.TryGetValue(connection, out var list))
                    losses[connection] = list = [];
                list.Add(new Loss(end.At - Before, Math.Max(next, end.At + After), end.Kind == EndKind.Killed));
            }
        }

        return losses;
    }

    private IEnumerable<Finding> Of(FaultKind kind, Flow flow) => _verdict.Findings.Where(f => f.Kind == kind && f.Flow == flow);

    private void Demand(string promise, IEnumerable<Finding> broken)
    {
        var all = broken.ToList();
        if (all.Count > 0)
            _broken.Add(new BrokenPromise(promise, all.Count, all[0]));
    }

    private readonly record struct Loss(long From, long To, bool IsKill);
}

/// <summary>A finding in words.</summary>
internal static class FindingText
{
    public static string Of(Finding finding)
    {
        var time = (DateTimeOffset.UnixEpoch + TimeSpan.FromMicroseconds(finding.At)).ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var replicas = finding.Replicas.Count == 0 ? "" : ", replica process " + string.Join(" and ", finding.Replicas.Distinct());
        return string.Create(CultureInfo.InvariantCulture, $"connection {finding.Connection}, message {finding.Sequence}, {time} UTC{replicas}");
    }
}
