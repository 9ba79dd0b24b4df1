using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Judging;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class PromisesTests
{
    private const int AtTheEnd = Story.Messages / 2 - 1;
    private static readonly IReadOnlyDictionary<int, long> None = new Dictionary<int, long>();

    [Theory]
    [InlineData(RehearseProtocol.Opaque, false)]
    [InlineData(RehearseProtocol.Json, true)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, false)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, true)]
    internal void Where_nothing_is_wrong_every_promise_is_kept(RehearseProtocol protocol, bool makesFirst) =>
        Assert.Empty(Weigh(new Story(), protocol, makesFirst));

    [Fact]
    public void A_disconnect_breaks_a_promise()
    {
        var story = new Story();
        story.Disconnects[1].Add(new Disconnect(Story.OldGoes, 1012));
        var broken = Assert.Single(Weigh(story));
        Assert.Equal(("nobody is disconnected", 1, 1), (broken.Promise, broken.Times, broken.Example.Connection));
        Assert.Contains("connection 1, message 20, ", FindingText.Of(broken.Example), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_may_be_lost_while_replicas_are_replaced_in_order_whatever_is_called_unknown()
    {
        var story = new Story();
        story.Lose(0, AtTheEnd);
        Assert.Contains(Weigh(story, unknown: new Dictionary<int, long> { [0] = 1 }), b => b.Promise.Contains("in order", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(EndKind.Late)]
    [InlineData(EndKind.Killed)]
    internal void After_an_end_without_notice_no_more_may_be_lost_than_is_unknown_on_each_connection(EndKind end)
    {
        var story = new Story { OldEnds = end };
        story.Lose(0, AtTheEnd);
        story.Lose(1, AtTheEnd);
        Assert.Empty(Weigh(story, unknown: new Dictionary<int, long> { [0] = 1, [1] = 2 }));
        var broken = Assert.Single(Weigh(story, unknown: new Dictionary<int, long> { [0] = 2 }));
        Assert.Equal(1, broken.Example.Connection);
        Assert.Contains("unknown", broken.Promise, StringComparison.Ordinal);
    }

    [Fact]
    public void Long_before_that_end_nothing_may_be_lost_either()
    {
        var story = new Story { OldEnds = EndKind.Killed };
        story.Lose(0, 5);
        Assert.Single(Weigh(story, unknown: new Dictionary<int, long> { [0] = 1 }));
    }

    [Fact]
    public void Unknown_is_bounded_by_what_was_sent_about_then()
    {
        var story = new Story { OldEnds = EndKind.Killed };
        Assert.Empty(Weigh(story, unknown: new Dictionary<int, long> { [0] = 4 }));
        Assert.Single(Weigh(story, unknown: new Dictionary<int, long> { [0] = 40 }));
        Assert.Single(Weigh(new Story(), unknown: new Dictionary<int, long> { [0] = 1 }));
    }

    [Fact]
    public void The_end_of_a_replica_that_a_connection_never_sat_on_allows_no_unknown()
    {
        var story = new Story();
        story.Others.Add(new ReplicaEnd(ProcessId: 77, EndKind.Killed, Story.OldGoes - (3 * Story.Second)));
        Assert.Single(Weigh(story, unknown: new Dictionary<int, long> { [0] = 1 }));
    }

    [Fact]
    public void What_comes_twice_is_excused_by_nothing()
    {
        var story = new Story { OldEnds = EndKind.Killed };
        story.ReadTwice(0, AtTheEnd);
        story.Answers[1].Insert(AtTheEnd, story.Answers[1][AtTheEnd]);
        Assert.Equal(["no message of a client comes twice", "no answer comes twice"], Weigh(story).Select(b => b.Promise));
    }

    [Theory]
    [InlineData(RehearseProtocol.Opaque, 100_000, true)]
    [InlineData(RehearseProtocol.Opaque, 450_000, false)]
    [InlineData(RehearseProtocol.Json, 100_000, true)]
    internal void An_answer_may_be_lost_only_when_it_took_longer_than_quiet(RehearseProtocol protocol, long took, bool isBroken)
    {
        var story = new Story();
        story.Answers[0].RemoveAt(AtTheEnd);
        story.TakeLong(0, AtTheEnd, took);
        Assert.Equal(isBroken, Weigh(story, protocol, makesFirst: true).Count == 1);
    }

    [Fact]
    public void A_mutation_is_answered_or_ended_by_an_error_and_by_an_error_only_without_notice()
    {
        var story = new Story();
        story.Answers[0].RemoveAt(AtTheEnd);
        Assert.Single(Weigh(story, RehearseProtocol.GraphqlTransportWs));
        story.Answers[0].Add(new Answer(AtTheEnd, 0, 0, Story.OldGoes + Story.Second, 0, IsError: true));
        Assert.Single(Weigh(story, RehearseProtocol.GraphqlTransportWs));
        story.OldEnds = EndKind.Killed;
        Assert.Empty(Weigh(story, RehearseProtocol.GraphqlTransportWs));
    }

    [Theory]
    [InlineData(RehearseProtocol.Json, true, EndKind.Planned, true)]
    [InlineData(RehearseProtocol.Json, true, EndKind.Killed, true)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, true, EndKind.Planned, true)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, true, EndKind.Killed, false)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, false, EndKind.Planned, false)]
    internal void A_gap_of_the_feed_is_judged_by_protocol_mode_and_end(RehearseProtocol protocol, bool makesFirst, EndKind end, bool isBroken)
    {
        var story = new Story { OldEnds = end };
        story.Ticks[0].RemoveAll(t => Math.Abs(story.Feeds[0]!.Value.DueOf(t.Sequence) - Story.OldGoes) < Story.Second);
        Assert.Equal(isBroken, Weigh(story, protocol, makesFirst).Count == 1);
    }

    [Theory]
    [InlineData(RehearseProtocol.Json, true, true)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, true, false)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, false, true)]
    internal void A_repeat_of_the_feed_is_judged_by_protocol_and_mode(RehearseProtocol protocol, bool makesFirst, bool isBroken)
    {
        var story = new Story();
        story.Ticks[0].Insert(10, story.Ticks[0][10]);
        Assert.Equal(isBroken, Weigh(story, protocol, makesFirst).Count == 1);
    }

    [Fact]
    public void A_gap_that_is_allowed_has_an_end()
    {
        var story = new Story();
        story.Ticks[0].RemoveAll(t => t.At > Story.OldGoes);
        Assert.Equal("every feed goes on", Assert.Single(Weigh(story, RehearseProtocol.GraphqlTransportWs, makesFirst: false)).Promise);
    }

    private static IReadOnlyList<BrokenPromise> Weigh(
        Story story, RehearseProtocol protocol = RehearseProtocol.Opaque, bool makesFirst = false, IReadOnlyDictionary<int, long>? unknown = null)
    {
        var evidence = story.Tell();
        var rules = new Rules(protocol, makesFirst, Quiet: Story.Second / 2, Fence: Story.Second);
        return new Promises(rules, evidence, Judge.Examine(evidence), unknown ?? None).Weigh();
    }
}
