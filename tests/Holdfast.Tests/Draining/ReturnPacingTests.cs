using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Xunit;

namespace Holdfast.Tests.Draining;

public class ReturnPacingTests
{
    [Fact]
    public void Few_clients_return_within_a_second_and_not_together()
    {
        var pacing = new ReturnPacing();
        var random = new LoopRandom();
        var hints = Enumerable.Range(0, 200).Select(i => pacing.Next(i * 1000L, random)).ToArray();
        Assert.All(hints, h => Assert.InRange(h, 0, ReturnPacing.Jitter - 1));
        Assert.True(hints.Distinct().Count() > 100);
    }

    [Fact]
    public void Many_at_one_moment_return_at_the_rate()
    {
        var pacing = new ReturnPacing();
        var random = new LoopRandom();
        var seconds = Enumerable.Range(0, 10_000).Select(_ => pacing.Next(5, random) / 1000).CountBy(s => s).ToDictionary();
        // In the first and the last second the jitter has only one neighbour to come from.
        Assert.All(Enumerable.Range(1, 9), second => Assert.InRange(seconds[second], ReturnPacing.ReturnsPerSecond * 8 / 10, ReturnPacing.ReturnsPerSecond * 12 / 10));
    }

    [Fact]
    public void Nobody_waits_longer_than_the_longest() => Prop.ForAll(
        Gen.Choose(0, 100_000).Two().ToArbitrary(),
        ((int Count, int Step) given) =>
        {
            var pacing = new ReturnPacing();
            var random = new LoopRandom();
            var now = 0L;
            for (var i = 0; i < given.Count; i++)
                Assert.InRange(pacing.Next(now += given.Step % 3, random), 0, ReturnPacing.Longest - 1);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20));

    [Fact]
    public void The_hint_is_readable_and_fits()
    {
        var pacing = new ReturnPacing();
        Span<byte> reason = stackalloc byte[ReturnPacing.MaxReason];
        for (var i = 0; i < 40_000; i++)
        {
            var text = Encoding.ASCII.GetString(reason[..pacing.Write(reason, 0, new LoopRandom())]);
            Assert.StartsWith("retry-after=", text, StringComparison.Ordinal);
            _ = int.Parse(text["retry-after=".Length..], NumberStyles.None, CultureInfo.InvariantCulture);
        }
    }
}
