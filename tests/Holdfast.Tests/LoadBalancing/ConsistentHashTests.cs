using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.LoadBalancing;

public sealed class ConsistentHashTests
{
    private static readonly ConsistentHashPolicy Policy = ConsistentHashPolicy.Instance;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(100)]
    public void When_an_endpoint_goes_exactly_its_keys_move_and_they_are_its_share(int count)
    {
        var endpoints = Endpoints.WithConnections(new int[count]);
        var keys = Keys(count * 1_000);
        var before = Array.ConvertAll(keys, k => Pick(endpoints, k));
        foreach (var gone in endpoints.Take(10))
        {
            EndpointState[] rest = [.. endpoints.Except([gone])];
            var moved = 0;
            for (var i = 0; i < keys.Length; i++)
            {
                var after = Pick(rest, keys[i]);
                if (before[i] == gone)
                    moved++;
                else
                    Assert.Same(before[i], after);
            }

            Assert.InRange(moved, 0.85 * keys.Length / count, 1.2 * keys.Length / count);
        }
    }

    [Fact]
    public void The_keys_of_an_endpoint_that_goes_are_spread_over_all_others()
    {
        var endpoints = Endpoints.WithConnections(new int[5]);
        var moved = Keys(20_000).Where(k => Pick(endpoints, k) == endpoints[0]).ToArray();
        var takers = moved.CountBy(k => Pick(endpoints[1..], k)).ToArray();
        Assert.Equal(4, takers.Length);
        Assert.All(takers, t => Assert.InRange(t.Value, moved.Length * 0.21, moved.Length * 0.29));
    }

    [Fact]
    public void Neither_ids_nor_order_nor_process_decide()
    {
        var endpoints = Endpoints.WithConnections(new int[10]);
        EndpointState[] elsewhere = [.. endpoints.Reverse().Select((e, i) => new EndpointState(500 + i, e.Address))];
        Array.ForEach(elsewhere, e => e.MarkReady(7));
        foreach (var key in Keys(1_000))
            Assert.Equal(Pick(endpoints, key).Address, Pick(elsewhere, key).Address);
        Assert.Equal(0xE0F2AF3B3DABFB17UL, endpoints[1].Hash);
    }

    [Fact]
    public void An_endpoint_over_the_bound_leaves_the_key_to_the_next_best()
    {
        var endpoints = Endpoints.WithConnections(new int[3]);
        var first = Pick(endpoints, 42);
        var second = Pick([.. endpoints.Except([first])], 42);
        for (var i = 0; i < 5; i++)
            first.Reserve();
        Assert.Same(first, Pick(endpoints, 42));
        Assert.Same(second, Pick(endpoints, 42, bound: 1.25));
        foreach (var other in endpoints.Except([first]))
        {
            for (var i = 0; i < 5; i++)
                other.Reserve();
        }

        // Of sixteen the mean is 5.3, the bound 7.
        Assert.Same(first, Pick(endpoints, 42, bound: 1.25));
    }

    [Fact]
    public void No_reservation_takes_an_endpoint_over_the_bound_whoever_comes_and_goes()
    {
        var bounds = Gen.Elements(1.01, 1.1, 1.25, 2, 10);
        Prop.ForAll(
            Gen.Choose(1, 12).ToArbitrary(), bounds.ToArbitrary(), Gen.Choose(0, 7).ArrayOf().Resize(300).ToArbitrary(),
            (count, bound, steps) =>
            {
                var endpoints = Endpoints.WithConnections(new int[count]);
                var backend = new BackendState(1, Endpoints.Options(LoadBalancingPolicy.ConsistentHash) with { BoundedLoad = bound }, endpoints);
                var random = new Random(5);
                var open = new List<EndpointState>();
                foreach (var step in steps)
                {
                    if (step == 0 && open.Count > 0)
                    {
                        open[^1].Release();
                        open.RemoveAt(open.Count - 1);
                        continue;
                    }

                    // Few keys, so that they would pile up.
                    var request = new PickRequest(random, 0, []) { Key = new(0, StableHash.Of((UInt128)(step % 3))) };
                    Assert.Equal(Reservation.Taken, backend.Reserve(in request, out var endpoint, out _));
                    endpoint!.EndHandshake();
                    open.Add(endpoint);
                    Assert.True(endpoint.Connections <= Math.Ceiling(bound * open.Count / count), $"{endpoint.Connections} of {open.Count} at one of {count}");
                }
            }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(300));
    }

    [Fact]
    public void Without_a_key_any_endpoint_is_as_likely() => Assert.All(
        Endpoints.Distribution(Policy, Endpoints.WithConnections(0, 0, 0, 0), 40_000), c => Assert.InRange(c, 9_600, 10_400));

    [Fact]
    public void The_figures_in_the_documentation_are_these()
    {
        var lines = new List<string>();
        foreach (var count in (int[])[3, 10, 100])
        {
            foreach (var (name, bound) in new[] { ("none", 0.0), ("1.25", 1.25) })
            {
                var even = Figures.Of(count, Keys(count * 1_000), bound);
                var few = Figures.Of(count, Keys(count * 10), bound);
                var skewed = Figures.Of(count, Figures.Skewed(count * 1_000), bound);
                lines.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {count} | {name} | {even.Moved:0.00} / N | {few.Moved:0.00} / N | {even.Overload:0.00} | {few.Overload:0.00} | {skewed.Overload:0.00} |"));
                Assert.True(even.Moved < 1.2, $"{count} {name}: {even.Moved}");
                if (bound > 0)
                    Assert.True(skewed.Overload <= 1.26, $"{skewed.Overload}");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', lines));
        var page = Repository.Read("docs", "affinity.md");
        Assert.All(lines, line => Assert.Contains(line, page, StringComparison.Ordinal));
    }

    private static ulong[] Keys(int count) => [.. Enumerable.Range(0, count).Select(i => StableHash.Of((UInt128)i))];

    private static EndpointState Pick(EndpointState[] endpoints, ulong key, double bound = 0) =>
        Policy.Pick(endpoints, new PickContext(new Random(1), 1_000_000, 0, []) { Hash = key, Bound = bound })!;

    /// <param name="Moved">Times 1/N: the share of the keys whose endpoint is another one when one of N endpoints comes or goes, all of them connecting anew.</param>
    /// <param name="Overload">Connections of the endpoint with the most, over the mean.</param>
    private sealed record Figures(double Moved, double Overload)
    {
        /// <summary>One connection for each key, in this order.</summary>
        public static Figures Of(int count, ulong[] keys, double bound)
        {
            var all = Enumerable.Range(0, count).ToArray();
            var with = Connect(all, keys, bound, out var overload);
            var moved = 0.0;
            // The mean over some; with every one of 100 the bound's would take minutes.
            int[] gone = [.. all.Take(5)];
            foreach (var one in gone)
            {
                var without = Connect([.. all.Except([one])], keys, bound, out _);
                moved += (double)with.Zip(without).Count(p => p.First != p.Second) / keys.Length;
            }

            return new Figures(moved / gone.Length * count, overload);
        }

        /// <summary>As rooms, or users with several windows, are: the n-th of 10,000 keys 1/n times as often as the first.</summary>
        public static ulong[] Skewed(int connections)
        {
            var random = new Random(4);
            var sums = new double[10_000];
            for (var i = 0; i < sums.Length; i++)
                sums[i] = (i == 0 ? 0 : sums[i - 1]) + (1.0 / (i + 1));
            return [.. Enumerable.Range(0, connections).Select(_ =>
            {
                var at = Array.BinarySearch(sums, random.NextDouble() * sums[^1]);
                return StableHash.Of((UInt128)(at < 0 ? ~at : at));
            })];
        }

        private static int[] Connect(int[] ids, ulong[] keys, double bound, out double overload)
        {
            EndpointState[] endpoints = [.. ids.Select(i => Endpoints.Ready(i))];
            var to = Array.ConvertAll(keys, k =>
            {
                var endpoint = Pick(endpoints, k, bound);
                endpoint.Reserve();
                return endpoint.Id;
            });
            overload = endpoints.Max(e => e.Connections) / endpoints.Average(e => e.Connections);
            return to;
        }
    }
}
