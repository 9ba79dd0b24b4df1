using Holdfast.Api.Configuration;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Health;

public sealed class EjectionsTests
{
    private static readonly EjectOptions AfterTwo = new() { AfterFailures = 2, For = TimeSpan.FromSeconds(10) };

    public static TheoryData<LoadBalancingPolicy> Policies() => [.. Enum.GetValues<LoadBalancingPolicy>()];

    [Theory]
    [MemberData(nameof(Policies))]
    public void Every_policy_passes_over_an_endpoint_whose_handshakes_failed(LoadBalancingPolicy policy)
    {
        var fixture = new EjectionFixture(3, policy: policy);
        fixture.Fail(fixture.All[1], 4);
        Assert.Equal([0, 1, 2], fixture.Picked(1_000).Order());

        fixture.Fail(fixture.All[1]);
        Assert.Equal([0, 2], fixture.Picked(1_000).Order());
        Assert.Equal((EndpointHealth.Unhealthy, 5, 1L), (fixture.All[1].Health, fixture.All[1].FailuresInARow, fixture.Ejections.Total));
    }

    [Fact]
    public void A_success_between_failures_starts_the_count_anew()
    {
        var fixture = new EjectionFixture(2);
        fixture.Fail(fixture.All[0], 4);
        fixture.Upgrade(fixture.All[0]);
        fixture.Fail(fixture.All[0], 4);
        Assert.Equal((EndpointHealth.Healthy, 4), (fixture.All[0].Health, fixture.All[0].FailuresInARow));
    }

    [Fact]
    public void Half_open_lets_one_handshake_try_and_a_101_makes_it_healthy_and_clears_the_back_off()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        fixture.Fail(bad, 2);
        fixture.Now += 9_999;
        Assert.Equal([1], fixture.Picked());

        fixture.Now++;
        Assert.Same(bad, fixture.Reserve(out var trial));
        Assert.NotEqual(0, trial);
        Assert.Equal(EjectionPhase.OnTrial, bad.Ejection.Phase);
        Assert.Equal([1], fixture.Picked());

