using System.Runtime.CompilerServices;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Relay.Timers;

namespace Holdfast.Relay.Tests;

/// <summary>The wheel against a list that is obviously right.</summary>
public sealed class TimerWheelTests
{
    private const int Horizon = (1024 - 1) * TimerWheel.Resolution;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Timers_fire_never_early_and_at_most_one_slot_late(int seed)
    {
        const int Timers = 200;
        var random = new Random(seed);
        using var slab = new NativeSlab<Pair>(Timers);
        for (var i = 0; i < Timers; i++)
            _ = slab.Rent();
        long now = 5_000_000 + random.Next(1000);
        var wheel = new TimerWheel(slab, now);
        var oracle = new Dictionary<int, (long Deadline, long ArmedAt)>();
        var fired = 0;
        for (var step = 0; step < 20_000; step++)
        {
            var index = random.Next(Timers);
            switch (random.Next(10))
            {
                case < 5:
                    var deadline = now + (random.Next(4) == 0 ? random.Next(3 * Horizon) : random.Next(-50, 3000));
                    wheel.Arm(index, deadline);
                    oracle[index] = (deadline, now);
                    break;
                case 5:
                    wheel.Disarm(index);
                    oracle.Remove(index);
                    break;
                default:
                    now += random.Next(200) == 0 ? random.Next(3 * Horizon) : random.Next(100);
                    break;
            }

            for (int due; (due = wheel.NextExpired(now)) >= 0; fired++)
            {
                Assert.True(oracle.Remove(due, out var timer), "a timer fired that was not armed");
                // Past the horizon it fires there, and its owner arms it again.
                Assert.True(timer.Deadline <= now || now - timer.ArmedAt >= Horizon - TimerWheel.Resolution, "a timer fired early");
            }

            foreach (var (late, timer) in oracle)
                Assert.True(Math.Max(timer.Deadline, timer.ArmedAt) + TimerWheel.Resolution > now, $"timer {late} is late");
            var wait = wheel.UntilNext(now);
            Assert.Equal(oracle.Count == 0, wait < 0);
            if (oracle.Count > 0)
            {
                var next = oracle.Values.Min(t => t.Deadline);
                Assert.True(now + wait <= Math.Max(now, next) + TimerWheel.Resolution, "the loop would sleep past a timer");
            }
        }

        Assert.InRange(fired, 1000, int.MaxValue);
    }

    [Fact]
    public void A_timer_that_is_armed_again_for_the_past_while_it_fires_does_not_spin()
    {
        using var slab = new NativeSlab<Pair>(1);
        var index = slab.Rent();
        var wheel = new TimerWheel(slab, 1000);
        wheel.Arm(index, 1001);
        var fired = 0;
        while (wheel.NextExpired(2000) == index)
        {
            fired++;
            wheel.Arm(index, 0);
        }

        Assert.InRange(fired, 1, 1 + (1000 / TimerWheel.Resolution));
    }

    [Fact]
    public void Timers_that_one_turn_leaves_are_due_at_once()
    {
        const int Timers = 100, PerTurn = 16;
        using var slab = new NativeSlab<Pair>(Timers);
        var wheel = new TimerWheel(slab, 1000);
        for (var i = 0; i < Timers; i++)
            wheel.Arm(slab.Rent(), i < Timers / 2 ? 1500 : 1700);

        var fired = 0;
        for (var now = 2000L; fired < Timers; now += 100)
        {
            Assert.True(fired == 0 || wheel.UntilNext(now) == 0, "the loop would sleep beside timers that have fired");
            for (var i = 0; i < PerTurn && wheel.NextExpired(now) >= 0; i++)
                fired++;
        }

        Assert.Equal(-1, wheel.NextExpired(10_000));
        Assert.Equal(-1, wheel.UntilNext(10_000));
    }

    [Fact]
    public void A_pair_is_small_and_plain()
    {
        Assert.False(RuntimeHelpers.IsReferenceOrContainsReferences<Pair>());
        Assert.InRange(Unsafe.SizeOf<Pair>(), 1, 700);
    }
}
