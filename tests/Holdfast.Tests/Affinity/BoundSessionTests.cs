using Holdfast.Api.Configuration;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.EventLoop;
using Holdfast.Tests.LoadBalancing;
using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Affinity;

/// <summary>Where requests go that are known by a cookie or a hash.</summary>
public sealed class BoundSessionTests
{
    private const long Ms = 1_000_000;

    private readonly Random _random = new(1);
    private readonly EndpointState[] _endpoints = Endpoints.WithConnections(0, 0, 0, 0);
    private readonly BackendState _backend;

    public BoundSessionTests() => _backend = new BackendState(1, Requests.Options(AffinityKind.Cookie), _endpoints);

    private AffinityPlan Plan => _backend.Affinity;

    [Fact]
    public void A_session_returns_to_its_endpoint_however_loaded_it_is()
    {
        for (var i = 0; i < 50; i++)
            Assert.Same(_endpoints[2], Take(Plan.Returning(_endpoints[2])));
    }

    [Fact]
    public void A_cookie_of_an_unknown_endpoint_is_balanced_as_none()
    {
        var key = Plan.Returning(Endpoints.Ready(77));
        Assert.NotEqual(0UL, key.Tag);
        Assert.Equal([0, 1, 2, 3], Enumerable.Range(0, 4).Select(_ => Take(key)!.Id).Order());
    }

    [Theory]
    [InlineData("unhealthy")]
    [InlineData("gone")]
    [InlineData("tried")]
    [InlineData("starting")]
    public void It_moves_on_when_its_endpoint_cannot_serve(string why)
    {
        var key = Plan.Returning(_endpoints[2]);
        int[] tried = [];
        if (why == "unhealthy")
            _endpoints[2].SetHealth(EndpointHealth.Unhealthy);
        else if (why == "gone")
            _endpoints[2].MarkGone();
        else if (why == "tried")
            tried = [2];
        else
            _backend.Apply(_backend.Options, [_endpoints[0], _endpoints[1], new EndpointState(2, _endpoints[2].Address)], []);
        for (var i = 0; i < 20; i++)
        {
            var other = Take(key, tried);
            Assert.NotEqual(2, other!.Id);
            Assert.True(Plan.SetsCookie(in key, other));
        }
    }

    [Fact]
    public void It_moves_on_when_its_endpoint_is_full_and_waits_while_that_is_busy()
    {
        _backend.Apply(
            _backend.Options with { Limits = new BackendLimits { ConnectionsPerEndpoint = 3 }, Handshakes = new HandshakeOptions { InFlightPerEndpoint = 1 } }, _endpoints, []);
        var key = Plan.Returning(_endpoints[2]);
        Assert.Equal(Reservation.Taken, Reserve(key, out var endpoint));
        Assert.Same(_endpoints[2], endpoint);

        Assert.Equal(Reservation.Busy, Reserve(key, out endpoint));
        Assert.Same(_endpoints[2], endpoint);
        Assert.Equal((1, 1), (endpoint!.Connections, endpoint.Handshakes));
        Assert.Equal(Reservation.Taken, Reserve(key, out endpoint, isAhead: true));
        Assert.Same(_endpoints[2], endpoint);
        _endpoints[2].EndHandshake();
        _endpoints[2].EndHandshake();

        Assert.Equal(Reservation.Taken, Reserve(key, out endpoint));
        Assert.Equal((2, 3), (endpoint!.Id, endpoint.Connections));
        Assert.Equal(Reservation.Taken, Reserve(key, out endpoint));
        Assert.NotEqual(2, endpoint!.Id);
    }

    [Fact]
    public void A_draining_endpoint_keeps_each_session_until_its_turn_in_the_drain()
    {
        _endpoints[2].MarkDraining();
        Assert.NotEqual(2, Take(Plan.Returning(_endpoints[2]))!.Id);       // Nobody has said for how long.

        _endpoints[2].Drain = new DrainPlan(Ms + 5_000, 20_000, CloseCode.ServiceRestart);
        var keys = Enumerable.Range(0, 400).Select(i => Plan.Returning(_endpoints[2], Requests.Now + i)).ToArray();
        foreach (var (later, kept) in new[] { (0, 400), (4_999, 400), (10_000, 300), (15_000, 200), (20_000, 100), (25_000, 0), (99_000, 0) })
            Assert.InRange(keys.Count(k => ReferenceEquals(Pick(k, Ms + later), _endpoints[2])), kept - 40, kept + 40);
    }

    [Fact]
    public void One_failure_of_a_draining_endpoint_moves_its_sessions_on()
    {
        Drain(_endpoints[2]);
        var key = Plan.Returning(_endpoints[2]);
        Assert.Same(_endpoints[2], Pick(key, Ms));
        _backend.Ejections.Failed(_endpoints[2], 0, Ms, isHandshake: true);
        Assert.NotSame(_endpoints[2], Pick(key, Ms));
    }

