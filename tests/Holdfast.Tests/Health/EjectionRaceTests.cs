using Holdfast.Api.Configuration;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Health;

public sealed class EjectionRaceTests
{
    private const int Threads = 6, Attempts = 10_000;

    [Fact]
    public void Bad_endpoints_are_ejected_up_to_the_ceiling_each_is_tried_by_one_at_a_time_and_every_failure_is_counted()
    {
        // Six of ten always fail, and half may be ejected. No 101 ever comes from a bad one, so trials cannot overlap by any order of events.
        var fixture = new EjectionFixture(10, new EjectOptions { AfterFailures = 3, For = TimeSpan.FromMilliseconds(1), MaxPercent = 50 }, LoadBalancingPolicy.Random);
        var failures = new long[10];
        var onTrial = new int[10];
        var (trials, most, overlaps, now) = (0L, 0, 0, 1_000L);
        Racers.Run(Threads, n =>
        {
            var random = new Random(n);
            for (var i = 0; i < Attempts; i++)
            {
                var endpoint = fixture.Backend.Reserve(random, Interlocked.Increment(ref now) / 16, [], out var trial)!;
                if (trial != 0 && Interlocked.Increment(ref onTrial[endpoint.Id]) > 1)
                    Interlocked.Increment(ref overlaps);
                var ejected = fixture.All.Count(e => !e.Ejection.IsInService);
                Raise(ref most, ejected);
                if (trial != 0)
                {
                    Interlocked.Increment(ref trials);
                    Interlocked.Decrement(ref onTrial[endpoint.Id]);
                }

                if (endpoint.Id >= 6)
                {
                    fixture.Ejections.Upgraded(endpoint, Volatile.Read(ref now) / 16);
                }
                else if (i % 9 == 0)
                {
                    fixture.Ejections.GiveBack(endpoint, trial, Volatile.Read(ref now) / 16);
                }
                else
                {
                    Interlocked.Increment(ref failures[endpoint.Id]);
                    fixture.Ejections.Failed(endpoint, trial, Volatile.Read(ref now) / 16, isHandshake: true);
                }

                endpoint.Release();
            }
        });

        Assert.Equal((0, 5), (overlaps, most));
        Assert.True(trials > 100, "hardly anyone was tried, so nothing was tested");
        Assert.Equal(5, fixture.Ejections.Count);
        Assert.Equal(failures.Select(f => Math.Min(f, EjectionState.MostFailures)), fixture.All.Select(e => (long)e.FailuresInARow));
        Assert.All(fixture.All, e => Assert.Equal(0, e.Connections));
    }

    [Fact]
    public void However_failures_and_101s_race_the_places_taken_are_never_more_than_the_ceiling()
    {
        // The same race on plain counters shows that it is real on this machine.
        const int Ceiling = 2;
        var options = new EjectOptions { AfterFailures = 1, For = TimeSpan.FromMilliseconds(1), MaxPercent = 50 };
        var fixture = new EjectionFixture(4, options, LoadBalancingPolicy.Random);
        var (plain, plainMost, most) = (0, 0, 0);
        for (var round = 0; plainMost <= Ceiling && round < 200; round++)
        {
            using var start = new Barrier(Threads);
            Racers.Run(Threads, n =>
            {
                var random = new Random(n);
                start.SignalAndWait();
                for (var i = 0; i < Attempts; i++)
                {
                    var endpoint = fixture.All[random.Next(4)];
                    if (random.Next(2) == 0)
                    {
                        fixture.Ejections.Failed(endpoint, 0, i, isHandshake: true);
                        if (Volatile.Read(ref plain) < Ceiling)
                            Interlocked.Increment(ref plain);
                    }
                    else
                    {
                        fixture.Ejections.Upgraded(endpoint, i);
                        if (Volatile.Read(ref plain) > 0)
                            Interlocked.Decrement(ref plain);
                    }

                    Raise(ref most, fixture.Ejections.Count);
                    Raise(ref plainMost, Volatile.Read(ref plain));
                }
            });
        }

        Assert.True(plainMost > Ceiling, "the race never happened, so nothing was tested");
        Assert.Equal(Ceiling, most);
        Assert.Equal(fixture.All.Count(e => !e.Ejection.IsInService), fixture.Ejections.Count);
    }

    [Fact]
    public void Whatever_races_with_changes_of_options_and_endpoints_the_books_balance_in_the_end()
    {
        var all = new EjectionFixture(6, policy: LoadBalancingPolicy.Random);
        var change = 0;
        Racers.Run(Threads, n =>
        {
            var random = new Random(n);
            for (var i = 0; i < Attempts; i++)
            {
                var endpoint = all.Backend.Pick(random, i, [], isHandshake: random.Next(4) > 0, out var trial) ?? all.All[random.Next(6)];
                switch (random.Next(4))
                {
                    case 0:
                        all.Ejections.Upgraded(endpoint, i);
                        break;
                    case 1:
                        all.Ejections.Answered(endpoint, trial, i);
                        break;
                    default:
                        all.Ejections.Failed(endpoint, trial, i, isHandshake: random.Next(2) == 0);
                        break;
                }

                all.Ejections.GiveBack(endpoint, trial, i);
            }
        }, meanwhile: () =>
        {
            var options = new EjectOptions { AfterFailures = change % 3, For = TimeSpan.FromMilliseconds(1 + (change % 50)), MaxPercent = change * 7 % 101 };
            all.Backend.Apply(all.Options(options), all.All[(change++ % 4)..], []);
        });

        Assert.Equal(all.All.Count(e => !e.Ejection.IsInService), all.Ejections.Count);
        var members = all.Backend.Endpoints.ToArray();
        Assert.All(all.All.Except(members), e => Assert.True(e.Ejection.IsInService));
        var eject = all.Backend.Options.Health.Eject;
        var ceiling = eject.AfterFailures == 0 ? 0 : Math.Min(members.Length * eject.MaxPercent / 100, members.Length - 1);
        Assert.InRange(all.Ejections.Count, 0, ceiling);

        all.Backend.Apply(all.Options(new EjectOptions { AfterFailures = 0 }), all.All, []);
        Assert.Equal(0, all.Ejections.Count);
        Assert.All(all.All, e => Assert.Equal(EndpointHealth.Healthy, e.Health));
    }

    private static void Raise(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen;)
        {
            var before = Interlocked.CompareExchange(ref most, value, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }
}
