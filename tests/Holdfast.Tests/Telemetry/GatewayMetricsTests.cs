using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Xunit;

namespace Holdfast.Tests.Telemetry;

public sealed class GatewayMetricsTests : IDisposable
{
    private readonly TelemetryFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void Every_configured_endpoint_has_a_line_at_zero()
    {
        var connections = Samples("holdfast_connections");

        Assert.Equal(["127.0.0.1:9001", "127.0.0.1:9002"], connections.Select(s => s["endpoint"]));
        Assert.All(connections, s => Assert.Equal(("chat", "", "", 0d), (s["backend"], s["namespace"], s["pod"], s.Value)));
        Assert.Equal(0, Assert.Single(Samples("holdfast_connections_opened")).Value);
        Assert.Equal(["to_client", "to_endpoint"], Samples("holdfast_messages").Select(s => s["direction"]));
    }

    [Fact]
    public void Both_formats_tell_the_same_families()
    {
        var openMetrics = StrictMetricsParser.Parse(_fixture.Scrape(), true);
        var prometheus = StrictMetricsParser.Parse(_fixture.Scrape(MetricsFormat.Prometheus), false);

        Assert.Equal(openMetrics.Select(f => (f.Name, f.Type, f.Help)), prometheus.Select(f => (f.Name, f.Type, f.Help)));
        Assert.Equal("bytes", openMetrics.Single(f => f.Name == "holdfast_bytes").Unit);
    }

