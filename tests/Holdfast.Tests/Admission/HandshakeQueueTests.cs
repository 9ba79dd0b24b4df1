using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Admission;

public sealed class HandshakeQueueTests
{
    private readonly List<QueuePlace> _resumed = [];
    private BackendState _backend = null!;

    [Fact]
    public void While_there_is_room_nobody_waits()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 2 }, endpoints: 2);
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal(QueueEntry.Granted, Enter(out _, i)));
        Assert.Equal(QueueEntry.Waiting, Enter(out _, 9));
        Assert.Equal((1, 4), (_backend.Queue.Count, _backend.Queue.Granted));
    }

    [Fact]
    public void A_slot_that_becomes_free_goes_to_the_key_whose_turn_it_is()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1 }, endpoints: 1);
        _ = Enter(out var first, 1);
        var second = Waiting(1);
        var third = Waiting(1);
        var other = Waiting(2);
        Serve(first);
        _backend.EndHandshake(_backend.Endpoints[0], 0);
        Assert.Equal([second], _resumed);
        _backend.Queue.Leave(second, 0);
        Assert.Equal([second, other], _resumed);
        _backend.Queue.Leave(other, 0);
        Assert.Equal([second, other, third], _resumed);
    }

    [Fact]
    public void A_waiting_client_that_leaves_frees_its_place()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1, Queue = 1 }, endpoints: 1);
        _ = Enter(out _, 1);
        var waiting = Waiting(1);
        Assert.Equal(QueueEntry.Full, Enter(out _, 1));
        _backend.Queue.Leave(waiting, 0);
        _backend.Queue.Leave(waiting, 0);
        Assert.Equal(QueueEntry.Waiting, Enter(out _, 1));
    }

    [Fact]
    public void A_full_queue_takes_one_of_a_key_with_few_for_the_newest_of_the_key_with_most()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1, Queue = 4 }, endpoints: 1);
        _ = Enter(out _, 0);
        QueuePlace[] greedy = [.. Enumerable.Range(0, 4).Select(_ => Waiting(1))];
        Assert.Equal(QueueEntry.Full, Enter(out _, 1));
        Assert.Equal(QueueEntry.Waiting, Enter(out _, 2));
        Assert.Equal([greedy[3]], _resumed);
        Assert.Equal(PlaceState.Evicted, greedy[3].State);
        _backend.Queue.Leave(greedy[3], 0);
        Assert.Equal(4, _backend.Queue.Count);
    }

    [Fact]
    public void A_queue_of_nobody_refuses_whoever_would_have_to_wait()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1, Queue = 0 }, endpoints: 1);
        Assert.Equal([QueueEntry.Granted, QueueEntry.Full], [Enter(out _, 1), Enter(out _, 2)]);
    }

    [Fact]
    public void The_rate_lets_a_burst_go_and_then_one_after_the_other()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 0, RatePerSecond = 100, Burst = 3 }, endpoints: 1);
        Assert.Equal([true, true, true, false, false], Enumerable.Range(0, 5).Select(i => Enter(out _, i) == QueueEntry.Granted));
        _backend.Queue.Pump(9);
        Assert.Empty(_resumed);
        _backend.Queue.Pump(10);
        Assert.Single(_resumed);
        _backend.Queue.Pump(10_000);
        Assert.Equal(2, _resumed.Count);
    }

    [Fact]
    public void Who_is_bound_to_a_busy_endpoint_waits_for_it_without_stopping_others()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1 }, endpoints: 2);
        _ = Enter(out var first, 1);
        var busy = Serve(first);
        _ = Enter(out var bound, 2);
        Assert.True(_backend.Queue.LineUp(bound, busy, 0));
        Assert.Equal(QueueEntry.Granted, Enter(out var other, 3));
        Assert.NotSame(busy, Serve(other));
        Assert.Equal(QueueEntry.Waiting, Enter(out _, 4));
        Assert.Empty(_resumed);
        _backend.EndHandshake(busy, 0);
        Assert.Equal([bound], _resumed);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public void The_slot_that_is_given_up_to_wait_for_a_busy_endpoint_goes_to_another_at_once(int queue)
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1, Queue = queue }, endpoints: 2);
        _ = Enter(out var first, 1);
        var busy = Serve(first);
        _ = Enter(out var bound, 2);
        var other = Waiting(3);
        Assert.Equal(queue == 2, _backend.Queue.LineUp(bound, busy, 0));
        Assert.Equal([other], _resumed);
    }

    [Fact]
    public void Who_comes_and_lets_the_line_go_first_leaves_it_counted_right()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1 }, endpoints: 2);
        _ = Enter(out var first, 1);
        var busy = Serve(first);
        _ = Enter(out var bound, 2);
        Assert.True(_backend.Queue.LineUp(bound, busy, 0));
        // Nobody has looked since it became free.
        busy.EndHandshake();
        Assert.Equal(QueueEntry.Granted, Enter(out _, 3));
        Assert.Equal([bound], _resumed);
        Assert.Equal((0, 2), (_backend.Queue.Count, _backend.Queue.Granted));
    }

    [Fact]
    public void An_endpoint_that_may_have_no_more_connections_has_no_slot_for_anyone()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 2 }, endpoints: 2, connections: 2);
        var (full, other) = (_backend.Endpoints[0], _backend.Endpoints[1]);
        full.Reserve();
        full.Reserve();
        Assert.Equal(2, _backend.FreeSlots());
        other.Reserve();
        Assert.Equal(1, _backend.FreeSlots());
        _ = Enter(out _, 1);
        _ = Waiting(2);
        // Nobody waits where no connection can be had: it is granted, and told.
        other.Reserve();
        _backend.Queue.Pump(0);
        Assert.Single(_resumed);
    }

    [Fact]
    public void Who_is_bound_to_an_endpoint_that_will_not_serve_need_not_wait_for_it()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1 }, endpoints: 2);
        _ = Enter(out var first, 1);
        var busy = Serve(first);
        _ = Enter(out var bound, 2);
        Assert.True(_backend.Queue.LineUp(bound, busy, 0));
        busy.SetHealth(EndpointHealth.Unhealthy);
        _backend.Queue.Pump(0);
        Assert.Equal([bound], _resumed);
    }

    [Fact]
    public void Without_an_endpoint_that_could_serve_nobody_waits_for_one()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1 }, endpoints: 1);
        _ = Enter(out var first, 1);
        _ = Serve(first);
        var waiting = Waiting(2);
        _backend.Endpoints[0].MarkGone();
        _backend.Queue.Pump(0);
        Assert.Equal([waiting], _resumed);
        Assert.Equal(QueueEntry.Granted, Enter(out _, 3));
    }

    [Fact]
    public void Retries_go_ahead_and_what_was_granted_waits_for_the_next_slot_before_all_others()
    {
        Begin(new HandshakeOptions { InFlightPerEndpoint = 1 }, endpoints: 1);
        _ = Enter(out var granted, 1);
        var ahead = new PickRequest(new Random(1), 0, []) { IsAhead = true };
        Assert.Equal(Reservation.Taken, _backend.Reserve(in ahead, out var endpoint, out _));
        var request = new PickRequest(new Random(1), 0, []);
        Assert.Equal(Reservation.Busy, _backend.Reserve(in request, out _, out _));
        _ = Waiting(2);
        Assert.True(_backend.Queue.LineUp(granted, null, 0));
        _backend.EndHandshake(endpoint!, 0);
        Assert.Equal([granted], _resumed);
    }

    private void Begin(HandshakeOptions handshakes, int endpoints, int connections = 0) => _backend = new BackendState(
        1,
        new BackendOptions { Name = "b", Endpoints = [], Handshakes = handshakes, Limits = new BackendLimits { ConnectionsPerEndpoint = connections } },
        [.. Enumerable.Range(0, endpoints).Select(i => Endpoints.Ready(i))]);

    private QueueEntry Enter(out QueuePlace place, int key)
    {
        var entering = place = new QueuePlace();
        place.Resume = _ => _resumed.Add(entering);
        return _backend.Queue.Enter(place, (UInt128)key, 0);
    }

    private QueuePlace Waiting(int key)
    {
        Assert.Equal(QueueEntry.Waiting, Enter(out var place, key));
        return place;
    }

    /// <summary>The grant is used: a handshake begins at an endpoint.</summary>
    private EndpointState Serve(QueuePlace place)
    {
        var request = new PickRequest(new Random(1), 0, []);
        Assert.Equal(Reservation.Taken, _backend.Reserve(in request, out var endpoint, out _));
        _backend.Queue.Use(place);
        return endpoint!;
    }
}
