using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.LoadBalancing;

public class EndpointStateTests
{
    [Fact]
    public void A_new_endpoint_is_starting_and_healthy_and_has_no_connections()
    {
        var endpoint = new EndpointState(7, new EndpointAddress("h", 1));
        Assert.Equal((7, EndpointPhase.Starting, EndpointHealth.Healthy, 0, 0), (endpoint.Id, endpoint.Phase, endpoint.Health, endpoint.Connections, endpoint.Handshakes));
        Assert.Equal("h:1", endpoint.ToString());
    }

    [Fact]
    public void A_cancelled_drain_keeps_the_time_it_first_became_ready()
    {
        var endpoint = Endpoints.Ready(1, since: 100);
        Assert.True(endpoint.MarkDraining());
        Assert.True(endpoint.MarkReady(900));
        Assert.Equal((EndpointPhase.Ready, 100L), (endpoint.Phase, endpoint.ReadySince));
    }

    [Fact]
    public void Becoming_ready_twice_does_not_start_slowly_twice()
    {
        var endpoint = Endpoints.Ready(1, since: 100);
        Assert.True(endpoint.MarkReady(900));
        Assert.Equal(100, endpoint.ReadySince);
    }

    [Fact]
    public void An_endpoint_that_drains_before_it_was_ready_starts_when_it_becomes_so()
    {
        var endpoint = new EndpointState(1, new EndpointAddress("h", 1));
        Assert.True(endpoint.MarkDraining());
        Assert.True(endpoint.MarkReady(900));
        Assert.Equal(900, endpoint.ReadySince);
    }

    [Fact]
    public void Gone_is_for_good()
    {
        var endpoint = Endpoints.Ready(1);
        endpoint.MarkGone();
        Assert.False(endpoint.MarkReady(5));
        Assert.False(endpoint.MarkDraining());
        Assert.Equal(EndpointPhase.Gone, endpoint.Phase);
    }

    [Fact]
    public void Giving_back_more_than_was_taken_is_an_error_and_leaves_zero()
    {
        var endpoint = Endpoints.Ready(1, connections: 1);
        endpoint.Release();
        Assert.Throws<InvalidOperationException>(endpoint.Release);
        Assert.Throws<InvalidOperationException>(endpoint.EndHandshake);
        Assert.Equal((0, 0), (endpoint.Connections, endpoint.Handshakes));
    }

    [Fact]
    public void Handshakes_are_counted_apart_from_connections()
    {
        var endpoint = Endpoints.Ready(1, connections: 2);
        endpoint.BeginHandshake();
        Assert.Equal((2, 1), (endpoint.Connections, endpoint.Handshakes));
        endpoint.EndHandshake();
        Assert.Equal((2, 0), (endpoint.Connections, endpoint.Handshakes));
    }

    [Fact]
    public void Requests_are_counted_beside_connections_and_weigh_as_much()
    {
        var endpoint = Endpoints.Ready(1, connections: 2);
        Assert.True(endpoint.TryReserveRequest(0));
        Assert.Equal((2, 1, 3), (endpoint.Connections, endpoint.Requests, endpoint.InUse));
        Assert.False(endpoint.TryReserveRequest(3));
        Assert.False(endpoint.TryReserve(new EndpointRoom(3, 0)));
        Assert.True(endpoint.TryReserveRequest(4));
        endpoint.Release();
        endpoint.ReleaseRequest();
        Assert.Equal((1, 1, 2), (endpoint.Connections, endpoint.Requests, endpoint.InUse));
        endpoint.ReleaseRequest();
        Assert.Throws<InvalidOperationException>(endpoint.ReleaseRequest);
        Assert.Equal((1, 0, 1), (endpoint.Connections, endpoint.Requests, endpoint.InUse));
    }

    [Fact]
    public void A_limit_on_connections_and_requests_together_holds_when_threads_race()
    {
        const int Most = 5;
        var endpoint = Endpoints.Ready(1);
        var worst = 0;
        Racers.Run(4, thread =>
        {
            for (var i = 0; i < 100_000; i++)
            {
                var isRequest = (i + thread) % 2 == 0;
                if (!(isRequest ? endpoint.TryReserveRequest(Most) : endpoint.TryReserve(new EndpointRoom(Most, 0))))
                    continue;
                worst = Math.Max(worst, endpoint.InUse);
                if (isRequest)
                {
                    endpoint.ReleaseRequest();
                    continue;
                }

                endpoint.EndHandshake();
                endpoint.Release();
            }
        });
        Assert.InRange(worst, 1, Most);
        Assert.Equal((0, 0, 0), (endpoint.Connections, endpoint.Requests, endpoint.Handshakes));
    }

    [Fact]
    public void Counts_are_exact_when_threads_race_as_hard_as_it_takes_to_break_a_plain_counter()
    {
        // The plain counter shows that the race is real on this machine; the endpoint is raced in the very same rounds.
        var plain = 0;
        var endpoint = Endpoints.Ready(1);
        var rounds = 0;
        while (plain == 0 && rounds < 1_000)
        {
            rounds++;
            Race(
                () =>
                {
                    Volatile.Write(ref plain, Volatile.Read(ref plain) + 1);
                    endpoint.Reserve();
                    endpoint.BeginHandshake();
                },
                () =>
                {
                    Volatile.Write(ref plain, Volatile.Read(ref plain) - 1);
                    endpoint.Release();
                    endpoint.EndHandshake();
                });
            Assert.Equal((0, 0), (endpoint.Connections, endpoint.Handshakes));
        }

        Assert.True(plain != 0, "the race never happened, so nothing was tested");
    }

    [Fact]
    public void Of_too_many_releases_at_once_exactly_as_many_succeed_as_were_reserved()
    {
        const int Reserved = 20_000;
        var endpoint = Endpoints.Ready(1, connections: Reserved);
        var (released, refused) = (0, 0);
        Parallel.For(0, Reserved + 1_000, _ =>
        {
            try
            {
                endpoint.Release();
                Interlocked.Increment(ref released);
            }
            catch (InvalidOperationException)
            {
                Interlocked.Increment(ref refused);
            }
        });
        Assert.Equal((Reserved, 1_000, 0), (released, refused, endpoint.Connections));
    }

    [Fact]
    public void The_numbers_that_leave_the_process_never_change()
    {
        Assert.Equal([(0, "Starting"), (1, "Ready"), (2, "Draining"), (3, "Gone")], Enum.GetValues<EndpointPhase>().Select(v => ((int)v, v.ToString())));
        Assert.Equal([(0, "Healthy"), (1, "Unhealthy")], Enum.GetValues<EndpointHealth>().Select(v => ((int)v, v.ToString())));
    }

    private static void Race(Action take, Action giveBack)
    {
        using var start = new Barrier(4);
        Racers.Run(4, _ =>
        {
            start.SignalAndWait();
            for (var i = 0; i < 50_000; i++)
            {
                take();
                giveBack();
            }
        });
    }
}
