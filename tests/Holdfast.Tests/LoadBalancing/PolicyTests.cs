using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.LoadBalancing;

public class PolicyTests
{
    public static TheoryData<LoadBalancingPolicy> Policies() => [.. Enum.GetValues<LoadBalancingPolicy>()];

    [Fact]
    public void Least_connections_picks_the_endpoint_with_the_fewest() =>
        Assert.Equal([0, 1_000, 0], Endpoints.Distribution(new LeastConnectionsPolicy(), Endpoints.WithConnections(2, 1, 2), 1_000));

    [Fact]
    public void Least_connections_breaks_ties_at_random()
    {
        var counts = Endpoints.Distribution(new LeastConnectionsPolicy(), Endpoints.WithConnections(1, 5, 1, 1), 30_000);
        Assert.Equal(0, counts[1]);
        Assert.All([counts[0], counts[2], counts[3]], c => Assert.InRange(c, 9_600, 10_400));
    }

    [Fact]
    public void Least_connections_levels_uneven_endpoints()
    {
        var endpoints = Endpoints.WithConnections(10, 0, 4);
        var backend = Endpoints.Backend(LoadBalancingPolicy.LeastConnections, endpoints);
        var random = new Random(3);
        for (var i = 0; i < 16; i++)
            Assert.NotNull(backend.Reserve(random, 1_000_000, [], out _));
        Assert.Equal([10, 10, 10], endpoints.Select(e => e.Connections));
    }

    [Fact]
    public void Two_choices_never_pick_the_most_loaded_and_prefer_the_least()
    {
        var counts = Endpoints.Distribution(new PowerOfTwoChoicesPolicy(), Endpoints.WithConnections(1, 2, 3), 30_000);
        Assert.Equal(0, counts[2]);
        Assert.InRange(counts[0], 19_500, 20_500);
    }

    [Fact]
    public void Two_choices_are_two_different_endpoints() =>
        Assert.Equal([0, 1_000], Endpoints.Distribution(new PowerOfTwoChoicesPolicy(), Endpoints.WithConnections(2, 1), 1_000));

    [Fact]
    public void Two_choices_among_equals_are_uniform() =>
        Assert.All(Endpoints.Distribution(new PowerOfTwoChoicesPolicy(), Endpoints.WithConnections(1, 1, 1, 1), 40_000), c => Assert.InRange(c, 9_600, 10_400));

    [Fact]
    public void Round_robin_takes_each_in_turn_whatever_its_load()
    {
        var endpoints = Endpoints.WithConnections(9, 0, 3);
        var policy = new RoundRobinPolicy();
        var random = new Random(1);
        var order = Enumerable.Range(0, 6).Select(_ => policy.Pick(endpoints, new PickContext(random, 1_000_000, 0, []))!.Id);
        Assert.Equal([0, 1, 2, 0, 1, 2], order);
    }

    [Fact]
    public void Round_robin_gives_the_turn_of_a_missing_endpoint_to_all_others_alike()
    {
        var endpoints = Endpoints.WithConnections(0, 0, 0, 0);
        endpoints[1].MarkDraining();
        Assert.Equal([1_000, 0, 1_000, 1_000], Endpoints.Distribution(new RoundRobinPolicy(), endpoints, 3_000));
    }

    [Fact]
    public void Random_is_uniform() =>
        Assert.All(Endpoints.Distribution(new RandomPolicy(), Endpoints.WithConnections(9, 0, 3), 30_000), c => Assert.InRange(c, 9_600, 10_400));

    [Theory]
    [InlineData(0, 0.1)]
    [InlineData(500, 0.1)]
    [InlineData(1_000, 0.1)]
    [InlineData(2_500, 0.25)]
    [InlineData(5_000, 0.5)]
    [InlineData(9_999, 0.9999)]
    [InlineData(10_000, 1)]
    [InlineData(1_000_000, 1)]
    [InlineData(-5, 0.1)]
    public void Slow_start_grows_linearly_from_a_tenth(long elapsed, double factor) =>
        Assert.Equal(factor, new PickContext(new Random(1), 50_000 + elapsed, 10_000, []).Factor(Endpoints.Ready(1, since: 50_000)), precision: 6);

