using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Our own pings and what they find, in test time.</summary>
public sealed class KeepAliveTests : IDisposable
{
    private const int Interval = 1000, Timeout = 400, Slot = 64;
    private readonly RelayHarness _harness = new(
        new PairSettings { SpillCap = 64 << 10, PingInterval = Interval, PongTimeout = Timeout }, new ManualClock(), endpointBuffer: 4096);

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void After_a_silence_each_leg_is_pinged_in_its_own_dialect_and_the_pong_is_swallowed()
    {
        using var ends = _harness.Open();
        _harness.Advance(Interval + Slot);
        var down = ends.Client.ReceiveFrame();
        var up = ends.Endpoint.ReceiveFrame();
        Assert.Equal((Frames.Ping, false, 8), (down.Opcode, down.Masked, down.Payload.Length));
        Assert.Equal((Frames.Ping, true, 8), (up.Opcode, up.Masked, up.Payload.Length));
        Assert.NotEqual(down.Payload, up.Payload);

        ends.Client.Send(Frames.FromClient(Frames.Pong, down.Payload));
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, up.Payload));
        AssertNextIs(ends, "nothing before this");

        // The second time it is not ours to judge.
        ends.Client.Send(Frames.FromClient(Frames.Pong, down.Payload));
        var repeated = ends.Endpoint.ReceiveFrame();
        Assert.Equal(Frames.Pong, repeated.Opcode);
        Assert.Equal(down.Payload, repeated.Payload);
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, up.Payload));
        Assert.Equal(Frames.Pong, ends.Client.ReceiveFrame().Opcode);
    }

    [Fact]
    public void Tags_and_mask_keys_are_fresh()
    {
        using var ends = _harness.Open();
        var tags = new HashSet<string>(StringComparer.Ordinal);
        var keys = new HashSet<uint>();
        for (var i = 0; i < 5; i++)
        {
            _harness.Advance(Interval + Slot);
            var down = ends.Client.ReceiveFrame();
            var up = ends.Endpoint.ReceiveFrame();
            Assert.True(tags.Add(Convert.ToHexString(down.Payload)) && tags.Add(Convert.ToHexString(up.Payload)) && keys.Add(up.Key!.Value));
            ends.Client.Send(Frames.FromClient(Frames.Pong, down.Payload));
            ends.Endpoint.Send(Frames.FromServer(Frames.Pong, up.Payload));
            AssertNextIs(ends, "read");
        }
    }

    [Fact]
    public void Pings_keep_their_interval_when_the_time_out_is_longer()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 16, PingInterval = Interval, PongTimeout = 4 * Interval }, new ManualClock());
        using var ends = harness.Open();
        for (var i = 0; i < 5; i++)
        {
            harness.Advance(Interval + Slot);
            ends.Client.Send(Frames.FromClient(Frames.Pong, ends.Client.ReceiveFrame().Payload));
            ends.Endpoint.Send(Frames.FromServer(Frames.Pong, ends.Endpoint.ReceiveFrame().Payload));
            harness.Until(l => !l.Core.Pairs[0].Down.Has(LegFlags.PingPending) && !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the pongs are read");
        }
    }

    [Fact]
    public void A_leg_that_speaks_is_not_pinged()
    {
        using var ends = _harness.Open();
        for (var i = 0; i < 5; i++)
        {
            _harness.Advance(Interval - 200);
            AssertNextIs(ends, "alive " + i);
        }

        Assert.Equal(LegFlags.None, _harness.Pair().Down.Flags & LegFlags.PingPending);
    }

    [Fact]
    public void A_pong_to_a_later_relayed_ping_settles_ours_and_is_passed_on()
    {
        using var ends = _harness.Open();
        _harness.Advance(Interval + Slot);
        Assert.Equal(8, ends.Endpoint.ReceiveFrame().Payload.Length);
        Assert.Equal(8, ends.Client.ReceiveFrame().Payload.Length);
        ends.Client.Send(Frames.FromClient(Frames.Ping, "later"u8));
        Assert.Equal("later"u8, ends.Endpoint.ReceiveFrame().Payload);
        Assert.Equal(LegFlags.PingPending | LegFlags.RelayedPingPending, _harness.Pair().Up.Flags & (LegFlags.PingPending | LegFlags.RelayedPingPending));

        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, "later"u8));
        Assert.Equal("later"u8, ends.Client.ReceiveFrame().Payload);
        Assert.Equal(LegFlags.None, _harness.Pair().Up.Flags & (LegFlags.PingPending | LegFlags.RelayedPingPending | LegFlags.RelayedAfterOwn));
    }

    [Fact]
    public void Our_pong_settles_an_earlier_relayed_ping_but_not_a_later_one()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 16, PingInterval = Interval, PongTimeout = Timeout }, new ManualClock());
        using var ends = harness.Open();
        ends.Client.Send(Frames.FromClient(Frames.Ping, "earlier"u8));
        _ = ends.Endpoint.ReceiveFrame();
        harness.Advance(Interval + Slot);
        var own = ends.Endpoint.ReceiveFrame();
        Assert.Equal(8, own.Payload.Length);
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, own.Payload));
        harness.Until(l => !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the pong is read");
        Assert.False(harness.Pair().Up.Has(LegFlags.RelayedPingPending));
    }

    [Fact]
    public void No_own_ping_while_a_relayed_one_is_unanswered_but_never_for_longer_than_the_time_out()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 16, PingInterval = Interval, PongTimeout = 4 * Interval }, new ManualClock());
        using var ends = harness.Open();
        var passed = 0;
        ends.Client.Send(Frames.FromClient(Frames.Ping, "0"u8));
        Assert.Equal("0"u8, ends.Endpoint.ReceiveFrame().Payload);
        // The client goes on pinging, more often than the time-out, and the endpoint never answers.
        while (true)
        {
            harness.Advance(Interval / 2);
            passed += Interval / 2;
            ends.Client.Send(Frames.FromClient(Frames.Ping, "again"u8));
            var next = ends.Endpoint.ReceiveFrame();
            if (next.Payload.Length == 8)
                break;
            Assert.Equal("again"u8, next.Payload);
            Assert.True(passed < 5 * Interval, "our own ping never came");
        }

        Assert.InRange(passed, 4 * Interval, 4.5 * Interval);
    }

    [Fact]
    public void A_client_that_answers_no_ping_is_dead_and_the_endpoint_is_told()
    {
        using var ends = _harness.Open();
        _harness.Advance(Interval + Slot);
        _ = ends.Client.ReceiveFrame();
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, ends.Endpoint.ReceiveFrame().Payload));
        _harness.Until(l => !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the pong is read");
        _harness.Advance(Timeout + Slot);

        var close = ends.Endpoint.ReceiveFrame();
        Assert.Equal((Frames.Close, 1001, true), (close.Opcode, close.CloseCode, close.Masked));
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        Assert.Empty(ends.Client.ReceiveToReset());
        ends.Endpoint.Dispose();
        var end = _harness.WaitForEnd();
        Assert.Equal((EndReason.DownstreamDead, EndSide.Downstream, 1001), (end.Reason, end.Side, end.CloseCode));
    }

    [Fact]
    public void An_endpoint_that_answers_no_ping_is_dead_and_the_client_is_told()
    {
        using var ends = _harness.Open();
        _harness.Advance(Interval + Slot);
        ends.Client.Send(Frames.FromClient(Frames.Pong, ends.Client.ReceiveFrame().Payload));
        _ = ends.Endpoint.ReceiveFrame();
        _harness.Until(l => !l.Core.Pairs[0].Down.Has(LegFlags.PingPending), "the pong is read");
        _harness.Advance(Timeout + Slot);

        var close = ends.Client.ReceiveFrame();
        Assert.Equal((Frames.Close, 1012, false), (close.Opcode, close.CloseCode, close.Masked));
        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.Empty(ends.Endpoint.ReceiveToReset());
        ends.Client.Dispose();
        var end = _harness.WaitForEnd();
        Assert.Equal((EndReason.UpstreamDead, EndSide.Upstream, 1012), (end.Reason, end.Side, end.CloseCode));
    }

    [Fact]
    public void Any_byte_is_life_even_without_a_pong()
    {
        using var ends = _harness.Open();
        for (var i = 0; i < 3; i++)
        {
            _harness.Advance(Interval + Slot);
            _ = ends.Client.ReceiveFrame();
            _ = ends.Endpoint.ReceiveFrame();
            _harness.Advance(Timeout / 2);
            AssertNextIs(ends, "still here");
        }
    }

    [Fact]
    public void A_pong_that_lies_unread_when_the_timer_fires_saves_the_leg()
    {
        using var ends = _harness.Open();
        _harness.Advance(Interval + Slot);
        var ping = ends.Client.ReceiveFrame();
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, ends.Endpoint.ReceiveFrame().Payload));
        _harness.Until(l => !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the pong is read");
        // The timer comes before the event: what a process finds after it was stopped for long.
        Assert.True(_harness.OnLoop(loop =>
        {
            ends.Client.Send(Frames.FromClient(Frames.Pong, ping.Payload));
            loop.Core.Now += Timeout + Slot;
            loop.Relay.OnTimer(0);
            return loop.Core.Pairs[0].State == PairState.Relaying && !loop.Core.Pairs[0].Down.Has(LegFlags.PingPending);
        }));
    }

    [Fact]
    public void Without_a_pong_time_out_nobody_is_dead()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 16, PingInterval = Interval }, new ManualClock());
        using var ends = harness.Open();
        for (var i = 0; i < 4; i++)
        {
            harness.Advance(Interval + Slot);
            Assert.Equal(Frames.Ping, ends.Client.ReceiveFrame().Opcode);
            Assert.Equal(Frames.Ping, ends.Endpoint.ReceiveFrame().Opcode);
        }

        Assert.Equal(PairState.Relaying, harness.Pair().State);
    }

    [Fact]
    public void Our_ping_waits_for_the_end_of_a_frame_and_goes_before_the_next()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromClient(Frames.Binary, new byte[100]);
        var next = Frames.FromClient(Frames.Binary, new byte[50]);
        ends.Client.Send(frame.AsSpan(0, 60));
        Assert.Equal(frame[..60], ends.Endpoint.Receive(60));
        _harness.Advance(Interval + Slot);
        Assert.True(_harness.Pair().Up.Has(LegFlags.PingWanted));
        // One read brings the frame's end and the start of another: the boundary is inside it.
        ends.Client.Send([.. frame[60..], .. next[..30]]);
        Assert.Equal(frame[60..], ends.Endpoint.Receive(frame.Length - 60));
        var ping = ends.Endpoint.ReceiveFrame();
        Assert.Equal((Frames.Ping, 8), (ping.Opcode, ping.Payload.Length));
        Assert.Equal(next[..30], ends.Endpoint.Receive(30));
        ends.Client.Send(next.AsSpan(30));
        Assert.Equal(next[30..], ends.Endpoint.Receive(next.Length - 30));
    }

    [Fact]
    public void A_held_partial_header_is_a_boundary()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromClient(Frames.Text, "later"u8);
        ends.Client.Send(frame.AsSpan(0, 3));
        _harness.Until(l => l.Core.Pairs[0].Down.Held.Length == 3, "three bytes are held");
        _harness.Advance(Interval + Slot);
        Assert.Equal(Frames.Ping, ends.Endpoint.ReceiveFrame().Opcode);
        ends.Client.Send(frame.AsSpan(3));
        Assert.Equal(frame, ends.Endpoint.Receive(frame.Length));
    }

    [Fact]
    public void An_idle_pair_is_closed_and_our_own_pings_are_no_activity()
    {
        using var harness = new RelayHarness(
            new PairSettings { SpillCap = 1 << 16, PingInterval = Interval, PongTimeout = Timeout, IdleTimeout = 3 * Interval }, new ManualClock());
        using var ends = harness.Open();
        harness.Advance(Interval - Slot);
        ends.Client.Send(Frames.FromClient(Frames.Ping, "relayed"u8));
        Assert.Equal("relayed"u8, ends.Endpoint.ReceiveFrame().Payload);
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, "relayed"u8));
        Assert.Equal("relayed"u8, ends.Client.ReceiveFrame().Payload);
        for (var i = 0; i < 2; i++)
        {
            harness.Advance(Interval + Slot);
            ends.Client.Send(Frames.FromClient(Frames.Pong, ends.Client.ReceiveFrame().Payload));
            ends.Endpoint.Send(Frames.FromServer(Frames.Pong, ends.Endpoint.ReceiveFrame().Payload));
            harness.Until(l => ((l.Core.Pairs[0].Down.Flags | l.Core.Pairs[0].Up.Flags) & LegFlags.PingPending) == 0, "the pongs are read");
        }

        harness.Advance(Interval - Slot);
        Assert.Equal((Frames.Close, 1001), (ends.Client.ReceiveFrame() is var down ? down.Opcode : 0, down.CloseCode));
        Assert.Equal((Frames.Close, 1001), (ends.Endpoint.ReceiveFrame() is var up ? up.Opcode : 0, up.CloseCode));
        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Dispose();
        var end = harness.WaitForEnd();
        Assert.Equal((EndReason.IdleTimeout, EndSide.Gateway), (end.Reason, end.Side));
    }

    /// <summary>Both legs say something, and it is the next thing that comes out at the other.</summary>
    private static void AssertNextIs(Ends ends, string text)
    {
        var payload = System.Text.Encoding.ASCII.GetBytes(text);
        ends.Client.Send(Frames.FromClient(Frames.Text, payload));
        Assert.Equal(payload, ends.Endpoint.ReceiveFrame().Payload);
        ends.Endpoint.Send(Frames.FromServer(Frames.Text, payload));
        Assert.Equal(payload, ends.Client.ReceiveFrame().Payload);
    }
}