    [Fact]
    public void An_endpoint_that_was_removed_keeps_its_sessions_by_the_same_rule_and_is_not_picked_else()
    {
        var left = _endpoints[2];
        EndpointState[] rest = [_endpoints[0], _endpoints[1]];
        _backend.Apply(_backend.Options, rest, [left]);
        Drain(left);
        var key = Plan.Returning(left);
        Assert.Same(left, Pick(key, Ms));
        Assert.NotSame(left, Pick(key, Ms + 60_000));
        rest[0].MarkDraining();
        rest[1].MarkDraining();
        Assert.NotSame(left, Pick(key, Ms + 60_000));
        for (var i = 0; i < 20; i++)
            Assert.NotSame(left, Pick(AffinityKey.None, Ms));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void When_all_are_draining_or_starting_a_session_stays_where_it_is(bool areStarting)
    {
        var all = _endpoints;
        if (areStarting)
        {
            all = [.. _endpoints.Select(e => new EndpointState(e.Id, e.Address))];
            _backend.Apply(_backend.Options, all, []);
        }
        else
        {
            Array.ForEach(_endpoints, e => e.MarkDraining());
        }

        foreach (var endpoint in all)
        {
            for (var i = 0; i < 10; i++)
                Assert.Same(endpoint, Pick(Plan.Returning(endpoint), Ms));
        }
    }

    [Fact]
    public void A_trial_takes_no_session_from_a_healthy_endpoint()
    {
        _backend.Apply(_backend.Options with { Health = new HealthOptions { Eject = new EjectOptions { AfterFailures = 1, For = TimeSpan.FromSeconds(1) } } }, _endpoints, []);
        _backend.Ejections.Failed(_endpoints[0], 0, Ms, isHandshake: true);
        for (var i = 0; i < 20; i++)
            Assert.Same(_endpoints[2], Pick(Plan.Returning(_endpoints[2]), Ms + 2_000));
        var request = new PickRequest(_random, Ms + 2_000, []) { Key = Plan.Returning(_endpoints[0]) };
        Assert.Same(_endpoints[0], _backend.Pick(in request, out var trial));
        Assert.NotEqual(0, trial);
    }

    [Fact]
    public void A_trial_is_made_by_a_key_that_would_be_the_endpoints_own()
    {
        _backend.Apply(_backend.Options with { Health = new HealthOptions { Eject = new EjectOptions { AfterFailures = 1, For = TimeSpan.FromSeconds(1) } } }, _endpoints, []);
        var homes = Enumerable.Range(0, 100).Select(i => (Key: new AffinityKey(0, StableHash.Of((UInt128)i)), Home: 0)).Select(k => (k.Key, Home: Pick(k.Key, Ms)!)).ToArray();
        Assert.Equal(4, homes.Select(h => h.Home).Distinct().Count());
        _backend.Ejections.Failed(_endpoints[0], 0, Ms, isHandshake: true);
        Assert.All(homes.Where(h => h.Home != _endpoints[0]), h => Assert.Same(h.Home, Pick(h.Key, Ms + 2_000)));

        var request = new PickRequest(_random, Ms + 2_000, []) { Key = homes.First(h => h.Home == _endpoints[0]).Key };
        Assert.Same(_endpoints[0], _backend.Pick(in request, out var trial));
        Assert.NotEqual(0, trial);
        Assert.NotSame(_endpoints[0], _backend.Pick(in request, out trial));
        Assert.Equal(0, trial);
    }

    [Fact]
    public void A_key_waits_for_its_endpoint_while_that_has_too_many_handshakes()
    {
        _backend.Apply(_backend.Options with { Handshakes = new HandshakeOptions { InFlightPerEndpoint = 2 } }, _endpoints, []);
        var key = new AffinityKey(0, 42);
        Assert.Equal(Reservation.Taken, Reserve(key, out var home));
        Assert.Equal(Reservation.Taken, Reserve(key, out var again));
        Assert.Equal(Reservation.Busy, Reserve(key, out var busy));
        Assert.Same(home, again);
        Assert.Same(home, busy);
        Assert.Equal(2, home!.Connections);
    }

    [Fact]
    public void A_key_goes_elsewhere_when_its_endpoint_is_full_drains_or_was_tried()
    {
        _backend.Apply(_backend.Options with { Limits = new BackendLimits { ConnectionsPerEndpoint = 2 } }, _endpoints, []);
        var key = new AffinityKey(0, 42);
        var home = Take(key)!;
        Assert.Same(home, Take(key));
        var second = Take(key)!;
        Assert.NotSame(home, second);
        home.Release();
        Assert.Same(home, Take(key));
        home.Release();
        Drain(home);
        Assert.Same(second, Take(key));
        Assert.NotSame(second, Take(key, [second.Id]));
        for (var i = 0; i < 3; i++)
            Assert.NotNull(Take(key));
        Assert.Equal(Reservation.Full, Reserve(key, out _));
    }

    [Fact]
    public void Picking_by_a_key_allocates_nothing()
    {
        AffinityKey[] keys = [Plan.Returning(_endpoints[2]), new AffinityKey(0, 42)];
        Allocations.AssertNone(() =>
        {
            foreach (var key in keys)
                Take(key)!.Release();
        });
    }

    private static void Drain(EndpointState endpoint)
    {
        endpoint.MarkDraining();
        endpoint.Drain = new DrainPlan(Ms + 10_000, 20_000, CloseCode.ServiceRestart);
    }

    private Reservation Reserve(AffinityKey key, out EndpointState? endpoint, bool isAhead = false, params int[] tried)
    {
        var request = new PickRequest(_random, Ms, tried) { Key = key, IsAhead = isAhead };
        return _backend.Reserve(in request, out endpoint, out _);
    }

    /// <summary>As an established connection.</summary>
    private EndpointState? Take(AffinityKey key, params int[] tried)
    {
        var request = new PickRequest(_random, Ms, tried) { Key = key };
        if (_backend.Reserve(in request, out var endpoint, out _) != Reservation.Taken)
            return null;
        endpoint!.EndHandshake();
        return endpoint;
    }

    private EndpointState? Pick(AffinityKey key, long nowMs)
    {
        var request = new PickRequest(_random, nowMs, []) { Key = key };
        return _backend.Pick(in request, out _);
    }
}
