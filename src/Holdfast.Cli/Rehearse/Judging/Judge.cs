namespace Holdfast.Cli.Rehearse.Judging;

/// <summary>Finds every message that was lost, came twice or came out of order, from the clients' records and the replicas' journals alone. Pure.</summary>
internal static class Judge
{
    public static Verdict Examine(Evidence evidence)
    {
        var verdict = new Verdict();
        var arrivals = ArrivalsOf(evidence);
        foreach (var connection in evidence.Connections)
        {
            var read = arrivals.GetValueOrDefault(connection.Number, []);
            var readAt = ExamineQuestions(connection, read, verdict);
            ExamineAnswers(connection, readAt, evidence.AnswersAreOrdered, verdict);
            if (connection.Feed is { } feed)
                ExamineFeed(connection, feed, evidence.Until, verdict);
            for (var i = 0; i < connection.Strange; i++)
                verdict.Findings.Add(new Finding(FaultKind.Strange, Flow.Answers, connection.Number, -1, connection.OpenedAt, []));
        }

        return verdict;
    }

    /// <summary>Each connection's messages, of all journals, in the order in which they were read.</summary>
    internal static Dictionary<int, List<Arrival>> ArrivalsOf(Evidence evidence)
    {
        var wanted = evidence.Connections.Select(c => c.Number).ToHashSet();
        var arrivals = wanted.ToDictionary(n => n, _ => new List<Arrival>());
        foreach (var journal in evidence.Journals)
        {
            foreach (var entry in journal.Read.Where(e => wanted.Contains(e.Connection)))
                arrivals[entry.Connection].Add(new Arrival(entry.Sequence, entry.At, journal.ProcessId));
        }

        // Stable: entries of one file stay as they are.
        return arrivals.ToDictionary(a => a.Key, a => a.Value.OrderBy(e => e.At).ToList());
    }

    /// <summary>Who has read each message first; 0: nobody.</summary>
    private static int[] ExamineQuestions(ConnectionRecord connection, List<Arrival> read, Verdict verdict)
    {
        var readBy = new int[connection.Sent.Count];
        var (greatest, previous) = (-1, 0);
        var firstOnNew = new HashSet<int>();
        foreach (var arrival in read)
        {
            void Report(FaultKind kind, params IReadOnlyList<int> replicas) =>
                verdict.Findings.Add(new Finding(kind, Flow.ToServer, connection.Number, arrival.Sequence, arrival.At, replicas));

            if (previous != 0 && previous != arrival.ProcessId)
            {
                verdict.Rehomes.Add(new Rehome(connection.Number, arrival.Sequence, arrival.At, previous, arrival.ProcessId));
                firstOnNew.Add(arrival.Sequence);
            }

            if (arrival.Sequence < 0 || arrival.Sequence >= readBy.Length || connection.Sent[arrival.Sequence].At == 0)
                Report(FaultKind.Strange, arrival.ProcessId);
            else if (readBy[arrival.Sequence] is not 0 and var first)
                Report(FaultKind.Duplicated, first, arrival.ProcessId);
            else if (arrival.Sequence < greatest)
                Report(FaultKind.Reordered, previous, arrival.ProcessId);
            if (arrival.Sequence >= 0 && arrival.Sequence < readBy.Length && readBy[arrival.Sequence] == 0)
                readBy[arrival.Sequence] = arrival.ProcessId;
            (greatest, previous) = (Math.Max(greatest, arrival.Sequence), arrival.ProcessId);
        }

        for (var sequence = 0; sequence < readBy.Length; sequence++)
        {
            if (connection.Sent[sequence].At == 0)
                continue;
            verdict.Sent++;
            if (readBy[sequence] == 0)
                verdict.Findings.Add(new Finding(FaultKind.Lost, Flow.ToServer, connection.Number, sequence, connection.Sent[sequence].At, Around(read, connection.Sent[sequence].At)));
        }

        RecordStalls(connection, firstOnNew, verdict);
        return readBy;
    }

    private static void RecordStalls(ConnectionRecord connection, HashSet<int> firstOnNew, Verdict verdict)
    {
        foreach (var answer in connection.Answers.Where(a => !a.IsError && a.Sequence >= 0 && a.Sequence < connection.Sent.Count))
        {
            var stall = answer.At - connection.Sent[answer.Sequence].Due - answer.TookMicros;
            verdict.Stall.Record(stall);
            if (firstOnNew.Remove(answer.Sequence))
                verdict.RehomeStall.Record(stall);
        }
    }

