using System.Text;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Tests;

/// <summary>Every end reason can happen, and each has a name of its own for metrics and the access log.</summary>
public sealed class EndReasonTests
{
    /// <summary>Which test here produces each.</summary>
    private static readonly Dictionary<EndReason, (Type Class, string Test)> Produced = new()
    {
        [EndReason.DownstreamClose] = (typeof(CloseTests), nameof(CloseTests.A_close_is_relayed_each_way_and_then_both_connections_end)),
        [EndReason.UpstreamClose] = (typeof(CloseTests), nameof(CloseTests.A_close_is_relayed_each_way_and_then_both_connections_end)),
        [EndReason.DownstreamEof] = (typeof(LostPeerTests), nameof(LostPeerTests.A_client_that_ends_its_side_still_hears_the_endpoint)),
        [EndReason.UpstreamEof] = (typeof(LostPeerTests), nameof(LostPeerTests.A_lost_endpoint_is_told_to_the_client_with_1012)),
        [EndReason.DownstreamReset] = (typeof(LostPeerTests), nameof(LostPeerTests.A_client_that_resets_ends_the_endpoints_leg)),
        [EndReason.UpstreamReset] = (typeof(LostPeerTests), nameof(LostPeerTests.A_lost_endpoint_is_told_to_the_client_with_1012)),
        [EndReason.DownstreamDead] = (typeof(KeepAliveTests), nameof(KeepAliveTests.A_client_that_answers_no_ping_is_dead_and_the_endpoint_is_told)),
        [EndReason.UpstreamDead] = (typeof(KeepAliveTests), nameof(KeepAliveTests.An_endpoint_that_answers_no_ping_is_dead_and_the_client_is_told)),
        [EndReason.DownstreamStalled] =
            (typeof(BackpressureTests), nameof(BackpressureTests.A_side_that_takes_nothing_for_the_pong_time_out_is_stalled_and_the_other_is_told)),
        [EndReason.UpstreamStalled] =
            (typeof(BackpressureTests), nameof(BackpressureTests.A_side_that_takes_nothing_for_the_pong_time_out_is_stalled_and_the_other_is_told)),
        [EndReason.DownstreamProtocolError] =
            (typeof(ProtocolErrorTests), nameof(ProtocolErrorTests.A_violation_ends_its_pair_and_the_neighbour_never_notices)),
        [EndReason.UpstreamProtocolError] =
            (typeof(ProtocolErrorTests), nameof(ProtocolErrorTests.A_violation_ends_its_pair_and_the_neighbour_never_notices)),
        [EndReason.IdleTimeout] = (typeof(KeepAliveTests), nameof(KeepAliveTests.An_idle_pair_is_closed_and_our_own_pings_are_no_activity)),
        [EndReason.AdminClose] = (typeof(CloseTests), nameof(CloseTests.An_admin_close_in_the_middle_of_a_frame_waits_for_its_end)),
        [EndReason.Shutdown] = (typeof(CloseTests), nameof(CloseTests.Shutdown_closes_every_pair_and_every_handshake)),
        [EndReason.Drained] = (typeof(DrainTests), nameof(DrainTests.Closes_are_spread_evenly_and_say_when_to_come_back)),
        [EndReason.SpillOverflow] = (typeof(BackpressureTests), nameof(BackpressureTests.More_than_the_cap_at_once_ends_the_pair)),
        [EndReason.TornMessage] = (typeof(HoldTests), nameof(HoldTests.A_message_that_its_endpoint_cannot_finish_ends_the_connection)),
        [EndReason.RehomeRefused] = (typeof(HoldTests), nameof(HoldTests.A_connection_that_every_endpoint_refuses_is_closed)),
        [EndReason.HoldExpired] = (typeof(HoldTests), nameof(HoldTests.A_client_waits_for_an_endpoint_as_long_as_patience)),
        [EndReason.MessageTooBig] = (typeof(MessageLimitTests), nameof(MessageLimitTests.A_message_of_the_limit_passes_and_one_byte_more_does_not)),
        [EndReason.MessageRate] = (typeof(MessageLimitTests), nameof(MessageLimitTests.Of_many_messages_in_one_read_as_many_pass_as_the_rate_allows)),
        [EndReason.InternalError] = (typeof(HoldTests), nameof(HoldTests.A_session_machine_that_throws_ends_its_own_connection_only)),
    };

    [Fact]
    public void Every_end_reason_is_produced_by_a_test()
    {
        Assert.Equal(Enum.GetValues<EndReason>().Where(r => r != EndReason.None).Order(), Produced.Keys.Order());
        Assert.All(Produced.Values, p => Assert.NotNull(p.Class.GetMethod(p.Test)));
    }

    [Fact]
    public void Names_and_saved_numbers_are_unique()
    {
        var names = Enum.GetNames<EndReason>().Select(SnakeCase).ToList();
        Assert.Equal(names.Count, names.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(names.Count, Enum.GetValues<EndReason>().Distinct().Count());
        Assert.Contains("downstream_protocol_error", names, StringComparer.Ordinal);
    }

    private static string SnakeCase(string name)
    {
        var snake = new StringBuilder();
        foreach (var c in name)
            snake.Append(char.IsUpper(c) && snake.Length > 0 ? "_" : "").Append(char.ToLowerInvariant(c));
        return snake.ToString();
    }
}
