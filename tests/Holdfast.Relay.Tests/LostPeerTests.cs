using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Ends out of order: FIN without Close, resets, in and between frames.</summary>
public sealed class LostPeerTests : IDisposable
{
    private readonly RelayHarness _harness = new(clock: new ManualClock());

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void A_client_that_ends_its_side_still_hears_the_endpoint()
    {
        using var ends = _harness.Open();
        var up = Frames.FromClient(Frames.Text, "last words"u8);
        ends.Client.Send(up);
        ends.Client.Finish();
        Assert.Equal(up, ends.Endpoint.ReceiveToEnd());
        var down = Frames.FromServer(Frames.Text, "answer"u8);
        ends.Endpoint.Send(down);
        Assert.Equal(down, ends.Client.Receive(down.Length));
        _harness.Advance(20_000);
        ends.Endpoint.Send(down);
        Assert.Equal(down, ends.Client.Receive(down.Length));
        ends.Endpoint.Finish();
        Assert.Empty(ends.Client.ReceiveToEnd());
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_client_that_ends_its_side_gets_the_endpoints_close()
    {
        using var ends = _harness.Open();
        ends.Client.Finish();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        var close = Frames.CloseFrame(client: false, 1000);
        ends.Endpoint.Send(close);
        ends.Endpoint.Finish();
        Assert.Equal(close, ends.Client.ReceiveToEnd());
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_endpoint_lost_inside_a_frame_resets_a_client_that_ended_first(bool reset)
    {
        using var ends = _harness.Open();
        ends.Client.Finish();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        var frame = Frames.FromServer(Frames.Binary, new byte[1000]);
        ends.Endpoint.Send(frame.AsSpan(0, 600));
        Assert.Equal(frame[..600], ends.Client.Receive(600));
        if (reset)
            ends.Endpoint.Reset();
        else
            ends.Endpoint.Finish();
        Assert.Empty(ends.Client.ReceiveToReset());
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_half_closed_pair_whose_endpoint_says_nothing_ends_in_time()
    {
        using var ends = _harness.Open();
        ends.Client.Finish();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        _harness.Advance(PairRelay.HalfCloseTimeout - 1000);
        Assert.Equal(1, _harness.Loop.Established);
        _harness.Advance(1100);
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
        Assert.Empty(ends.Client.ReceiveToReset());
    }

    [Fact]
    public void A_half_closed_client_that_is_gone_ends_the_pair_though_the_endpoint_talks_on()
    {
        using var ends = _harness.Open();
        ends.Client.Finish();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Client.Reset();
        var chatter = Frames.FromServer(Frames.Text, "are you there?"u8);
        _harness.Until(
            l =>
            {
                if (l.Core.Pairs[0].State == PairState.Relaying)
                    ends.Endpoint.Send(chatter);
                return l.Core.Pairs[0].State != PairState.Relaying;
            },
            "the pair ends");
        ends.Endpoint.Dispose();
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_client_that_resets_ends_the_endpoints_leg()
    {
        using var ends = _harness.Open();
        ends.Client.Reset();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Endpoint.Dispose();
        AssertEnd(EndReason.DownstreamReset, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_reset_that_a_send_finds_first_has_the_same_end()
    {
        using var ends = _harness.Open();
        var chatter = Frames.FromServer(Frames.Text, "hello?"u8);
        _ = _harness.OnLoop(_ =>
        {
            // Both lie before the loop at once, and the endpoint's bytes may be handled first.
            ends.Endpoint.Send(chatter);
            ends.Client.Reset();
            return 0;
        });
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Endpoint.Dispose();
        AssertEnd(EndReason.DownstreamReset, EndSide.Downstream, 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_lost_endpoint_is_told_to_the_client_with_1012(bool reset)
    {
        using var ends = _harness.Open();
        var last = Frames.FromServer(Frames.Text, "last"u8);
        ends.Endpoint.Send(last);
        Assert.Equal(last, ends.Client.Receive(last.Length));
        if (reset)
            ends.Endpoint.Reset();
        else
            ends.Endpoint.Dispose();
        Assert.Equal((Frames.Close, 1012), (ends.Client.ReceiveFrame() is var close ? close.Opcode : 0, close.CloseCode));
        Assert.Empty(ends.Client.ReceiveToEnd());
        ends.Client.Dispose();
        AssertEnd(reset ? EndReason.UpstreamReset : EndReason.UpstreamEof, EndSide.Upstream, 1012);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_endpoint_lost_inside_a_frame_resets_the_client(bool reset)
    {
        using var ends = _harness.Open();
        var frame = Frames.FromServer(Frames.Binary, new byte[1000]);
        ends.Endpoint.Send(frame.AsSpan(0, 600));
        Assert.Equal(frame[..600], ends.Client.Receive(600));
        if (reset)
            ends.Endpoint.Reset();
        else
            ends.Endpoint.Dispose();
        Assert.Empty(ends.Client.ReceiveToReset());
        AssertEnd(reset ? EndReason.UpstreamReset : EndReason.UpstreamEof, EndSide.Upstream, 1012);
    }

    [Fact]
    public void An_endpoint_lost_inside_a_header_is_lost_between_frames()
    {
        using var ends = _harness.Open();
        ends.Endpoint.Send([0x82]);
        ends.Endpoint.Dispose();
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Client.ReceiveToEnd());
    }

    [Fact]
    public void An_endpoint_lost_between_fragments_is_told_with_1012()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromServer(Frames.Text, "first part"u8, fin: false);
        ends.Endpoint.Send(frame);
        ends.Endpoint.Dispose();
        Assert.Equal(frame, ends.Client.Receive(frame.Length));
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
    }

    [Fact]
    public void An_endpoint_that_ends_after_the_clients_close_without_its_own_ends_in_order()
    {
        using var ends = _harness.Open();
        ends.Client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Dispose();
        Assert.Empty(ends.Client.ReceiveToEnd());
        ends.Client.Dispose();
        AssertEnd(EndReason.DownstreamClose, EndSide.Downstream, 1000);
    }

    [Fact]
    public void A_client_that_resets_after_its_close_was_answered_changes_nothing()
    {
        using var ends = _harness.Open();
        ends.Client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Send(Frames.CloseFrame(client: false, 1000));
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Client.Reset();
        ends.Endpoint.Dispose();
        AssertEnd(EndReason.DownstreamClose, EndSide.Downstream, 1000);
    }

    private void AssertEnd(EndReason reason, EndSide side, int code)
    {
        var end = _harness.WaitForEnd();
        Assert.Equal((reason, side, code), (end.Reason, end.Side, end.CloseCode));
        Assert.Equal((0, 0), _harness.OnLoop(l => (l.Established, l.Core.Pairs.Count)));
        Assert.Empty(_harness.Policy.Ends);
    }
}