    private static void ExamineAnswers(ConnectionRecord connection, int[] readBy, bool areOrdered, Verdict verdict)
    {
        var seen = new HashSet<(long Stream, long Counter)>();
        var greatest = new Dictionary<long, long>();
        var isAnswered = new bool[readBy.Length];
        var failed = new HashSet<int>();
        foreach (var answer in connection.Answers)
        {
            void Report(FaultKind kind) => verdict.Findings.Add(new Finding(
                kind, Flow.Answers, connection.Number, answer.Sequence, answer.At,
                answer.Sequence >= 0 && answer.Sequence < readBy.Length && readBy[answer.Sequence] != 0 ? [readBy[answer.Sequence]] : []));

            if (answer.Sequence < 0 || answer.Sequence >= readBy.Length || (readBy[answer.Sequence] == 0 && !answer.IsError))
            {
                Report(FaultKind.Strange);
                continue;
            }

            // An answer and an error, or two errors: the client was told twice.
            if (failed.Contains(answer.Sequence) || (answer.IsError && isAnswered[answer.Sequence]))
                Report(FaultKind.Duplicated);
            if (answer.IsError)
            {
                failed.Add(answer.Sequence);
                verdict.Errors.Add(new Finding(FaultKind.Lost, Flow.Answers, connection.Number, answer.Sequence, answer.At, []));
            }
            else if (!seen.Add((answer.Stream, answer.Counter)))
            {
                Report(FaultKind.Duplicated);
            }
            else if (areOrdered && greatest.TryGetValue(answer.Stream, out var last) && answer.Counter < last)
            {
                Report(FaultKind.Reordered);
            }

            isAnswered[answer.Sequence] = true;
            greatest[answer.Stream] = Math.Max(greatest.GetValueOrDefault(answer.Stream), answer.Counter);
        }

        for (var sequence = 0; sequence < readBy.Length; sequence++)
        {
            if (readBy[sequence] != 0 && !isAnswered[sequence])
                verdict.Findings.Add(new Finding(FaultKind.Lost, Flow.Answers, connection.Number, sequence, connection.Sent[sequence].At, [readBy[sequence]]));
        }
    }

    /// <summary>From the first message that came to the last that was due a little before the end.</summary>
    private static void ExamineFeed(ConnectionRecord connection, FeedClock feed, long until, Verdict verdict)
    {
        var seen = new HashSet<long>();
        var greatest = long.MinValue;
        foreach (var tick in connection.Ticks)
        {
            if (!seen.Add(tick.Sequence))
                verdict.Findings.Add(new Finding(FaultKind.Duplicated, Flow.Feed, connection.Number, tick.Sequence, tick.At, []));
            else if (tick.Sequence < greatest)
                verdict.Findings.Add(new Finding(FaultKind.Reordered, Flow.Feed, connection.Number, tick.Sequence, tick.At, []));
            greatest = Math.Max(greatest, tick.Sequence);
            verdict.FeedStall.Record(tick.At - feed.DueOf(tick.Sequence));
        }

        // How long a subscription takes to begin is not judged here; that it does is.
        var first = seen.Count > 0 ? seen.Min() : feed.SequenceAt(connection.OpenedAt) + 2;
        var last = feed.SequenceAt(until) - 1;
        for (var sequence = first; sequence <= last; sequence++)
        {
            if (!seen.Contains(sequence))
                verdict.Findings.Add(new Finding(FaultKind.Lost, Flow.Feed, connection.Number, sequence, feed.DueOf(sequence), []));
        }
    }

    /// <summary>Who read the message before a time, and who the one after it.</summary>
    private static List<int> Around(List<Arrival> read, long at)
    {
        var before = read.FindLastIndex(a => a.At <= at);
        var around = new List<int>(2);
        if (before >= 0)
            around.Add(read[before].ProcessId);
        if (before + 1 < read.Count)
            around.Add(read[before + 1].ProcessId);
        return around;
    }

    /// <summary>A message in a journal.</summary>
    internal readonly record struct Arrival(int Sequence, long At, int ProcessId);
}
