using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Holdfast.Tests.Admission;

/// <summary>Admission's accounts balance over random histories. Every number of a history is one step, so that a failing history shrinks.</summary>
public sealed class AdmissionAccountingTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(2_000).WithEndSize(250);

    private static readonly Arbitrary<int[]> Histories = Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf(), ArbMap.Default.ArbFor<int[]>().Shrinker);

    [Fact]
    public void Every_place_slot_and_count_is_given_back_and_no_limit_is_passed_whatever_happens() =>
        Prop.ForAll(Histories, static history => new AdmissionReplay(hasAuth: false).Run(history)).Check(Runs);

    [Fact]
    public void With_an_auth_service_its_places_are_never_more_than_configured_and_all_are_given_back() =>
        Prop.ForAll(Histories, static history => new AdmissionReplay(hasAuth: true).Run(history)).Check(Runs);
}
