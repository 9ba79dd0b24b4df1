using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>How pairs with a socket pair for a leg end: by what the far end says, whatever its descriptor tells.</summary>
public sealed class LinkEndTests : IDisposable
{
    private readonly RelayHarness _harness = new(clock: new ManualClock());
    private readonly TestDialer _dialer = new();

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData(LinkEnd.Reset, false, EndReason.DownstreamReset)]
    [InlineData(LinkEnd.Reset, true, EndReason.DownstreamReset)]
    [InlineData(LinkEnd.Stalled, false, EndReason.DownstreamStalled)]
    [InlineData(LinkEnd.Stalled, true, EndReason.DownstreamStalled)]
    [InlineData(LinkEnd.None, false, EndReason.DownstreamReset)]
    [InlineData(LinkEnd.None, true, EndReason.DownstreamReset)]
    public void A_client_that_is_lost_ends_the_endpoints_leg(LinkEnd linkEnd, bool leavesInput, EndReason reason)
    {
        using var ends = _harness.OpenLinked();
        var last = Frames.FromClient(Frames.Text, "last"u8);
        ends.Client.Raw.Send(last);
        if (leavesInput)
            LeaveInput(ends);
        ends.Client.Leave(linkEnd);
        Assert.Equal(last, ends.Endpoint.ReceiveToEnd());
        ends.Endpoint.Dispose();
        _ = ends.Client.WaitForClose();
        AssertEnd(reason, EndSide.Downstream, 0);
        Assert.Equal(1, ends.Client.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_ends_in_order_ends_in_order_whatever_it_has_not_read(bool leavesInput)
    {
        using var ends = _harness.OpenLinked();
        if (leavesInput)
            LeaveInput(ends);
        // Unread input makes a reset of this close.
        ends.Client.Leave(LinkEnd.Eof);
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        Assert.Equal(PairState.Relaying, _harness.Pair().State);
        ends.Endpoint.Send(Frames.CloseFrame(client: false, 1000));
        ends.Endpoint.Dispose();
        _ = ends.Client.WaitForClose();
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_client_that_ends_its_side_still_hears_the_endpoint()
    {
        using var ends = _harness.OpenLinked();
        var up = Frames.FromClient(Frames.Text, "last words"u8);
        ends.Client.Raw.Send(up);
        ends.Client.Finish();
        Assert.Equal(up, ends.Endpoint.ReceiveToEnd());
        var down = Frames.FromServer(Frames.Text, "answer"u8);
        ends.Endpoint.Send(down);
        Assert.Equal(down, ends.Client.Raw.Receive(down.Length));
        Assert.False(ends.Client.IsPeerDone);
        ends.Endpoint.Finish();
        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.True(ends.Client.IsPeerDone);
        Assert.False(ends.Client.WaitForClose());
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_half_closed_client_that_is_aborted_then_ends_the_pair_at_the_next_send()
    {
        using var ends = _harness.OpenLinked();
        ends.Client.Finish();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Client.Leave(LinkEnd.Reset);
        ends.Endpoint.Send(Frames.FromServer(Frames.Text, "are you there?"u8));
        _ = ends.Client.WaitForClose();
        ends.Endpoint.Dispose();
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_client_that_ended_in_order_and_takes_nothing_is_lost_whatever_finds_it_first()
    {
        using var ends = _harness.OpenLinked();
        _ = _harness.OnLoop(_ =>
        {
            // Both lie before the loop at once, and the endpoint's bytes may be handled first.
            ends.Endpoint.Send(Frames.FromServer(Frames.Text, "hello?"u8));
            ends.Client.Leave(LinkEnd.Eof);
            return 0;
        });
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        _ = ends.Client.WaitForClose();
        ends.Endpoint.Dispose();
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Fact]
    public void A_half_closed_pair_whose_endpoint_says_nothing_is_aborted_in_time()
    {
        using var ends = _harness.OpenLinked();
        ends.Client.Finish();
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        _harness.Advance(PairRelay.HalfCloseTimeout + 100);
        Assert.True(ends.Client.WaitForClose());
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void After_a_close_each_way_the_leg_is_let_go_without_a_fin(bool clientFirst)
    {
        using var ends = _harness.OpenLinked();
        if (clientFirst)
        {
            ends.Client.Raw.Send(Frames.CloseFrame(client: true, 1000));
            Assert.Equal(1000, ends.Endpoint.ReceiveFrame().CloseCode);
            ends.Endpoint.Send(Frames.CloseFrame(client: false, 1000));
            Assert.Equal(1000, ends.Client.Raw.ReceiveFrame().CloseCode);
        }
        else
        {
            ends.Endpoint.Send(Frames.CloseFrame(client: false, 1000));
            Assert.Equal(1000, ends.Client.Raw.ReceiveFrame().CloseCode);
            ends.Client.Raw.Send(Frames.CloseFrame(client: true, 1000));
            Assert.Equal(1000, ends.Endpoint.ReceiveFrame().CloseCode);
        }

        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.True(ends.Client.IsPeerDone);
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Endpoint.Dispose();
        Assert.False(ends.Client.WaitForClose());
        AssertEnd(clientFirst ? EndReason.DownstreamClose : EndReason.UpstreamClose, clientFirst ? EndSide.Downstream : EndSide.Upstream, 1000);
    }

    [Theory]
    [InlineData("admin")]
    [InlineData("shutdown")]
    [InlineData("drain")]
    [InlineData("endpoint reset")]
    [InlineData("endpoint gone")]
    public void The_gateways_close_waits_for_the_clients_and_no_longer(string cause)
    {
        using var ends = _harness.OpenLinked();
        var id = _harness.Pair().Id;
        _ = _harness.OnLoop(l =>
        {
            if (cause == "admin")
                Assert.True(l.Close(id, EndReason.AdminClose, CloseCode.PolicyViolation, CloseCode.GoingAway));
            else if (cause == "shutdown")
                l.CloseAll(EndReason.Shutdown, CloseCode.ServiceRestart, CloseCode.GoingAway);
            else if (cause == "drain")
                l.Drain(0, new DrainPlan(l.Core.Now, 0, CloseCode.ServiceRestart));
            return 0;
        });
        if (cause == "endpoint reset")
            ends.Endpoint.Reset();
        else if (cause == "endpoint gone")
            ends.Endpoint.Dispose();
        _harness.Advance(100);
        var code = cause == "admin" ? 1008 : 1012;
        Assert.Equal(code, ends.Client.Raw.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.False(ends.Client.IsPeerDone);
        Assert.Equal(0, ends.Client.Calls);
        // What it was saying is dropped, its Close cut anywhere ends it.
        byte[] rest = [.. Frames.FromClient(Frames.Binary, new byte[70_000]), .. Frames.FromClient(Frames.Ping, "?"u8), .. Frames.CloseFrame(client: true, code)];
        ends.Client.Raw.Send(rest.AsSpan(0, rest.Length - 3));
        _ = _harness.OnLoop(_ => 0);
        Assert.Equal(0, ends.Client.Calls);
        ends.Client.Raw.Send(rest.AsSpan(rest.Length - 3));
        Assert.False(ends.Client.WaitForClose());
        ends.Endpoint.Dispose();
        AssertEnd(
            cause switch
            {
                "admin" => EndReason.AdminClose,
                "shutdown" => EndReason.Shutdown,
                "drain" => EndReason.Drained,
                "endpoint reset" => EndReason.UpstreamReset,
                _ => EndReason.UpstreamEof,
            },
            cause.StartsWith("endpoint", StringComparison.Ordinal) ? EndSide.Upstream : EndSide.Gateway,
            code);
    }

    [Fact]
    public void A_client_that_never_answers_the_gateways_close_has_five_seconds()
    {
        using var ends = _harness.OpenLinked();
        var id = _harness.Pair().Id;
        Assert.True(_harness.OnLoop(l => l.Close(id, EndReason.AdminClose, CloseCode.PolicyViolation, CloseCode.GoingAway)));
        ends.Endpoint.Dispose();
        _harness.Advance(PairRelay.CloseTimeout - 200);
        Assert.Equal(0, ends.Client.Calls);
        _harness.Advance(400);
        Assert.False(ends.Client.WaitForClose());
        AssertEnd(EndReason.AdminClose, EndSide.Gateway, 1008);
    }

    [Fact]
    public void A_close_that_cannot_come_between_frames_any_more_aborts_the_client()
    {
        using var ends = _harness.OpenLinked();
        var frame = Frames.FromServer(Frames.Binary, new byte[1000]);
        ends.Endpoint.Send(frame.AsSpan(0, 600));
        Assert.Equal(frame[..600], ends.Client.Raw.Receive(600));
        ends.Endpoint.Reset();
        Assert.True(ends.Client.WaitForClose());
        AssertEnd(EndReason.UpstreamReset, EndSide.Upstream, 1012);
    }

    [Fact]
    public void A_client_that_breaks_the_protocol_is_told()
    {
        using var ends = _harness.OpenLinked();
        ends.Client.Raw.Send([0xFF, 0x80, 1, 2, 3, 4]);
        Assert.Equal(1002, ends.Client.Raw.ReceiveFrame().CloseCode);
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Dispose();
        ends.Client.Finish();
        Assert.False(ends.Client.WaitForClose());
        AssertEnd(EndReason.DownstreamProtocolError, EndSide.Downstream, 1002);
    }

    [Theory]
    [InlineData(LinkEnd.Eof, false, EndReason.UpstreamEof)]
    [InlineData(LinkEnd.Eof, true, EndReason.UpstreamEof)]
    [InlineData(LinkEnd.Reset, false, EndReason.UpstreamReset)]
    [InlineData(LinkEnd.Stalled, true, EndReason.UpstreamStalled)]
    [InlineData(LinkEnd.None, false, EndReason.UpstreamReset)]
    public void An_endpoint_that_is_lost_is_told_to_the_client(LinkEnd linkEnd, bool leavesInput, EndReason reason)
    {
        using var client = OpenUpstream(out var endpoint);
        var last = Frames.FromServer(Frames.Text, "last"u8);
        endpoint.Raw.Send(last);
        Assert.Equal(last, client.Receive(last.Length));
        if (leavesInput)
        {
            client.Send(Frames.FromClient(Frames.Text, "never read"u8));
            _harness.Until(l => l.Core.Pairs[0].Down.MessagesReceived == 1, "the message is relayed");
        }

        endpoint.Leave(linkEnd);
        Assert.Equal(1012, client.ReceiveFrame().CloseCode);
        Assert.Empty(client.ReceiveToEnd());
        client.Dispose();
        _ = endpoint.WaitForClose();
        AssertEnd(reason, EndSide.Upstream, 1012);
        Assert.Equal(1, endpoint.Calls);
    }

    [Fact]
    public void A_client_that_ends_its_side_ends_the_endpoints_input_and_hears_it_still()
    {
        using var client = OpenUpstream(out var endpoint);
        client.Finish();
        Assert.Empty(endpoint.ReceiveToEnd());
        Assert.False(endpoint.IsPeerDone);
        var down = Frames.FromServer(Frames.Text, "answer"u8);
        endpoint.Raw.Send(down);
        Assert.Equal(down, client.Receive(down.Length));
        endpoint.Finish();
        Assert.Empty(client.ReceiveToEnd());
        client.Dispose();
        Assert.False(endpoint.WaitForClose());
        AssertEnd(EndReason.DownstreamEof, EndSide.Downstream, 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Closes_pass_an_endpoints_link(bool clientFirst)
    {
        using var client = OpenUpstream(out var endpoint);
        if (clientFirst)
        {
            client.Send(Frames.CloseFrame(client: true, 1000));
            Assert.Equal(1000, endpoint.Raw.ReceiveFrame().CloseCode);
            endpoint.Raw.Send(Frames.CloseFrame(client: false, 1000));
            Assert.Equal(1000, client.ReceiveFrame().CloseCode);
        }
        else
        {
            endpoint.Raw.Send(Frames.CloseFrame(client: false, 1000));
            Assert.Equal(1000, client.ReceiveFrame().CloseCode);
            client.Send(Frames.CloseFrame(client: true, 1000));
            Assert.Equal(1000, endpoint.Raw.ReceiveFrame().CloseCode);
        }

        Assert.Empty(client.ReceiveToEnd());
        client.Dispose();
        Assert.Empty(endpoint.ReceiveToEnd());
        Assert.True(endpoint.IsPeerDone);
        Assert.False(endpoint.WaitForClose());
        AssertEnd(clientFirst ? EndReason.DownstreamClose : EndReason.UpstreamClose, clientFirst ? EndSide.Downstream : EndSide.Upstream, 1000);
    }

    [Fact]
    public void An_endpoint_that_takes_nothing_is_stalled()
    {
        _harness.Policy.Settings = new PairSettings { SpillCap = 1 << 20, PongTimeout = 1000 };
        using var client = OpenUpstream(out var endpoint);
        client.Send([.. Frames.Header(Frames.Binary, 1 << 20, fin: true, 7), .. new byte[400_000]]);
        _harness.Until(l => !l.Core.Pairs[0].Up.Spill.IsEmpty, "something waits");
        _harness.Advance(1100);
        Assert.True(endpoint.WaitForClose());
        Assert.Equal(1012, client.ReceiveFrame().CloseCode);
        client.Dispose();
        AssertEnd(EndReason.UpstreamStalled, EndSide.Upstream, 1012);
    }

    [Theory]
    [InlineData(LinkEnd.Eof, EndReason.DownstreamEof)]
    [InlineData(LinkEnd.Reset, EndReason.DownstreamReset)]
    [InlineData(LinkEnd.Stalled, EndReason.DownstreamStalled)]
    public void Both_legs_may_be_links(LinkEnd linkEnd, EndReason reason)
    {
        _harness.Policy.Dialer = _ => _dialer;
        using var client = LinkedPeer.Open(out var fd);
        _harness.Loop.Connect(client.Request(fd));
        var dial = _dialer.Take();
        dial.Connected();
        using var endpoint = dial.Endpoint;
        Assert.Equal(RelayHarness.Request, endpoint.Raw.ReceiveHead());
        endpoint.Raw.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.Raw.ReceiveHead());
        var up = Frames.FromClient(Frames.Text, "up"u8);
        client.Raw.Send(up);
        client.Leave(linkEnd);
        Assert.Equal(up, endpoint.ReceiveToEnd());
        endpoint.Finish();
        _ = client.WaitForClose();
        Assert.False(endpoint.WaitForClose());
        AssertEnd(reason, EndSide.Downstream, 0);
    }

    /// <summary>An established pair whose endpoint is behind a socket pair.</summary>
    private RawPeer OpenUpstream(out LinkedPeer endpoint)
    {
        _harness.Policy.Dialer = _ => _dialer;
        var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        var dial = _dialer.Take();
        dial.Connected();
        endpoint = dial.Endpoint;
        Assert.Equal(RelayHarness.Request, endpoint.Raw.ReceiveHead());
        endpoint.Raw.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        return client;
    }

    private void LeaveInput(LinkedEnds ends)
    {
        ends.Endpoint.Send(Frames.FromServer(Frames.Text, "never read"u8));
        _harness.Until(l => l.Core.Pairs[0].Up.MessagesReceived == 1, "the message is relayed");
    }

    private void AssertEnd(EndReason reason, EndSide side, int code)
    {
        var end = _harness.WaitForEnd();
        Assert.Equal((reason, side, code), (end.Reason, end.Side, end.CloseCode));
        Assert.Equal((0, 0), _harness.OnLoop(l => (l.Established, l.Core.Pairs.Count)));
        Assert.Empty(_harness.Policy.Ends);
    }
}
