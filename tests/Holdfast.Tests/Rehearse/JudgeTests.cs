using FsCheck;
using FsCheck.Fluent;
using Holdfast.Cli.Rehearse.Judging;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class JudgeTests
{
    [Fact]
    public void Where_nothing_is_wrong_nothing_is_found()
    {
        var verdict = Judge.Examine(new Story().Tell());
        Assert.Empty(verdict.Findings);
        Assert.Empty(verdict.Errors);
        Assert.Equal(3 * Story.Messages, verdict.Sent);
        Assert.Equal([(0, Story.OldProcess, Story.NewProcess), (1, Story.OldProcess, Story.NewProcess), (2, Story.OldProcess, Story.NewProcess)],
            verdict.Rehomes.Select(r => (r.Connection, r.From, r.To)));
        Assert.Equal(2000, verdict.Stall.Max);
        Assert.Equal(3, verdict.RehomeStall.Count);
        Assert.Equal(1000, verdict.FeedStall.Max);
    }

    /// <summary>Any faults, anywhere but so close together that they would be other faults.</summary>
    [Fact]
    public void Exactly_what_was_planted_is_found() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), choices =>
        {
            var story = new Story();
            var planted = new List<FaultPlace>();
            for (var i = 0; i + 1 < choices.Length && 2 * i < Places; i += 2)
                planted.AddRange(Plant(story, choices[i], 2 * i + choices[i + 1] % 2));
            var result = PlantedResult.Compare(planted, Judge.Examine(story.Tell()));
            Assert.Equal(result.Planted, result.Found);
            Assert.Equal(planted.Count > 0, result.IsExact);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1_000));

    private const int Places = Story.Messages - 6;

    /// <summary>Nothing where it would be at the seam of two replicas, whose answers have no common order.</summary>
    private static IEnumerable<FaultPlace> Plant(Story story, byte choice, int at)
    {
        at++;
        if (Math.Abs(at - Story.Messages / 2) <= 2)
            yield break;
        var kind = (FaultKind)(choice % 3);
        var flow = (Flow)(choice / 3 % 3);
        var connection = choice / 9 % 3;
        yield return new FaultPlace(kind, flow, connection, flow == Flow.Feed ? story.Ticks[connection].Single(t => t.Sequence == First(story, connection) + at).Sequence : at);
        switch (flow)
        {
            case Flow.ToServer:
                ((Action<int, int>)(kind switch { FaultKind.Lost => story.Lose, FaultKind.Duplicated => story.ReadTwice, _ => story.ReadAfterNext }))(connection, at);
                break;
            case Flow.Answers:
                Do(kind, story.Answers[connection], story.Answers[connection].FindIndex(a => a.Sequence == at));
                break;
            default:
                Do(kind, story.Ticks[connection], story.Ticks[connection].FindIndex(t => t.Sequence == First(story, connection) + at));
                break;
        }
    }

    private static long First(Story story, int connection) => story.Feeds[connection]!.Value.SequenceAt(Story.Start) + 1;

    private static void Do<T>(FaultKind kind, List<T> list, int at)
    {
        if (kind == FaultKind.Lost)
            list.RemoveAt(at);
        else if (kind == FaultKind.Duplicated)
            list.Insert(at, list[at]);
        else
            (list[at], list[at + 1]) = (list[at + 1], list[at]);
    }

    [Fact]
    public void A_planted_fault_that_is_missed_or_found_elsewhere_is_not_exact()
    {
        var story = new Story();
        story.Lose(1, 5);
        var verdict = Judge.Examine(story.Tell());
        FaultPlace here = new(FaultKind.Lost, Flow.ToServer, 1, 5), there = new(FaultKind.Lost, Flow.ToServer, 1, 6);
        Assert.True(PlantedResult.Compare([here], verdict).IsExact);
        Assert.False(PlantedResult.Compare([here, here], verdict).IsExact);
        Assert.False(PlantedResult.Compare([], verdict).IsExact);
        var moved = PlantedResult.Compare([there], verdict);
        Assert.Equal([there], moved.Missed);
        Assert.Equal([here], moved.Unplanted);
    }

    [Fact]
    public void What_was_never_written_is_not_lost()
    {
        var story = new Story();
        story.Lose(0, 39);
        story.Sent[0][39] = story.Sent[0][39] with { At = 0 };
        var verdict = Judge.Examine(story.Tell());
        Assert.Empty(verdict.Findings);
        Assert.Equal(3 * Story.Messages - 1, verdict.Sent);
    }

    [Fact]
    public void An_answer_nobody_can_have_given_is_strange()
    {
        var story = new Story();
        story.Lose(0, 7);
        story.Answers[0].Add(new Answer(7, 9, 9, Story.Until, 0));
        story.Answers[1].Add(new Answer(4000, 9, 9, Story.Until, 0));
        Assert.Equal(
            [new(FaultKind.Lost, Flow.ToServer, 0, 7), new(FaultKind.Strange, Flow.Answers, 0, 7), new(FaultKind.Strange, Flow.Answers, 1, 4000)],
            Judge.Examine(story.Tell()).Findings.Select(f => f.Place).Order());
    }

    [Fact]
    public void An_error_stands_for_an_answer_but_not_beside_one()
    {
        var story = new Story();
        story.Answers[0][3] = new Answer(3, 0, 0, Story.Start, 0, IsError: true);
        Assert.Empty(Judge.Examine(story.Tell()).Findings);
        Assert.Equal(3, Assert.Single(Judge.Examine(story.Tell()).Errors).Sequence);
        story.Answers[0].Add(new Answer(3, Story.OldProcess, 900, Story.Until, 0));
        Assert.Equal(new FaultPlace(FaultKind.Duplicated, Flow.Answers, 0, 3), Assert.Single(Judge.Examine(story.Tell()).Findings).Place);
    }

    [Fact]
    public void A_feed_that_ends_early_lacks_all_that_was_due_since()
    {
        var story = new Story();
        story.Ticks[2].RemoveRange(story.Ticks[2].Count - 5, 5);
        var verdict = Judge.Examine(story.Tell());
        Assert.Equal(4, verdict.Count(FaultKind.Lost, Flow.Feed));
        Assert.All(verdict.Findings, f => Assert.Equal(2, f.Connection));
    }
}