    [Fact]
    public void A_backend_that_leaves_and_returns_is_one_series_that_goes_on()
    {
        var endpoint = _fixture.Chat.Endpoints[0];
        _fixture.Telemetry.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.Upgraded, endpoint));
        endpoint.Reserve();
        _fixture.Apply("other", "127.0.0.1:9003");
        Assert.Equal([("chat", 1d), ("other", 0)], Samples("holdfast_connections_opened").Select(s => (s["backend"], s.Value)));

        _fixture.Apply("chat", "127.0.0.1:9001");
        Assert.Equal(("chat", 1d), Samples("holdfast_connections_opened").Select(s => (s["backend"], s.Value)).Single(s => s.Item1 == "chat"));
        Assert.Equal(1, Samples("holdfast_connections").Single(s => s["endpoint"] == "127.0.0.1:9001").Value);
    }

    [Fact]
    public void What_became_of_changes_of_the_configuration_is_counted()
    {
        var status = _fixture.Runtime.Configuration;
        status.Start("gateway.yaml", default, DateTimeOffset.FromUnixTimeMilliseconds(1_500));
        Assert.Equal([("applied", 0d), ("rejected", 0)], Samples("holdfast_config_reloads").Select(s => (s["outcome"], s.Value)));
        Assert.Equal((1d, 1.5), (InForce(), Samples("holdfast_config_applied_timestamp_seconds").Single().Value));

        status.Reject([]);
        Assert.Equal(0, InForce());
        status.Apply(default, [], DateTimeOffset.FromUnixTimeMilliseconds(2_500));
        Assert.Equal((1d, 2.5), (InForce(), Samples("holdfast_config_applied_timestamp_seconds").Single().Value));
        status.Apply(default, ["admin.address"], DateTimeOffset.UnixEpoch);
        Assert.Equal(0, InForce());
        Assert.Equal([("applied", 2d), ("rejected", 1)], Samples("holdfast_config_reloads").Select(s => (s["outcome"], s.Value)));

        double InForce() => Samples("holdfast_config_in_force").Single().Value;
    }

    [Fact]
    public void Handshakes_under_way_are_no_connections()
    {
        var endpoint = _fixture.Chat.Endpoints[0];
        for (var i = 0; i < 3; i++)
            endpoint.Reserve();
        endpoint.BeginHandshake();

        Assert.Equal([2d, 0], Samples("holdfast_connections").Select(s => s.Value));
    }

    [Fact]
    public void Handshakes_count_by_outcome_and_only_upgraded_ones_are_timed()
    {
        var endpoint = _fixture.Chat.Endpoints[1];
        _fixture.Telemetry.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.Upgraded, endpoint, ms: 30));
        _fixture.Telemetry.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.Upgraded, endpoint, ms: 70));
        _fixture.Telemetry.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.NoRoute, ms: 5000));

        Assert.Equal([("", "no_route", 1d), ("chat", "upgraded", 2)], Samples("holdfast_handshakes").Select(s => (s["backend"], s["outcome"], s.Value)));
        Assert.Equal(0.1, Samples("holdfast_handshake_seconds").Single(s => s.Name.EndsWith("_sum", StringComparison.Ordinal)).Value, 9);
        Assert.Equal(2, Assert.Single(Samples("holdfast_connections_opened")).Value);
        Assert.Equal(2, _fixture.Telemetry.Endpoints.OpenedTotal(endpoint.Id));
        Assert.Equal(0, _fixture.Telemetry.Endpoints.OpenedTotal(_fixture.Chat.Endpoints[0].Id));
    }

    [Fact]
    public void Ends_count_by_reason_and_side()
    {
        var endpoint = _fixture.Chat.Endpoints[0];
        for (var i = 0; i < 2; i++)
            _fixture.Telemetry.OnPairEnded(_fixture.End(EndReason.UpstreamReset, EndSide.Upstream, endpoint), _fixture.Chat, endpoint);
        _fixture.Telemetry.OnPairEnded(_fixture.End(EndReason.IdleTimeout, EndSide.Gateway, endpoint), _fixture.Chat, endpoint);

        Assert.Equal(
            [("idle_timeout", "gateway", 1d), ("upstream_reset", "upstream", 2)],
            Samples("holdfast_connection_ends").Select(s => (s["reason"], s["side"], s.Value)));
    }

    [Fact]
    public void Rehomes_count_by_cause_and_outcome_and_only_those_that_were_taken_over_are_timed()
    {
        var endpoint = _fixture.Chat.Endpoints[0];
        Tell(RehomeCause.Planned, RehomeOutcome.Completed, heldMs: 30, unknown: 0);
        Assert.Equal(0, Assert.Single(Samples("holdfast_rehome_unknown_messages")).Value);
        Tell(RehomeCause.Planned, RehomeOutcome.CutShort, heldMs: 70, unknown: 0);
        Tell(RehomeCause.Crash, RehomeOutcome.Completed, heldMs: 1, unknown: 3);
        Tell(RehomeCause.CloseFirst, RehomeOutcome.TimedOut, heldMs: 30_000, unknown: 2);

        Assert.Equal(
            [("close_first", "timed_out", 1d), ("crash", "completed", 1), ("planned", "completed", 1), ("planned", "cut_short", 1)],
            Samples("holdfast_rehomes").Select(s => (s["cause"], s["outcome"], s.Value)));
        Assert.Equal(("chat", 5d), Samples("holdfast_rehome_unknown_messages").Select(s => (s["backend"], s.Value)).Single());
        var seconds = Samples("holdfast_rehome_seconds");
        Assert.Equal(0.101, seconds.Single(s => s.Name.EndsWith("_sum", StringComparison.Ordinal)).Value, 9);
        var buckets = seconds.Where(s => s.Name.EndsWith("_bucket", StringComparison.Ordinal)).ToList();
        Assert.Equal(("0.001", 1d, "+Inf", 3d), (buckets[0]["le"], buckets[0].Value, buckets[^1]["le"], buckets[^1].Value));
        Assert.Equal("30.0", buckets[^2]["le"]);
        Assert.Equal(3, _fixture.Telemetry.Endpoints.LeaversOf(endpoint.Id).Rehomed);
        Assert.Equal(3, _fixture.Telemetry.Endpoints.RehomedOf(_fixture.Chat));

        void Tell(RehomeCause cause, RehomeOutcome outcome, long heldMs, long unknown) =>
            _fixture.Telemetry.OnRehomed(_fixture.Rehome(cause, outcome, endpoint, heldMs: heldMs, unknown: unknown), _fixture.Chat);
    }

    [Fact]
    public void Messages_and_bytes_are_the_sums_over_all_loops_and_endpoints()
    {
        foreach (var loop in _fixture.Runtime.Loops)
        {
            foreach (var endpoint in _fixture.Chat.Endpoints.ToArray())
            {
                ref var traffic = ref loop.Core.TrafficOf(endpoint.Id);
                (traffic.MessagesToClient, traffic.MessagesToEndpoint, traffic.BytesToClient, traffic.BytesToEndpoint) = (1, 10, 100, 1000);
            }
        }

        Assert.Equal([4d, 40], Samples("holdfast_messages").Select(s => s.Value));
        Assert.Equal([400d, 4000], Samples("holdfast_bytes").Select(s => s.Value));
    }

    [Fact]
    public void A_counter_does_not_fall_when_an_endpoint_leaves()
    {
        var leaving = _fixture.Chat.Endpoints[1];
        _fixture.Telemetry.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.Upgraded, leaving));
        _fixture.Runtime.Loops[0].Core.TrafficOf(leaving.Id).MessagesToClient = 5;

        // Before anything was scraped.
        _fixture.Apply("chat", "127.0.0.1:9001");

        Assert.Equal([5d, 0], Samples("holdfast_messages").Select(s => s.Value));
        Assert.Equal(1, Assert.Single(Samples("holdfast_connections_opened")).Value);
    }

    [Fact]
    public void An_endpoint_that_left_keeps_its_line_while_it_has_connections()
    {
        var leaving = _fixture.Chat.Endpoints[1];
        leaving.Reserve();
        _ = _fixture.Scrape();
        leaving.MarkGone();
        _fixture.Apply("chat", "127.0.0.1:9001");

        Assert.Equal([0d, 1], Samples("holdfast_connections").Select(s => s.Value));
        Assert.Equal(["ready", "gone"], Samples("holdfast_endpoint_state").Select(s => s["phase"]));

        leaving.Release();
        Assert.Equal("127.0.0.1:9001", Assert.Single(Samples("holdfast_connections"))["endpoint"]);
    }

    [Fact]
    public void An_address_that_came_back_is_one_series()
    {
        var old = _fixture.Chat.Endpoints[1];
        old.Reserve();
        old.MarkGone();
        _ = _fixture.Scrape();
        _fixture.Apply("chat", "127.0.0.1:9001");
        _fixture.Apply("chat", "127.0.0.1:9001", "127.0.0.1:9002");
        var back = _fixture.Chat.Endpoints[1];
        Assert.NotSame(old, back);
        back.Reserve();
        back.Reserve();

        Assert.Equal([0d, 3], Samples("holdfast_connections").Select(s => s.Value));
        Assert.Equal(["ready", "ready"], Samples("holdfast_endpoint_state").Select(s => s["phase"]));
    }

    [Fact]
    public void The_state_of_an_endpoint_is_the_one_it_is_in()
    {
        _fixture.Chat.Endpoints[0].MarkDraining();
        _fixture.Chat.Endpoints[1].SetHealth(EndpointHealth.Unhealthy);

        Assert.Equal([("draining", "healthy", 1d), ("ready", "unhealthy", 1)], Samples("holdfast_endpoint_state").Select(s => (s["phase"], s["health"], s.Value)));
    }

    [Fact]
    public void Imbalance_is_the_most_over_the_mean_of_ready_endpoints()
    {
        Assert.Equal(1, Assert.Single(Samples("holdfast_backend_imbalance")).Value);
        for (var i = 0; i < 3; i++)
            _fixture.Chat.Endpoints[0].Reserve();
        _fixture.Chat.Endpoints[1].Reserve();
        Assert.Equal(1.5, Assert.Single(Samples("holdfast_backend_imbalance")).Value);

        _fixture.Chat.Endpoints[1].MarkDraining();
        Assert.Equal(1, Assert.Single(Samples("holdfast_backend_imbalance")).Value);
    }

    [Fact]
    public void Telling_of_a_known_endpoint_allocates_nothing()
    {
        var endpoint = _fixture.Chat.Endpoints[0];
        var handshake = _fixture.Handshake(HandshakeOutcome.Upgraded, endpoint);
        var end = _fixture.End(EndReason.DownstreamClose, EndSide.Downstream, endpoint);
        var rehome = _fixture.Rehome(RehomeCause.Planned, RehomeOutcome.Completed, endpoint);
        Allocations.AssertNone(() =>
        {
            _fixture.Telemetry.OnHandshakeEnded(in handshake);
            _fixture.Telemetry.OnRehomed(in rehome, _fixture.Chat);
            _fixture.Telemetry.OnPairEnded(in end, _fixture.Chat, endpoint);
        });
    }

    private List<Sample> Samples(string family) => StrictMetricsParser.Parse(_fixture.Scrape(), true).Single(f => f.Name == family).Samples;
}
