using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.LoadBalancing;

public class BackendStateTests
{
    public static TheoryData<LoadBalancingPolicy> Policies() => [.. Enum.GetValues<LoadBalancingPolicy>()];

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_reservation_counts_on_the_endpoint_picked(LoadBalancingPolicy policy)
    {
        var endpoints = Endpoints.WithConnections(0, 0, 0);
        var picked = Endpoints.Backend(policy, endpoints).Reserve(new Random(1), 1_000_000, [], out _);
        Assert.Equal(1, picked!.Connections);
        Assert.Equal(1, endpoints.Sum(e => e.Connections));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Endpoints_already_tried_are_skipped_until_none_is_left(LoadBalancingPolicy policy)
    {
        var backend = Endpoints.Backend(policy, Endpoints.WithConnections(0, 0, 0));
        var random = new Random(1);
        var tried = new List<int>();
        while (backend.Reserve(random, 1_000_000, tried.ToArray(), out _) is { } endpoint)
            tried.Add(endpoint.Id);
        Assert.Equal([0, 1, 2], tried.Order());
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Draining_endpoints_serve_only_when_no_other_can(LoadBalancingPolicy policy)
    {
        var endpoints = Endpoints.WithConnections(0, 0, 0, 0);
        var backend = Endpoints.Backend(policy, endpoints);
        var random = new Random(1);
        endpoints[0].MarkDraining();
        endpoints[1].MarkDraining();
        endpoints[3].MarkGone();
        for (var i = 0; i < 50; i++)
            Assert.Same(endpoints[2], backend.Reserve(random, 1_000_000, [], out _));

        endpoints[2].SetHealth(EndpointHealth.Unhealthy);
        var picked = Enumerable.Range(0, 200).Select(i => backend.Reserve(random, 1_000_000, [], out _)!.Id).ToHashSet();
        Assert.Equal([0, 1], picked.Order());

        endpoints[0].MarkGone();
        endpoints[1].SetHealth(EndpointHealth.Unhealthy);
        Assert.Null(backend.Reserve(random, 1_000_000, [], out _));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_backend_without_endpoints_gives_none(LoadBalancingPolicy policy) =>
        Assert.Null(Endpoints.Backend(policy).Reserve(new Random(1), 0, [], out _));

    [Fact]
    public void A_change_of_endpoints_keeps_the_counts_of_those_that_stay_and_the_turn()
    {
        var endpoints = Endpoints.WithConnections(0, 0);
        var backend = Endpoints.Backend(LoadBalancingPolicy.RoundRobin, endpoints);
        Assert.Equal(0, backend.Reserve(new Random(1), 1_000_000, [], out _)!.Id);

        backend.Apply(Endpoints.Options(LoadBalancingPolicy.RoundRobin), [endpoints[0], endpoints[1], Endpoints.Ready(2)], []);
        Assert.Equal(1, backend.Reserve(new Random(1), 1_000_000, [], out _)!.Id);
        Assert.Equal([1, 1, 0], backend.Endpoints.ToArray().Select(e => e.Connections));
    }

    [Fact]
    public void A_change_of_policy_takes_effect_at_once()
    {
        var endpoints = Endpoints.WithConnections(5, 0);
        var backend = Endpoints.Backend(LoadBalancingPolicy.RoundRobin, endpoints);
        backend.Apply(Endpoints.Options(LoadBalancingPolicy.LeastConnections), endpoints, []);
        Assert.Equal([1, 1, 1], Enumerable.Range(0, 3).Select(i => backend.Reserve(new Random(1), 1_000_000, [], out _)!.Id));
    }

    [Fact]
    public void An_endpoint_is_found_by_its_address_until_it_is_gone()
    {
        var endpoints = Endpoints.WithConnections(0, 0);
        var backend = Endpoints.Backend(LoadBalancingPolicy.Random, endpoints);
        Assert.Same(endpoints[1], backend.Find(new EndpointAddress("10.0.0.1", 80)));
        Assert.Null(backend.Find(new EndpointAddress("10.0.0.1", 81)));
        endpoints[1].MarkGone();
        Assert.Null(backend.Find(new EndpointAddress("10.0.0.1", 80)));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_reservation_allocates_nothing(LoadBalancingPolicy policy)
    {
        var backend = Endpoints.Backend(policy, Endpoints.WithConnections(0, 0, 0));
        var random = new Random();
        int[] tried = [1];
        Allocations.AssertNone(() => backend.Reserve(random, 5, tried, out _)!.Release());
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Many_threads_reserving_and_releasing_while_endpoints_change_leave_every_count_at_zero(LoadBalancingPolicy policy)
    {
        const int Threads = 6, Rounds = 20_000;
        var all = Endpoints.WithConnections(0, 0, 0, 0, 0);
        var backend = Endpoints.Backend(policy, all[..3]);
        var (reserved, negative, change) = (0L, 0L, 0);
        Racers.Run(Threads, n =>
        {
            var random = new Random(n);
            var held = new Queue<EndpointState>();
            for (var i = 0; i < Rounds; i++)
            {
                if (backend.Reserve(random, i, [], out _) is { } endpoint)
                {
                    held.Enqueue(endpoint);
                    Interlocked.Increment(ref reserved);
                }

                if (held.Count > random.Next(8) && held.TryDequeue(out var old))
                    old.Release();
                if (all[random.Next(all.Length)].Connections < 0)
                    Interlocked.Increment(ref negative);
            }

            foreach (var endpoint in held)
                endpoint.Release();
        }, meanwhile: () =>
        {
            // The snapshot is swapped, and endpoints leave and return.
            backend.Apply(Endpoints.Options(policy), all[(change % 3)..], []);
            all[2].MarkDraining();
            all[3].SetHealth((EndpointHealth)(change % 2));
            all[2].MarkReady(change++);
        });
        Assert.Equal(Threads * (long)Rounds, reserved);
        Assert.Equal(0, negative);
        Assert.All(all, e => Assert.Equal(0, e.Connections));
    }
}