    [Fact]
    public void Without_slow_start_a_new_endpoint_counts_in_full() =>
        Assert.Equal(1, new PickContext(new Random(1), 50_000, 0, []).Factor(Endpoints.Ready(1, since: 50_000)));

    [Theory]
    [InlineData(1_000, 10)]
    [InlineData(2_500, 25)]
    [InlineData(5_000, 50)]
    [InlineData(10_000, 100)]
    public void Under_least_connections_a_new_endpoint_gets_its_share_of_the_others_load(long elapsed, int expected)
    {
        EndpointState[] endpoints = [Endpoints.Ready(0, connections: 99), Endpoints.Ready(1, since: 100_000)];
        var policy = new LeastConnectionsPolicy();
        var random = new Random(2);
        // Until the old one would be picked: both weigh the same then.
        while (policy.Pick(endpoints, new PickContext(random, 100_000 + elapsed, 10_000, [])) == endpoints[1])
            endpoints[1].Reserve();
        Assert.InRange(endpoints[1].Connections, expected - 1, expected);
    }

    [Theory]
    [InlineData(LoadBalancingPolicy.Random)]
    [InlineData(LoadBalancingPolicy.RoundRobin)]
    public void Under_policies_without_counts_a_new_endpoint_gets_its_share_of_the_picks(LoadBalancingPolicy policy)
    {
        EndpointState[] endpoints = [Endpoints.Ready(0), Endpoints.Ready(1, since: 100_000)];
        var counts = Endpoints.Distribution(LoadBalancingPolicies.Create(policy), endpoints, 30_000, nowMs: 105_000, slowStartMs: 10_000);
        // Half a share beside a whole one is a third.
        Assert.InRange(counts[1], 9_500, 10_500);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void When_all_are_new_somebody_still_takes_the_handshake(LoadBalancingPolicy policy)
    {
        EndpointState[] endpoints = [Endpoints.Ready(0, since: 100_000), Endpoints.Ready(1, since: 100_000)];
        var counts = Endpoints.Distribution(LoadBalancingPolicies.Create(policy), endpoints, 2_000, nowMs: 100_000, slowStartMs: 10_000);
        Assert.Equal(2_000, counts.Sum());
        Assert.All(counts, c => Assert.InRange(c, 850, 1_150));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Any_pick_is_allowed_and_there_is_one_whenever_one_is_allowed(LoadBalancingPolicy name)
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var policy = LoadBalancingPolicies.Create(name);
            var endpoints = Enumerable.Range(0, random.Next(0, 8)).Select(i => RandomEndpoint(random, i)).ToArray();
            int[] excluded = [.. endpoints.Where(_ => random.Next(4) == 0).Select(e => e.Id)];
            var slowStart = random.Next(2) * 1_000;

            var context = new PickContext(random, 1_500, slowStart, excluded);
            var allowed = new HashSet<EndpointState>();
            foreach (var endpoint in endpoints)
            {
                if (endpoint.Phase == EndpointPhase.Ready && endpoint.Health == EndpointHealth.Healthy && !excluded.Contains(endpoint.Id))
                    allowed.Add(endpoint);
            }

            for (var i = 0; i < 20; i++)
            {
                var picked = policy.Pick(endpoints, context);
                Assert.True(picked is null ? allowed.Count == 0 : allowed.Contains(picked), $"seed {seed}");
            }
        }
    }

    private static EndpointState RandomEndpoint(Random random, int id)
    {
        var endpoint = new EndpointState(id, new EndpointAddress("10.0.0." + id, 80));
        if (random.Next(5) > 0)
            endpoint.MarkReady(random.Next(2_000));
        if (random.Next(5) == 0)
            endpoint.MarkDraining();
        if (random.Next(8) == 0)
            endpoint.MarkGone();
        if (random.Next(5) == 0)
            endpoint.SetHealth(EndpointHealth.Unhealthy);
        for (var i = random.Next(4); i > 0; i--)
            endpoint.Reserve();
        return endpoint;
    }
}
