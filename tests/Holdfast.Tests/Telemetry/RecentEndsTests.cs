using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Pairs;
using Xunit;

namespace Holdfast.Tests.Telemetry;

public sealed class RecentEndsTests : IDisposable
{
    private readonly TelemetryFixture _fixture = new(loops: 0);

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void The_newest_come_first_and_the_oldest_are_forgotten()
    {
        var recent = new RecentEnds(TimeProvider.System);
        Assert.Empty(recent.Newest(10));
        for (ulong i = 1; i <= 300; i++)
            recent.OnPairEnded(_fixture.End(EndReason.DownstreamEof, EndSide.Downstream, _fixture.Chat.Endpoints[0], i), _fixture.Chat, _fixture.Chat.Endpoints[0]);

        Assert.Equal([(UInt128)300, 299, 298], recent.Newest(3).Select(e => e.End.Id));
        var all = recent.Newest(1000);
        Assert.Equal(RecentEnds.Capacity, all.Count);
        Assert.Equal((UInt128)45, all[^1].End.Id);
    }
}
