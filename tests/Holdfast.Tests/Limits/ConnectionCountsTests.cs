using Holdfast.Gateway.Limits;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Limits;

public sealed class ConnectionCountsTests
{
    private readonly ConnectionCounts _counts = new();

    [Fact]
    public void As_many_as_the_limit_are_counted_and_each_that_leaves_makes_room_for_one()
    {
        Assert.Equal([true, true, true, false], Enumerable.Range(0, 4).Select(_ => _counts.TryAdd(7, 3)));
        Assert.True(_counts.TryAdd(8, 3));
        _counts.Remove(7);
        Assert.Equal([true, false], Enumerable.Range(0, 2).Select(_ => _counts.TryAdd(7, 3)));
    }

    [Fact]
    public void A_limit_lowered_below_the_count_takes_nobody_away_and_admits_again_only_below_it()
    {
        for (var i = 0; i < 5; i++)
            Assert.True(_counts.TryAdd(1, 5));
        Assert.False(_counts.TryAdd(1, 2));
        Assert.Equal(5, _counts.Of(1));
        for (var i = 0; i < 3; i++)
            _counts.Remove(1);
        Assert.False(_counts.TryAdd(1, 2));
        _counts.Remove(1);
        Assert.True(_counts.TryAdd(1, 2));
    }

    [Fact]
    public void A_key_without_connections_takes_no_memory()
    {
        for (var i = 0; i < 1000; i++)
        {
            Assert.True(_counts.TryAdd((UInt128)i << 64, 1));
            _counts.Remove((UInt128)i << 64);
        }

        Assert.Equal(0, _counts.Keys);
    }

    [Fact]
    public void Giving_back_what_was_not_taken_is_a_bug_that_is_told() => Assert.Throws<InvalidOperationException>(() => _counts.Remove(1));

    [Fact]
    public void Ten_thousand_attempts_in_parallel_never_exceed_the_limit_and_end_at_zero()
    {
        const int Limit = 37;
        var (inside, most, admitted) = (0, 0, 0);
        Racers.Run(8, _ =>
        {
            for (var i = 0; i < 1250; i++)
            {
                if (!_counts.TryAdd(5, Limit))
                    continue;
                var now = Interlocked.Increment(ref inside);
                for (var seen = Volatile.Read(ref most); now > seen; seen = Volatile.Read(ref most))
                    Interlocked.CompareExchange(ref most, now, seen);
                Interlocked.Increment(ref admitted);
                if (i % 3 == 0)
                    Thread.Yield();
                Interlocked.Decrement(ref inside);
                _counts.Remove(5);
            }
        });
        Assert.InRange(most, 1, Limit);
        Assert.InRange(admitted, Limit, 10_000);
        Assert.Equal((0, 0), (_counts.Of(5), _counts.Keys));
    }
}