        fixture.Upgrade(bad);
        Assert.Equal((EndpointHealth.Healthy, 0, 0, 0), (bad.Health, bad.FailuresInARow, bad.Ejection.Row, fixture.Ejections.Count));
        fixture.Fail(bad, 2);
        Assert.Equal(fixture.Now + 10_000, bad.Ejection.Until);
    }

    [Fact]
    public void Each_trial_that_fails_ejects_for_longer_up_to_ten_times()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        fixture.Fail(bad, 2);
        for (var row = 2; row <= 13; row++)
        {
            fixture.Now = bad.Ejection.Until;
            Assert.Same(bad, fixture.Reserve(out var trial));
            fixture.Fail(bad, trial: trial);
            Assert.Equal(fixture.Now + (10_000 * Math.Min(row, 10)), bad.Ejection.Until);
            Assert.Equal(row, fixture.Ejections.Total);
        }
    }

    [Fact]
    public void A_trial_that_comes_to_no_result_is_given_back_at_once()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        fixture.Fail(bad, 2);
        fixture.Now += 10_000;
        Assert.Same(bad, fixture.Reserve(out var first));
        fixture.Ejections.GiveBack(bad, first, fixture.Now);
        Assert.Same(bad, fixture.Reserve(out var second));
        Assert.NotEqual(first, second);

        // What the first one says now concerns nobody's trial.
        fixture.Ejections.GiveBack(bad, first, fixture.Now);
        fixture.Fail(bad, trial: first);
        Assert.True(bad.Ejection.IsHeldBy(second));
        Assert.Equal(1, fixture.Ejections.Total);
    }

    [Fact]
    public void Trials_of_several_endpoints_take_turns()
    {
        var fixture = new EjectionFixture(4, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        fixture.Now++;
        fixture.Fail(fixture.All[1], 2);
        fixture.Now += 20_000;
        var tried = new List<int>();
        for (var i = 0; i < 4; i++)
        {
            var endpoint = fixture.Reserve(out var trial)!;
            tried.Add(endpoint.Id);
            fixture.Now++;
            fixture.Ejections.GiveBack(endpoint, trial, fixture.Now);
        }

        Assert.Equal([0, 1, 0, 1], tried);
    }

    [Fact]
    public void A_handshake_that_failed_elsewhere_tries_a_sound_endpoint_first_and_one_on_probation_last()
    {
        var fixture = new EjectionFixture(3, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        fixture.Now += 10_000;
        Assert.Equal(2, fixture.Reserve(out var trial, excluded: 1)!.Id);
        Assert.Equal(0, trial);
        Assert.Equal(0, fixture.Reserve(out trial, excluded: [1, 2])!.Id);
        Assert.NotEqual(0, trial);
        Assert.Null(fixture.Reserve(out trial, excluded: [1, 2]));
    }

    [Fact]
    public void A_late_101_of_an_earlier_handshake_counts_too_and_the_trial_is_over()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        fixture.Fail(bad, 2);
        fixture.Upgrade(bad);
        Assert.Equal(EndpointHealth.Healthy, bad.Health);

        fixture.Fail(bad, 2);
        fixture.Now += 10_000;
        _ = fixture.Reserve(out var trial);
        fixture.Upgrade(bad);
        fixture.Fail(bad, trial: trial);
        Assert.Equal((EndpointHealth.Healthy, 1), (bad.Health, bad.FailuresInARow));
    }

    [Fact]
    public void A_recovered_endpoint_starts_slowly()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        fixture.Now += 10_000;
        _ = fixture.Reserve(out _);
        fixture.Upgrade(fixture.All[0]);
        Assert.Equal((fixture.Now, 0L), (fixture.All[0].ReadySince, fixture.All[1].ReadySince));
        fixture.Now += 5;
        fixture.Upgrade(fixture.All[0]);
        Assert.Equal(fixture.Now - 5, fixture.All[0].ReadySince);
    }

    [Theory]
    [InlineData(1, 50, 0)]
    [InlineData(1, 100, 0)]
    [InlineData(2, 50, 1)]
    [InlineData(2, 100, 1)]
    [InlineData(3, 50, 1)]
    [InlineData(3, 67, 2)]
    [InlineData(5, 19, 0)]
    [InlineData(5, 20, 1)]
    [InlineData(5, 99, 4)]
    [InlineData(5, 100, 4)]
    [InlineData(10, 50, 5)]
    [InlineData(10, 0, 0)]
    public void The_ceiling_is_rounded_down_and_never_all(int endpoints, int maxPercent, int most)
    {
        var fixture = new EjectionFixture(endpoints, AfterTwo with { MaxPercent = maxPercent });
        foreach (var endpoint in fixture.All)
            fixture.Fail(endpoint, 3);
        Assert.Equal((most, most), (fixture.Ejections.Count, fixture.All.Count(e => e.Health == EndpointHealth.Unhealthy)));
        Assert.All(fixture.All, e => Assert.Equal(3, e.FailuresInARow));
    }

    [Fact]
    public void Who_was_under_the_ceiling_is_ejected_by_the_next_failure_when_there_is_room()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        fixture.Fail(fixture.All[1], 2);
        Assert.Equal(EndpointHealth.Healthy, fixture.All[1].Health);
        fixture.Upgrade(fixture.All[0]);
        fixture.Fail(fixture.All[1]);
        Assert.Equal(EndpointHealth.Unhealthy, fixture.All[1].Health);
    }

    [Fact]
    public void Endpoints_that_drain_start_or_fail_their_check_are_not_counted_and_not_ejected()
    {
        var fixture = new EjectionFixture(5, AfterTwo);
        fixture.All[0].MarkDraining();
        fixture.All[1].SetHealth(EndpointHealth.Unhealthy);
        fixture.Fail(fixture.All[0], 5);
        fixture.Fail(fixture.All[1], 5);
        Assert.Equal(0, fixture.Ejections.Count);
        fixture.Fail(fixture.All[2], 2);
        fixture.Fail(fixture.All[3], 2);    // Of the three that serve one may be ejected.
        Assert.Equal([3, 4], fixture.Picked().Order());
    }

    [Fact]
    public void When_nobody_else_is_left_an_ejected_endpoint_serves_again()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        fixture.All[1].MarkDraining();
        Assert.Equal([1], fixture.Picked());

        fixture.All[1].SetHealth(EndpointHealth.Unhealthy);
        Assert.Equal([0], fixture.Picked());
        Assert.Equal((0, EndpointHealth.Healthy), (fixture.Ejections.Count, fixture.All[0].Health));
        fixture.Fail(fixture.All[0], 10);
        Assert.Equal([0], fixture.Picked());
    }

    [Fact]
    public void An_endpoint_excluded_by_one_handshake_is_no_reason_to_put_another_back()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        Assert.Null(fixture.Reserve(out _, excluded: 1));
        Assert.Equal(1, fixture.Ejections.Count);
    }

    [Fact]
    public void An_endpoint_that_is_not_yet_ready_serves_when_no_other_can()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var starting = new EndpointState(7, new EndpointAddress("10.0.0.7", 80));
        fixture.Backend.Apply(fixture.Options(AfterTwo), [.. fixture.All, starting], []);
        Assert.Equal([0, 1], fixture.Picked().Order());
        fixture.All[0].MarkDraining();
        fixture.All[1].MarkDraining();
        Assert.Equal([0, 1], fixture.Picked().Order());
        fixture.All[0].MarkGone();
        fixture.All[1].MarkGone();
        Assert.Equal([7], fixture.Picked());
        starting.SetHealth(EndpointHealth.Unhealthy);
        Assert.Empty(fixture.Picked());
    }

    [Fact]
    public void Plain_requests_eject_by_connects_that_fail_and_prove_only_what_they_spoke_against()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        Connect(bad);
        fixture.Ejections.Answered(bad, 0, fixture.Now);
        Connect(bad);
        Assert.Equal((EndpointHealth.Healthy, 1), (bad.Health, bad.FailuresInARow));
        Connect(bad);
        Assert.Equal(EndpointHealth.Unhealthy, bad.Health);
        Assert.Equal(1, Pick(out var trial)!.Id);

        fixture.Now += 10_000;
        Assert.Same(bad, Pick(out trial));
        fixture.Ejections.Answered(bad, trial, fixture.Now);
        Assert.Equal((EndpointHealth.Healthy, 0), (bad.Health, bad.FailuresInARow));

        // A handshake's failure is not made good by a plain answer.
        fixture.Fail(bad, 1);
        fixture.Ejections.Answered(bad, 0, fixture.Now);
        Connect(bad);
        Assert.Equal((EndpointHealth.Unhealthy, 2), (bad.Health, bad.FailuresInARow));
        fixture.Now += 10_000;
        Assert.Equal(1, Pick(out trial)!.Id);
        Assert.Same(bad, fixture.Reserve(out trial));

        void Connect(EndpointState endpoint) => fixture.Ejections.Failed(endpoint, 0, fixture.Now, isHandshake: false);

        EndpointState? Pick(out long trial) => fixture.Backend.Pick(new Random(1), fixture.Now, [], isHandshake: false, out trial);
    }

    [Fact]
    public void A_plain_trial_during_which_a_handshake_fails_proves_nothing()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        for (var i = 0; i < 2; i++)
            fixture.Ejections.Failed(bad, 0, fixture.Now, isHandshake: false);
        fixture.Now += 10_000;
        Assert.Same(bad, fixture.Backend.Pick(new Random(1), fixture.Now, [], isHandshake: false, out var trial));
        fixture.Fail(bad);
        fixture.Ejections.Answered(bad, trial, fixture.Now);
        Assert.Equal((EjectionPhase.Ejected, fixture.Now), (bad.Ejection.Phase, bad.Ejection.Until));
    }

    [Fact]
    public void Turning_ejection_off_puts_everyone_back()
    {
        var fixture = new EjectionFixture(4, AfterTwo);
        fixture.Fail(fixture.All[0], 2);
        fixture.Fail(fixture.All[1], 2);
        fixture.Backend.Apply(fixture.Options(AfterTwo with { AfterFailures = 0 }), fixture.All, []);
        Assert.Equal(0, fixture.Ejections.Count);
        fixture.Fail(fixture.All[2], 100);
        Assert.Equal([0, 1, 2, 3], fixture.Picked(1_000).Order());
    }

    [Fact]
    public void A_shorter_time_shortens_the_ejections_under_way_and_a_longer_one_leaves_them()
    {
        var fixture = new EjectionFixture(2, AfterTwo);
        var bad = fixture.All[0];
        fixture.Fail(bad, 2);
        fixture.Now += 10_000;
        _ = fixture.Reserve(out var trial);
        fixture.Fail(bad, trial: trial);
        var ejectedAt = fixture.Now;
        Assert.Equal(ejectedAt + 20_000, bad.Ejection.Until);

        fixture.Backend.Apply(fixture.Options(AfterTwo with { For = TimeSpan.FromSeconds(1) }), fixture.All, []);
        Assert.Equal(ejectedAt + 2_000, bad.Ejection.Until);
        fixture.Backend.Apply(fixture.Options(AfterTwo with { For = TimeSpan.FromHours(1) }), fixture.All, []);
        Assert.Equal(ejectedAt + 2_000, bad.Ejection.Until);
    }

    [Fact]
    public void A_lower_ceiling_puts_back_those_that_are_due_first()
    {
        var fixture = new EjectionFixture(6, AfterTwo);
        foreach (var endpoint in fixture.All[..3])
        {
            fixture.Fail(endpoint, 2);
            fixture.Now += 100;
        }

        Assert.Equal(3, fixture.Ejections.Count);
        fixture.Backend.Apply(fixture.Options(AfterTwo with { MaxPercent = 20 }), fixture.All, []);
        Assert.Equal([false, false, true], fixture.All[..3].Select(e => e.Health == EndpointHealth.Unhealthy));

        // So do endpoints that leave: of two left, none may be ejected at 20 percent.
        fixture.Backend.Apply(fixture.Options(AfterTwo with { MaxPercent = 20 }), [fixture.All[2], fixture.All[5]], []);
        Assert.Equal(0, fixture.Ejections.Count);
    }

    [Fact]
    public void An_endpoint_that_leaves_gives_its_place_back_and_returns_without_a_past()
    {
        var fixture = new EjectionFixture(4, AfterTwo);
        var (left, stays) = (fixture.All[0], fixture.All[1]);
        fixture.Fail(left, 2);
        fixture.Now += 10_000;
        _ = fixture.Reserve(out var trial);
        fixture.Backend.Apply(fixture.Options(AfterTwo), fixture.All[1..], []);
        Assert.Equal((0, 0), (fixture.Ejections.Count, left.FailuresInARow));

        fixture.Fail(left, 5, trial);
        Assert.Equal((0, EndpointHealth.Healthy), (fixture.Ejections.Count, left.Health));
        fixture.Fail(stays, 2);
        Assert.Equal(1, fixture.Ejections.Count);

        fixture.Backend.Apply(fixture.Options(AfterTwo), fixture.All, []);
        Assert.Equal((0, 1), (left.FailuresInARow, fixture.Ejections.Count));
        fixture.Fail(left, 2);
        Assert.Equal((2, 1), (fixture.Ejections.Count, left.Ejection.Row));
    }

    [Fact]
    public void Nothing_of_it_allocates()
    {
        var fixture = new EjectionFixture(4, AfterTwo with { For = TimeSpan.FromMilliseconds(10) });
        var random = new Random(1);
        var round = 0;
        Allocations.AssertNone(() =>
        {
            for (var i = 0; i < 10; i++)
                Round(round++);
        });
        Assert.True(fixture.Ejections.Total > 100, "nobody was ejected, so nothing was measured");

        void Round(int i)
        {
            fixture.Now += 3;
            var endpoint = fixture.Backend.Reserve(random, fixture.Now, [], out var trial)!;
            if (endpoint.Id == 0)
                fixture.Ejections.Failed(endpoint, trial, fixture.Now, isHandshake: i % 5 > 0);
            else if (i % 7 == 0)
                fixture.Ejections.Answered(endpoint, trial, fixture.Now);
            else
                fixture.Ejections.Upgraded(endpoint, fixture.Now);
            fixture.Ejections.GiveBack(endpoint, trial, fixture.Now);
            endpoint.Release();
        }
    }
}
