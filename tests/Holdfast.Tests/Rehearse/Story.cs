using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Tests.Rehearse;

/// <summary>
/// A run that never was, without a fault: each connection sends a message a second, which is read 1 ms later and answered 100 ms after that; in the middle a
/// replica of process 102 takes over from 101. What is done to it afterwards is known exactly.
/// </summary>
internal sealed class Story
{
    public const int Messages = 40;
    public const int OldProcess = 101, NewProcess = 102;
    public const long Second = 1_000_000, Start = 1_700_000_000 * Second;

    private readonly List<(int Process, ReadEntry Entry)> _read = [];
    private readonly List<(int Process, AnsweredEntry Entry)> _answered = [];

    public Story(int connections = 3, bool hasFeed = true)
    {
        for (var number = 0; number < connections; number++)
        {
            Sent.Add([]);
            Answers.Add([]);
            Ticks.Add([]);
            Disconnects.Add([]);
            for (var i = 0; i < Messages; i++)
            {
                var at = Start + i * Second + number;
                var process = i < Messages / 2 ? OldProcess : NewProcess;
                Sent[number].Add(new SentMessage(at, at));
                _read.Add((process, new ReadEntry(number, i, at + 1000)));
                _answered.Add((process, new AnsweredEntry(number, i, at + 101_000, 100_000)));
                Answers[number].Add(new Answer(i, process, i, at + 102_000, 100_000));
            }

            Feeds.Add(hasFeed ? FeedClock.Of("c" + number) : null);
            if (Feeds[number] is { } feed)
            {
                for (var s = feed.SequenceAt(Start) + 1; s <= feed.SequenceAt(Until); s++)
                    Ticks[number].Add(new Tick(s, feed.DueOf(s) + 1000));
            }
        }
    }

    /// <summary>When the replica of the first process is told to go.</summary>
    public static long OldGoes => Start + Messages / 2 * Second - Second / 2;

    public static long Until => Start + Messages * Second;

    public List<List<SentMessage>> Sent { get; } = [];

    public List<List<Answer>> Answers { get; } = [];

    public List<List<Tick>> Ticks { get; } = [];

    public List<List<Disconnect>> Disconnects { get; } = [];

    public List<FeedClock?> Feeds { get; } = [];

    public EndKind OldEnds { get; set; } = EndKind.Planned;

    /// <summary>Ends of replicas that no connection of the story reads from.</summary>
    public List<ReplicaEnd> Others { get; } = [];

    /// <summary>Nobody has read it, and so nobody has answered.</summary>
    public void Lose(int connection, int sequence)
    {
        _read.RemoveAll(r => r.Entry.Connection == connection && r.Entry.Sequence == sequence);
        _answered.RemoveAll(a => a.Entry.Connection == connection && a.Entry.Sequence == sequence);
        Answers[connection].RemoveAll(a => a.Sequence == sequence);
    }

    public void ReadTwice(int connection, int sequence)
    {
        var at = _read.FindIndex(r => r.Entry.Connection == connection && r.Entry.Sequence == sequence);
        _read.Insert(at + 1, _read[at]);
    }

    /// <summary>It is read right after the next one.</summary>
    public void ReadAfterNext(int connection, int sequence)
    {
        var at = _read.FindIndex(r => r.Entry.Connection == connection && r.Entry.Sequence == sequence);
        var next = _read.First(r => r.Entry.Connection == connection && r.Entry.Sequence == sequence + 1);
        _read[at] = (next.Process, _read[at].Entry with { At = next.Entry.At + 1 });
    }

    public void TakeLong(int connection, int sequence, long took)
    {
        var at = _answered.FindIndex(a => a.Entry.Connection == connection && a.Entry.Sequence == sequence);
        _answered[at] = (_answered[at].Process, _answered[at].Entry with { TookMicros = took });
    }

    public Evidence Tell() => new(
        [.. Sent.Select((sent, n) => new ConnectionRecord(n, Start, Feeds[n], sent, Answers[n], Ticks[n], Disconnects[n]))],
        [.. ((int[])[OldProcess, NewProcess]).Select(p => new ReplicaJournal(
            "replica-" + p, p, [.. _read.Where(r => r.Process == p).Select(r => r.Entry)], [.. _answered.Where(a => a.Process == p).Select(a => a.Entry)]))],
        [new ReplicaEnd(OldProcess, OldEnds, OldGoes), .. Others],
        Until);
}
