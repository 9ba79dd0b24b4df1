using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Health;
using Xunit;

namespace Holdfast.Tests.Health;

public sealed class EjectionStateTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(1000);

    [Fact]
    public void All_that_is_packed_comes_out_again() => Prop.ForAll(
        ArbMap.Default.ArbFor<(bool, bool, int)>(),
        Gen.Choose(0, EjectionState.MostFailures - 1).ToArbitrary(),
        Gen.Choose(0, int.MaxValue).ToArbitrary(),
        static (some, failures, mark) =>
        {
            var (isMember, handshakeFailed, seed) = some;
            var row = Math.Abs(seed % EjectionState.LongestRow);
            var now = (long)mark * 300;
            var state = EjectionState.Fresh(isMember);
            for (var i = 0; i < row; i++)
                state = state.Ejected(now, 7).Returned();
            for (var i = 0; i < failures % 50; i++)
                state = state.Failed(handshakeFailed);

            Assert.Equal((isMember, row, failures % 50, true), (state.IsMember, state.Row, state.Failures, state.IsInService));
            Assert.Equal(handshakeFailed && failures % 50 > 0, state.HandshakeFailed);
            var ejected = state.Ejected(now, 1_000);
            Assert.Equal((EjectionPhase.Ejected, now + (1_000 * (row + 1)), 0L), (ejected.Phase, ejected.Until, ejected.Ticket));
            var trial = ejected.OnTrial(mark + 1L);
            Assert.Equal((EjectionPhase.OnTrial, 0L, mark + 1L), (trial.Phase, trial.Until, trial.Ticket));
            Assert.True(trial.IsHeldBy(mark + 1L));
            Assert.False(trial.IsHeldBy(mark + 2L));
            Assert.Equal((row + 1, failures % 50, isMember), (trial.Row, trial.Failures, trial.IsMember));
            Assert.Equal(EjectionState.Fresh(isMember), trial.Recovered());
        }).Check(Runs);

    [Fact]
    public void Nobody_holds_a_trial_that_is_not_under_way()
    {
        var state = EjectionState.Fresh(true);
        Assert.False(state.IsHeldBy(0));
        Assert.False(state.Ejected(5, 10).IsHeldBy(0));
        Assert.False(state.Ejected(5, 10).IsHeldBy(15));
    }

    [Fact]
    public void Ejections_in_a_row_last_longer_up_to_ten_times()
    {
        var state = EjectionState.Fresh(true);
        for (var row = 1; row <= 15; row++)
        {
            state = state.Ejected(100, 30_000);
            Assert.Equal(100 + (30_000 * Math.Min(row, 10)), state.Until);
        }
    }

    [Fact]
    public void Nothing_overflows_into_its_neighbour()
    {
        var state = EjectionState.Fresh(true);
        for (var i = 0; i < EjectionState.MostFailures + 10; i++)
            state = state.Failed(isHandshake: false);
        Assert.Equal((EjectionState.MostFailures, 0, false), (state.Failures, state.Row, state.HandshakeFailed));

        state = state.Ejected(EjectionState.GreatestMark - 5, (long)TimeSpan.FromDays(20).TotalMilliseconds);
        Assert.Equal((EjectionState.GreatestMark, EjectionState.MostFailures), (state.Until, state.Failures));
        Assert.Equal((0, EjectionState.MostFailures), (state.Sooner(long.MaxValue / 2).Until, state.Failures));
    }
}
