using Holdfast.Gateway.Events;
using Holdfast.Relay.Holding;
using Holdfast.Tests.Telemetry;
using Xunit;

namespace Holdfast.Tests.Events;

public sealed class RehomeCountsTests : IDisposable
{
    private readonly TelemetryFixture _fixture = new(loops: 0);

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void Each_rehome_is_in_one_summary_by_cause_and_by_outcome()
    {
        var counts = new RehomeCounts();
        Assert.Empty(counts.Take("t0"));
        Count(RehomeCause.Planned, RehomeOutcome.Completed);
        Count(RehomeCause.Planned, RehomeOutcome.CutShort);
        Count(RehomeCause.Crash, RehomeOutcome.Completed, unknown: 3);
        Count(RehomeCause.CloseFirst, RehomeOutcome.TimedOut, unknown: 1);
        Assert.Equal([new RehomesView("t1", "chat", 2, 1, 1, 2, 1, 0, 1, 0, 0, 4)], counts.Take("t1"));
        Assert.Empty(counts.Take("t2"));
        Count(RehomeCause.Crash, RehomeOutcome.Refused);
        Count(RehomeCause.Crash, RehomeOutcome.ClientGone);
        Count(RehomeCause.Crash, RehomeOutcome.Ended, unknown: 9);
        Assert.Equal([new RehomesView("t3", "chat", 0, 0, 3, 0, 0, 1, 0, 1, 1, 9)], counts.Take("t3"));

        void Count(RehomeCause cause, RehomeOutcome outcome, long unknown = 0) =>
            counts.Count(_fixture.Rehome(cause, outcome, _fixture.Chat.Endpoints[0], unknown: unknown), _fixture.Chat);
    }

    [Fact]
    public async Task Nothing_is_counted_twice_or_lost_while_it_is_taken()
    {
        const int Each = 50_000;
        var counts = new RehomeCounts();
        var rehome = _fixture.Rehome(RehomeCause.Planned, RehomeOutcome.Completed, _fixture.Chat.Endpoints[0], unknown: 2);
        var chat = _fixture.Chat;
        var loops = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < Each; i++)
                counts.Count(in rehome, chat);
        })));
        var taken = new List<RehomesView>();
        while (!loops.IsCompleted)
            taken.AddRange(counts.Take(""));
        await loops;
        taken.AddRange(counts.Take(""));
        Assert.Equal((3 * Each, 3 * Each, 6L * Each), (taken.Sum(v => v.Planned), taken.Sum(v => v.Completed), taken.Sum(v => v.Unknown)));
    }
}
