using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>Ends in order: Close frames from either side, and from the gateway.</summary>
public sealed class CloseTests : IDisposable
{
    private readonly ManualClock _clock = new();
    private readonly RelayHarness _harness;

    public CloseTests() => _harness = new RelayHarness(clock: _clock);

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData(true, 1000)]
    [InlineData(false, 1000)]
    [InlineData(true, 4001)]
    [InlineData(false, 1012)]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    public void A_close_is_relayed_each_way_and_then_both_connections_end(bool fromClient, int code)
    {
        using var ends = _harness.Open();
        var (first, second) = fromClient ? (ends.Client, ends.Endpoint) : (ends.Endpoint, ends.Client);
        var asked = Frames.CloseFrame(fromClient, code, code == 0 ? "" : "bye");
        var answered = Frames.CloseFrame(!fromClient, code);
        first.Send(asked);
        Assert.Equal(asked, second.Receive(asked.Length));
        second.Send(answered);
        Assert.Equal(answered, first.ReceiveToEnd());
        Assert.Empty(second.ReceiveToEnd());
        ends.Dispose();

        var end = _harness.WaitForEnd();
        Assert.Equal(fromClient ? EndReason.DownstreamClose : EndReason.UpstreamClose, end.Reason);
        Assert.Equal(fromClient ? EndSide.Downstream : EndSide.Upstream, end.Side);
        Assert.Equal(code, end.CloseCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Nothing_that_follows_a_close_is_passed_on(bool fromClient)
    {
        using var ends = _harness.Open();
        var (first, second) = fromClient ? (ends.Client, ends.Endpoint) : (ends.Endpoint, ends.Client);
        var close = Frames.CloseFrame(fromClient, 1000);
        var more = fromClient ? Frames.FromClient(Frames.Text, "more"u8) : Frames.FromServer(Frames.Text, "more"u8);
        first.Send([.. close, .. more]);
        first.Send(more);
        Assert.Equal(close, second.Receive(close.Length));
        // The other may still finish what it says.
        var last = fromClient ? Frames.FromServer(Frames.Text, "last"u8) : Frames.FromClient(Frames.Text, "last"u8);
        second.Send(last);
        Assert.Equal(last, first.Receive(last.Length));
        first.Send(more);
        second.Send(Frames.CloseFrame(!fromClient, 1000));
        Assert.Equal(1000, first.ReceiveFrame().CloseCode);
        Assert.Empty(second.ReceiveToEnd());
    }

    [Fact]
    public void A_close_that_is_never_answered_ends_after_five_seconds()
    {
        using var ends = _harness.Open();
        ends.Client.Send(Frames.CloseFrame(client: true, 1001));
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        _harness.Advance(PairRelay.CloseTimeout - 100);
        Assert.Equal(1, _harness.Loop.Established);
        _harness.Advance(200);
        var end = _harness.WaitForEnd();
        Assert.Equal((EndReason.DownstreamClose, 1001), (end.Reason, end.CloseCode));
        Assert.Empty(ends.Endpoint.ReceiveToReset());
    }

    [Theory]
    [InlineData(true, "1 byte")]
    [InlineData(true, "1005")]
    [InlineData(true, "999")]
    [InlineData(true, "not UTF-8")]
    [InlineData(false, "1 byte")]
    [InlineData(false, "1006")]
    [InlineData(false, "5000")]
    [InlineData(false, "not UTF-8")]
    public void A_malformed_close_is_a_protocol_error(bool fromClient, string what)
    {
        using var ends = _harness.Open();
        byte[] payload = what switch
        {
            "1 byte" => [3],
            "not UTF-8" => Frames.ClosePayload(1000, [0xC3, 0x28]),
            _ => Frames.ClosePayload(int.Parse(what, System.Globalization.CultureInfo.InvariantCulture), "x"u8),
        };
        if (fromClient)
            ends.Client.Send(Frames.FromClient(Frames.Close, payload));
        else
            ends.Endpoint.Send(Frames.FromServer(Frames.Close, payload));
        Assert.Equal(fromClient ? 1002 : 1011, ends.Client.ReceiveFrame().CloseCode);
        Assert.Equal(fromClient ? 1001 : 1002, ends.Endpoint.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        ends.Dispose();
        Assert.Equal(fromClient ? EndReason.DownstreamProtocolError : EndReason.UpstreamProtocolError, _harness.WaitForEnd().Reason);
    }

    [Fact]
    public void An_admin_close_in_the_middle_of_a_frame_waits_for_its_end()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromServer(Frames.Binary, new byte[5000]);
        ends.Endpoint.Send(frame.AsSpan(0, 3000));
        Assert.Equal(frame[..3000], ends.Client.Receive(3000));
        var id = _harness.Pair().Id;
        Assert.True(_harness.OnLoop(l => l.Close(id, EndReason.AdminClose, CloseCode.PolicyViolation, CloseCode.GoingAway)));
        // The endpoint is told at once: the client is between frames.
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Send(frame.AsSpan(3000, 1000));
        Assert.Equal(frame[3000..4000], ends.Client.Receive(1000));
        ends.Endpoint.Send([.. frame[4000..], .. Frames.FromServer(Frames.Text, "too late"u8)]);
        Assert.Equal(frame[4000..], ends.Client.Receive(frame.Length - 4000));
        Assert.Equal(1008, ends.Client.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Client.ReceiveToEnd());
        ends.Dispose();
        var end = _harness.WaitForEnd();
        Assert.Equal((EndReason.AdminClose, EndSide.Gateway, 1008), (end.Reason, end.Side, end.CloseCode));
        Assert.False(_harness.OnLoop(l => l.Close(id, EndReason.AdminClose, CloseCode.Normal, CloseCode.Normal)));
    }

    [Fact]
    public void An_admin_close_in_a_frame_that_never_ends_becomes_a_reset()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromServer(Frames.Binary, new byte[100]);
        ends.Endpoint.Send(frame.AsSpan(0, 50));
        Assert.Equal(frame[..50], ends.Client.Receive(50));
        var id = _harness.Pair().Id;
        Assert.True(_harness.OnLoop(l => l.Close(id, EndReason.AdminClose, CloseCode.GoingAway, CloseCode.GoingAway)));
        _harness.Advance(PairRelay.CloseTimeout + 100);
        Assert.Empty(ends.Client.ReceiveToReset());
        Assert.Equal(EndReason.AdminClose, _harness.WaitForEnd().Reason);
    }

    [Fact]
    public void An_endpoint_that_dies_while_a_close_waits_for_its_frame_resets_the_client()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromServer(Frames.Binary, new byte[100]);
        ends.Endpoint.Send(frame.AsSpan(0, 50));
        Assert.Equal(frame[..50], ends.Client.Receive(50));
        var id = _harness.Pair().Id;
        Assert.True(_harness.OnLoop(l => l.Close(id, EndReason.AdminClose, CloseCode.GoingAway, CloseCode.GoingAway)));
        ends.Endpoint.Dispose();
        Assert.Empty(ends.Client.ReceiveToReset());
        Assert.Equal(EndReason.AdminClose, _harness.WaitForEnd().Reason);
    }

    [Fact]
    public void What_peers_still_say_after_our_close_is_read_so_that_they_see_it()
    {
        using var ends = _harness.Open();
        var id = _harness.Pair().Id;
        var chatter = Frames.FromClient(Frames.Binary, new byte[60_000]);
        ends.Client.Send(chatter);
        ends.Endpoint.ReceiveInto(new byte[chatter.Length]);
        Assert.True(_harness.OnLoop(l =>
        {
            // Not yet read by the loop when it closes: unread bytes would turn its close into a reset.
            ends.Client.Send(chatter);
            return l.Close(id, EndReason.AdminClose, CloseCode.GoingAway, CloseCode.GoingAway);
        }));
        ends.Client.Send(chatter);
        Assert.Equal(1001, ends.Client.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Client.ReceiveToEnd());
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
    }

    [Fact]
    public void Shutdown_closes_every_pair_and_every_handshake()
    {
        var all = new List<Ends>();
        for (var i = 0; i < 20; i++)
            all.Add(_harness.Open());
        using var half = _harness.Connect();
        half.Send("GET /half");
        using var dialing = _harness.Connect();
        dialing.Send(RelayHarness.Request);
        using var asked = RawPeer.Accept(_harness.Endpoints);
        _ = asked.ReceiveHead();
        _harness.Until(l => l.Handshakes.InFlight == 2, "both handshakes are under way");

        _ = _harness.OnLoop(l =>
        {
            l.StopListening();
            l.CloseAll(EndReason.Shutdown, CloseCode.ServiceRestart, CloseCode.GoingAway);
            return 0;
        });
        foreach (var ends in all)
        {
            Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
            Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
            ends.Dispose();
        }

        for (var i = 0; i < all.Count; i++)
            Assert.Equal((EndReason.Shutdown, EndSide.Gateway), (_harness.WaitForEnd() is var end ? end.Reason : 0, end.Side));
        Assert.Equal(HandshakeEnd.Shutdown, _harness.WaitForHandshakeEnd());
        Assert.Equal(HandshakeEnd.Shutdown, _harness.WaitForHandshakeEnd());
        Assert.Empty(asked.ReceiveToEnd());
        Assert.Throws<System.Net.Sockets.SocketException>(() => _harness.Connect());
        Assert.Equal((0, 0, 0), _harness.OnLoop(l => (l.Established, l.Core.Pairs.Count, l.Handshakes.InFlight)));
    }
}
