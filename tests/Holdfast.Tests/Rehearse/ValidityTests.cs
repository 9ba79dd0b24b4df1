using Holdfast.Cli.Rehearse.Judging;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class ValidityTests
{
    private static readonly RollRecord Roll = new(new HashSet<int> { 1, 2 }, new HashSet<int> { 3, 4 });

    /// <summary>The kill comes while the answer to a message is on its way.</summary>
    private static readonly long WithMessagesInFlight = Story.Start + 30 * Story.Second + 50_000;

    [Fact]
    public void A_run_in_which_everything_happened_is_valid() => Assert.Empty(Doubts(Told(WithMessagesInFlight), [Roll]));

    [Fact]
    public void A_roll_that_left_a_process_or_did_not_happen_is_none()
    {
        Assert.Contains("did not change", Assert.Single(Doubts(Told(WithMessagesInFlight), [Roll with { After = new HashSet<int> { 2, 3 } }])), StringComparison.Ordinal);
        Assert.Contains("did not change", Assert.Single(Doubts(Told(WithMessagesInFlight), [Roll with { After = new HashSet<int> { 3 } }])), StringComparison.Ordinal);
        Assert.Contains("0 of 1 rolls", Assert.Single(Doubts(Told(WithMessagesInFlight), [])), StringComparison.Ordinal);
    }

    [Fact]
    public void Messages_have_to_be_in_flight_at_the_kill()
    {
        var quiet = Told(Story.Start + 30 * Story.Second + 500_000);
        Assert.Contains("in flight", Assert.Single(Doubts(quiet, [Roll])), StringComparison.Ordinal);
        var none = quiet with { Ends = [quiet.Ends[0]] };
        Assert.Contains("no replica was killed", Assert.Single(Doubts(none, [Roll])), StringComparison.Ordinal);
    }

    [Fact]
    public void Who_sat_on_a_replaced_replica_has_to_be_seen_elsewhere()
    {
        var story = new Story();
        for (var i = Story.Messages / 2; i < Story.Messages; i++)
            story.Lose(1, i);
        var evidence = WithKill(story.Tell(), WithMessagesInFlight);
        Assert.Contains("such as connection 1", Assert.Single(Doubts(evidence, [Roll])), StringComparison.Ordinal);
        for (var i = 0; i < Story.Messages / 2; i++)
            story.Lose(1, i);
        Assert.Contains("no replica has read anything of 1 ", Assert.Single(Doubts(WithKill(story.Tell(), WithMessagesInFlight), [Roll])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_on_which_everything_is_late_shows_nothing()
    {
        var story = new Story();
        foreach (var answers in story.Answers)
        {
            for (var i = 0; i < answers.Count; i++)
                answers[i] = answers[i] with { At = answers[i].At + 3 * Story.Second / 2 };
        }

        Assert.Contains("half of the answers", Assert.Single(Doubts(WithKill(story.Tell(), WithMessagesInFlight), [Roll])), StringComparison.Ordinal);
    }

    private static Evidence Told(long kill) => WithKill(new Story().Tell(), kill);

    /// <summary>The second process is started again in the middle, as a third one.</summary>
    private static Evidence WithKill(Evidence told, long kill)
    {
        var second = told.Journals[1];
        return told with
        {
            Ends = [.. told.Ends, new ReplicaEnd(Story.NewProcess, EndKind.Killed, kill)],
            Journals =
            [
                told.Journals[0], second with { Read = [.. second.Read.Where(r => r.At <= kill)] },
                second with { ProcessId = 103, Read = [.. second.Read.Where(r => r.At > kill)] },
            ],
        };
    }

    private static IReadOnlyList<string> Doubts(Evidence evidence, IReadOnlyList<RollRecord> rolls) =>
        Validity.Doubts(evidence, Judge.Examine(evidence), rolls, wantedRolls: 1);
}
