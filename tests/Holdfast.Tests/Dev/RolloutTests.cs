using FsCheck;
using FsCheck.Fluent;
using Holdfast.Cli.Dev;
using Xunit;

namespace Holdfast.Tests.Dev;

/// <summary>Rolls and scalings, one step at a time: what a Deployment with maxSurge 1 and maxUnavailable 0 promises.</summary>
public class RolloutTests
{
    private const int Most = 6;

    [Fact]
    public void A_roll_starts_one_waits_until_it_is_ready_and_terminates_the_oldest()
    {
        var world = new World(2);
        world.Settle();
        Assert.Equal([(1, Standing.Unready), (2, Standing.Unready)], world.Shown);
        world.BecomeAvailable(1);
        world.BecomeAvailable(2);
        world.Generation++;
        world.Settle();
        Assert.Equal([(1, Standing.Available), (2, Standing.Available), (3, Standing.Unready)], world.Shown);
        world.BecomeReady(3);
        world.Settle();
        Assert.Equal([(1, Standing.Available), (2, Standing.Available), (3, Standing.Ready)], world.Shown);
        world.BecomeAvailable(3);
        world.Settle();
        Assert.Equal([(1, Standing.Terminating), (2, Standing.Available), (3, Standing.Available), (4, Standing.Unready)], world.Shown);
        world.BecomeAvailable(4);
        world.Settle();
        Assert.Equal([(1, Standing.Terminating), (2, Standing.Terminating), (3, Standing.Available), (4, Standing.Available)], world.Shown);
        world.Go(1);
        world.Go(2);
        world.Settle();
        Assert.Equal([(3, Standing.Available), (4, Standing.Available)], world.Shown);
    }

    [Fact]
    public void A_new_replica_that_never_becomes_ready_takes_no_old_one_away_and_the_next_roll_replaces_it()
    {
        var world = new World(2);
        world.Finish();
        world.Generation++;
        world.Settle();
        Assert.Equal([(1, Standing.Available), (2, Standing.Available), (3, Standing.Unready)], world.Shown);
        world.Generation++;
        world.Settle();
        Assert.Equal([(1, Standing.Available), (2, Standing.Available), (3, Standing.Terminating), (4, Standing.Unready)], world.Shown);
    }

    [Fact]
    public void A_roll_right_after_the_start_takes_no_ready_replica_away_either()
    {
        var world = new World(2);
        world.Settle();
        world.BecomeReady(1);
        world.Generation++;
        world.Settle();
        Assert.Equal([(1, Standing.Ready), (2, Standing.Terminating), (3, Standing.Unready), (4, Standing.Unready)], world.Shown);
    }

    [Fact]
    public void Fewer_are_wanted_the_youngest_goes_unless_another_is_not_ready()
    {
        var world = new World(3);
        world.Finish();
        world.Wanted = 2;
        world.Settle();
        Assert.Equal([(1, Standing.Available), (2, Standing.Available), (3, Standing.Terminating)], world.Shown);
        world.Go(3);
        world.Fail(1);
        world.Wanted = 1;
        world.Settle();
        Assert.Equal([(1, Standing.Terminating), (2, Standing.Available)], world.Shown);
    }

    [Fact]
    public void Rolls_in_quick_succession_wait_for_what_is_leaving()
    {
        var world = new World(2);
        world.Finish();
        for (var roll = 0; roll < 10; roll++)
        {
            world.Generation++;
            for (var step = 0; step < 6; step++)
            {
                world.BecomeAvailableAll();
                world.Settle();
            }
        }

        Assert.Equal(5, world.Replicas.Count);
        world.Finish();
        Assert.Equal(2, world.Replicas.Count);
    }

    /// <summary>Bytes are what happens: replicas become ready, fail and go, the user rolls and scales, in any order.</summary>
    [Fact]
    public void Whatever_happens_no_step_takes_readiness_away_and_in_the_end_all_are_of_the_last_roll() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), happenings =>
        {
            var world = new World(3);
            world.Settle();
            foreach (var happening in happenings)
            {
                world.Happen(happening);
                world.Settle();
            }

            world.Finish();
            Assert.Equal(world.Wanted, world.Replicas.Count);
            Assert.All(world.Replicas, r => Assert.Equal((world.Generation, Standing.Available), (r.Generation, r.Standing)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3_000));

    private sealed class World(int wanted)
    {
        private int _number;

        public List<ReplicaStanding> Replicas { get; } = [];

        public int Wanted { get; set; } = wanted;

        public int Generation { get; set; }

        public IEnumerable<(int, Standing)> Shown => Replicas.Select(r => (r.Number, r.Standing));

        private int Available => Replicas.Count(r => r.Standing == Standing.Available);

        private int Alive => Replicas.Count(r => r.Standing != Standing.Terminating);

        public void Happen(byte happening)
        {
            var which = Replicas.Count == 0 ? 0 : Replicas[(happening >> 3) % Replicas.Count].Number;
            switch (happening & 7)
            {
                case 0:
                    Generation++;
                    break;
                case 1:
                    Wanted = Math.Min(Wanted + 1, Most);
                    break;
                case 2:
                    Wanted = Math.Max(Wanted - 1, 1);
                    break;
                case 3:
                    Fail(which);
                    break;
                case 4:
                    Go(which);
                    break;
                case 5:
                    BecomeReady(which);
                    break;
                default:
                    BecomeAvailable(which);
                    break;
            }
        }

        /// <summary>Takes steps until there is none to take; each keeps the promises.</summary>
        public void Settle()
        {
            for (var steps = 0; ; steps++)
            {
                Assert.True(steps < 100, "steps without end");
                var step = Rollout.Next(Replicas, Wanted, Generation);
                switch (step.Action)
                {
                    case RolloutAction.Start:
                        Replicas.Add(new ReplicaStanding(++_number, Generation, Standing.Unready));
                        Assert.True(Alive <= Wanted + 1, "more than one to spare");
                        Assert.True(Replicas.Count <= (2 * Wanted) + 1, "processes pile up");
                        break;
                    case RolloutAction.Terminate:
                        var available = Available;
                        Change(step.Number, Standing.Terminating, from: r => r.Standing != Standing.Terminating);
                        Assert.True(Available == available || Available >= Wanted, "one too few is available");
                        break;
                    default:
                        return;
                }
            }
        }

        /// <summary>From here on everything goes well.</summary>
        public void Finish()
        {
            for (var rounds = 0; rounds < 100; rounds++)
            {
                Settle();
                BecomeAvailableAll();
                Replicas.RemoveAll(r => r.Standing == Standing.Terminating);
            }
        }

        public void BecomeAvailableAll()
        {
            foreach (var number in Replicas.Select(r => r.Number).ToList())
                BecomeAvailable(number);
        }

        public void BecomeReady(int number) => Change(number, Standing.Ready, from: r => r.Standing == Standing.Unready);

        public void BecomeAvailable(int number) => Change(number, Standing.Available, from: r => r.Standing is Standing.Unready or Standing.Ready);

        public void Fail(int number) => Change(number, Standing.Unready, from: r => r.Standing is Standing.Ready or Standing.Available);

        public void Go(int number) => Replicas.RemoveAll(r => r.Number == number && r.Standing == Standing.Terminating);

        private void Change(int number, Standing to, Predicate<ReplicaStanding> from)
        {
            var index = Replicas.FindIndex(r => r.Number == number && from(r));
            if (index >= 0)
                Replicas[index] = Replicas[index] with { Standing = to };
        }
    }
}
