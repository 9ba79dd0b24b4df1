using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Auth;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>How many questions a service has at once.</summary>
public sealed class AuthPlacesTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    [Fact]
    public async Task Two_hundred_plain_requests_at_once_are_all_asked_over_no_more_connections_than_there_are_places()
    {
        const int Most = 8;
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var go = new ManualResetEventSlim();
        AuthService? service = null;
        using var disposed = service = new AuthService(_ =>
        {
            if (service!.UnderWay == Most - 2)
                full.TrySetResult();
            go.Wait();
            return Ok;
        });
        using var gate = new AuthGate(AuthGateTests.Options(service) with { MaxInFlight = Most });
        var released = 0;
        gate.Released = () => Interlocked.Increment(ref released);
        var asking = Enumerable.Range(0, 200).Select(i => gate.AskInTurnAsync(Questions.Of(gate, $"/{i}"), TestContext.Current.CancellationToken)).ToArray();
        await full.Task.WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken);

        // Three quarters are theirs; the rest is for handshakes, whatever waits.
        Assert.Equal(6, gate.InFlight);
        Assert.True(gate.TryEnter() && gate.TryEnter());
        Assert.False(gate.TryEnter());
        gate.Exit();
        gate.Exit();
        go.Set();
        Assert.All(await Task.WhenAll(asking), a => Assert.Equal(AuthVerdict.Allowed, a.Verdict));
        Assert.Equal((200, 6, 0, 202), (service.Heads.Count, service.MostUnderWay, gate.InFlight, released));
        Assert.InRange(service.Connections, 1, 6);
    }

    [Fact]
    public async Task Who_waits_for_a_place_waits_for_the_time_out_at_most_and_who_leaves_makes_room()
    {
        var time = new ManualTime();
        var go = new ManualResetEventSlim();
        using var service = new AuthService(_ =>
        {
            go.Wait();
            return Ok;
        });
        using var gate = new AuthGate(AuthGateTests.Options(service) with { MaxInFlight = 1, Timeout = TimeSpan.FromSeconds(2) }, time: time);
        using var leaves = new CancellationTokenSource();
        Assert.True(gate.TryEnter());
        var inTime = gate.AskInTurnAsync(Questions.Of(gate, "/in-time"), CancellationToken.None);
        var left = gate.AskInTurnAsync(Questions.Of(gate, "/left"), leaves.Token);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        time.Advance(TimeSpan.FromSeconds(1));
        var late = gate.AskInTurnAsync(Questions.Of(gate, "/late"), CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(1.5));
        Assert.Equal((AuthVerdict.Failed, "The auth service is busy with other requests."), await Of(inTime));

        gate.Exit();
        go.Set();
        Assert.Equal((AuthVerdict.Allowed, ""), await Of(late));
        Assert.Equal("/late", Upgrades.Value(Assert.Single(service.Heads), "X-Forwarded-Uri"));
        Assert.Equal((0, 0), (gate.InFlight, time.Timers));

        static async Task<(AuthVerdict, string)> Of(Task<AuthAnswer> asking) => (await asking.WaitAsync(RawPeer.Patience)) is var answer ? (answer.Verdict, answer.Detail) : default;
    }

    [Fact]
    public async Task More_than_may_wait_are_refused_at_once()
    {
        var places = new AuthPlaces(1);
        using var leaves = new CancellationTokenSource();
        Assert.True(places.TryEnter());
        var waiting = Enumerable.Range(0, AuthPlaces.MostWaiting).Select(_ => places.EnterPlainAsync(leaves.Token)).ToArray();
        Assert.False(await places.EnterPlainAsync(CancellationToken.None));
        await leaves.CancelAsync();
        foreach (var one in waiting)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);

        Assert.Equal(1, places.Taken);
        places.Exit();
        Assert.True(await places.EnterPlainAsync(CancellationToken.None));
        places.ExitPlain();
        Assert.Throws<InvalidOperationException>(places.Exit);
        Assert.Throws<InvalidOperationException>(places.ExitPlain);
    }

    [Fact]
    public async Task They_are_exact_whoever_comes_leaves_and_gives_up_at_once()
    {
        const int Most = 5, Each = 400;
        var places = new AuthPlaces(Most);
        int inside = 0, plainInside = 0, most = 0, mostPlain = 0, entered = 0;
        var handshakes = Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            for (var i = 0; i < Each; i++)
            {
                if (places.TryEnter())
                    await BeInsideAsync(plain: false, places.Exit);
            }
        }));
        var plain = Enumerable.Range(0, 16).Select(n => Task.Run(async () =>
        {
            var random = new Random(n);
            for (var i = 0; i < Each; i++)
            {
                using var gives = new CancellationTokenSource();
                var entering = places.EnterPlainAsync(gives.Token);
                if (random.Next(3) == 0)
                    await gives.CancelAsync();
                try
                {
                    Assert.True(await entering);
                }
                catch (OperationCanceledException)
                {
                    continue;
                }

                await BeInsideAsync(plain: true, places.ExitPlain);
            }
        }));
        await Task.WhenAll(handshakes.Concat(plain)).WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken);

        Assert.Equal(0, places.Taken);
        Assert.InRange(most, 1, Most);
        Assert.InRange(mostPlain, 1, Most - 1);
        Assert.True(entered > Each);

        async Task BeInsideAsync(bool plain, Action exit)
        {
            Interlocked.Increment(ref entered);
            Raise(ref most, Interlocked.Increment(ref inside));
            if (plain)
                Raise(ref mostPlain, Interlocked.Increment(ref plainInside));
            await Task.Yield();
            if (plain)
                Interlocked.Decrement(ref plainInside);
            Interlocked.Decrement(ref inside);
            exit();
        }

        static void Raise(ref int most, int now)
        {
            for (int known; now > (known = Volatile.Read(ref most));)
                Interlocked.CompareExchange(ref most, now, known);
        }
    }
}
