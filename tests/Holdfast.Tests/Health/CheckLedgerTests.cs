using FsCheck;
using FsCheck.Fluent;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Health;
using Xunit;

namespace Holdfast.Tests.Health;

public sealed class CheckLedgerTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(1000);

    [Fact]
    public void As_many_in_a_row_as_configured_change_it_and_nothing_else_does() => Prop.ForAll(
        ArbMap.Default.ArbFor<bool[]>(),
        Gen.Choose(1, 4).Two().ToArbitrary(),
        ArbMap.Default.ArbFor<bool>(),
        static (checks, thresholds, isUnhealthy) =>
        {
            var options = new HealthCheckOptions(HealthCheckKind.Tcp, "") { UnhealthyAfter = thresholds.Item1, HealthyAfter = thresholds.Item2 };
            var ledger = new CheckLedger(isUnhealthy);
            for (var i = 0; i < checks.Length; i++)
            {
                var changed = ledger.Record(checks[i], 10 * i, (10 * i) + 7, options);

                var soFar = checks[..(i + 1)].Reverse().ToArray();
                var inARow = soFar.TakeWhile(c => c == checks[i]).Count();
                var enough = inARow >= (checks[i] ? options.HealthyAfter : options.UnhealthyAfter);
                Assert.Equal(enough && isUnhealthy == checks[i], changed);
                isUnhealthy ^= changed;
                Assert.Equal(isUnhealthy, ledger.IsUnhealthy);
                Assert.Equal(checks[i] ? null : (10 * (i + 1 - inARow)) + 7, ledger.FailingSince);
                Assert.Equal(Array.LastIndexOf(checks, true, i) is >= 0 and var last ? 10 * last : null, ledger.PassedAt);
            }
        }).Check(Runs);
}
