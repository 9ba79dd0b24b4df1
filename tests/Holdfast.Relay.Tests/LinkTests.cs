using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Clients behind a socket pair: the handshake from a head that was read elsewhere, and the relay.</summary>
public sealed class LinkTests : IDisposable
{
    private readonly RelayHarness _harness = new(clock: new ManualClock());

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void A_request_that_was_read_elsewhere_is_a_handshake_like_any_other()
    {
        Handshake? seen = null;
        var facts = (Peer: "", Listener: 0, Secure: false, Counted: false, Linked: false);
        _harness.Policy.OnAsked = handshake =>
        {
            seen = handshake;
            facts = (handshake.Peer.ToEndPoint().ToString(), handshake.ListenerId, handshake.IsSecure, handshake.IsCounted, handshake.IsLinked);
            return HandshakeStep.Dial;
        };
        using var client = LinkedPeer.Open(out var fd);
        _harness.Loop.Connect(client.Request(fd, isSecure: true, isCounted: false));
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        Assert.NotNull(seen);
        Assert.Equal(("192.0.2.7:4711", 7, true, false, true), facts);
        // What the client says before the 101 waits, and what comes right behind the 101 follows it.
        var early = Frames.FromClient(Frames.Text, "early"u8);
        client.Raw.Send(early);
        var first = Frames.FromServer(Frames.Text, "first"u8);
        endpoint.Send([.. Encoding.ASCII.GetBytes(RelayHarness.Switching), .. first]);
        Assert.Equal(RelayHarness.Switching, client.Raw.ReceiveHead());
        Assert.Equal(first, client.Raw.Receive(first.Length));
        Assert.Equal(early, endpoint.Receive(early.Length));
        Assert.Equal("192.0.2.7", _harness.Pair().Client.ToEndPoint().Address.ToString());
        Assert.True(_harness.Pair().Down.Has(LegFlags.Linked));

        // The facts are of this handshake only.
        using var plain = _harness.Connect();
        plain.Send(RelayHarness.Request);
        using var second = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal((false, false, false), (facts.Secure, facts.Counted, facts.Linked));
    }

    [Fact]
    public void Frames_pass_both_ways_and_are_counted()
    {
        using var ends = _harness.OpenLinked();
        var up = Frames.FromClient(Frames.Binary, new byte[70_000]);
        var down = Frames.FromServer(Frames.Binary, new byte[300_000]);
        ends.Client.Raw.Send(up);
        Assert.Equal(up, ends.Endpoint.Receive(up.Length));
        var sending = new Thread(() => ends.Endpoint.Send(down));
        sending.Start();
        Assert.Equal(down, ends.Client.Raw.Receive(down.Length));
        sending.Join();
        var pair = _harness.Pair();
        Assert.Equal((up.Length, down.Length), ((int)pair.Down.BytesReceived, (int)pair.Up.BytesReceived));
        Assert.Equal((1, 1), ((int)pair.Down.MessagesReceived, (int)pair.Up.MessagesReceived));
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", RequestFault.NoUpgrade)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: test\r\n", RequestFault.NoUpgrade)]
    [InlineData("GET /ws HTTP/1.1\r\nHost: test\r\n\r\nmore", RequestFault.NoUpgrade)]
    [InlineData(null, RequestFault.HeadTooLarge)]
    public void What_is_no_handshake_is_refused(string? head, RequestFault fault)
    {
        head ??= "GET /ws HTTP/1.1\r\nX: " + new string('x', HandshakeDriver.MaxHead) + "\r\n\r\n";
        using var client = LinkedPeer.Open(out var fd);
        _harness.Loop.Connect(client.Request(fd, head));
        Assert.StartsWith("HTTP/1.1 4", client.Raw.ReceiveHead(), StringComparison.Ordinal);
        Assert.Empty(client.ReceiveToEnd());
        Assert.False(client.WaitForClose());
        Assert.Equal([fault], _harness.Policy.Faults);
        Assert.Empty(_harness.Policy.HandedOff);
        AssertNothingLeft(client);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("length")]
    [InlineData("until end")]
    public void An_endpoints_refusal_passes_whole_and_the_leg_is_let_go_at_once(string framing)
    {
        var body = new byte[600_000];
        Array.Fill(body, (byte)'x');
        var head = framing switch
        {
            "none" => "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
            "length" => $"HTTP/1.1 500 No\r\nContent-Length: {body.Length}\r\n\r\n",
            _ => "HTTP/1.1 500 No\r\n\r\n",
        };
        if (framing == "none")
            body = [];
        using var client = LinkedPeer.Open(out var fd);
        _harness.Loop.Connect(client.Request(fd));
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        // Bytes that nobody will read must not turn the end into a loss.
        client.Raw.Send(Frames.FromClient(Frames.Text, "early"u8));
        var answering = new Thread(() =>
        {
            endpoint.Send([.. Encoding.ASCII.GetBytes(head), .. body]);
            if (framing == "until end")
                endpoint.Finish();
        });
        answering.Start();
        // A slow reader: most of the body waits for it.
        _harness.Until(l => body.Length == 0 || (l.Core.Pairs[0].State == PairState.RelayingRefusal && !l.Core.Pairs[0].Down.Spill.IsEmpty), "the answer is relayed");
        Assert.Equal(head, client.Raw.ReceiveHead());
        Assert.Equal(body, client.ReceiveToEnd());
        answering.Join();
        Assert.False(client.WaitForClose());
        Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
        AssertNothingLeft(client);
    }

    [Theory]
    [InlineData("waiting", LinkEnd.Eof)]
    [InlineData("waiting", LinkEnd.Reset)]
    [InlineData("waiting", LinkEnd.None)]
    [InlineData("connecting", LinkEnd.Eof)]
    [InlineData("connecting", LinkEnd.Stalled)]
    [InlineData("asked", LinkEnd.Eof)]
    [InlineData("asked", LinkEnd.Reset)]
    [InlineData("before", LinkEnd.Eof)]
    [InlineData("refusal", LinkEnd.Reset)]
    public void A_client_that_leaves_ends_its_handshake(string state, LinkEnd linkEnd)
    {
        var dialer = new TestDialer();
        if (state == "connecting")
            _harness.Policy.Dialer = _ => dialer;
        if (state is "waiting" or "before")
        {
            _harness.Policy.OnAsked = handshake =>
            {
                handshake.WaitTimeout = 60_000;
                return HandshakeStep.Wait;
            };
        }

        using var client = LinkedPeer.Open(out var fd);
        if (state == "before")
            client.Leave(linkEnd);
        _harness.Loop.Connect(client.Request(fd));
        switch (state)
        {
            case "waiting":
                _harness.Until(l => l.Core.Pairs[0].State == PairState.Waiting, "it waits");
                break;
            case "connecting":
                _ = dialer.Take();
                break;
            case "asked" or "refusal":
                var endpoint = RawPeer.Accept(_harness.Endpoints);
                _ = endpoint.ReceiveHead();
                if (state == "asked")
                    break;
                endpoint.Send("HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\n12345");
                _ = client.Raw.ReceiveHead();
                break;
        }

        client.Leave(linkEnd);
        Assert.Equal(state == "refusal" ? HandshakeEnd.Refused : HandshakeEnd.ClientGone, _harness.WaitForHandshakeEnd());
        AssertNothingLeft(client);
    }

    [Fact]
    public void A_loop_that_has_stopped_takes_nobody()
    {
        using var queued = LinkedPeer.Open(out var first);
        var harness = new RelayHarness();
        // Queued behind the stop, and never looked at by the loop.
        _ = harness.OnLoop(l =>
        {
            var stopping = new Thread(harness.Dispose);
            stopping.Start();
            Assert.False(stopping.Join(100));
            l.Connect(queued.Request(first));
            return 0;
        });
        Assert.True(queued.WaitForClose());
        using var late = LinkedPeer.Open(out var second);
        harness.Loop.Connect(late.Request(second));
        Assert.True(late.WaitForClose());
        Assert.Empty(late.ReceiveToEnd());
        harness.Dispose();
        Assert.Equal((1, 1), (queued.Calls, late.Calls));
    }

    [Fact]
    public void A_full_loop_takes_nobody()
    {
        var policy = _harness.Policy;
        using var loop = new EventLoop.EventLoop(1, policy, new EventLoop.LoopClock(), capacity: 1);
        loop.Start();
        using var one = LinkedPeer.Open(out var first);
        loop.Connect(one.Request(first));
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        using var other = LinkedPeer.Open(out var second);
        loop.Connect(other.Request(second));
        Assert.True(other.WaitForClose());
        Assert.Equal(0, one.Calls);
    }

    [Fact]
    public void A_loop_that_ends_aborts_what_it_has()
    {
        var harness = new RelayHarness();
        using var ends = harness.OpenLinked();
        harness.Dispose();
        Assert.True(ends.Client.WaitForClose());
        Assert.Equal(1, ends.Client.Calls);
    }

    [Fact]
    public void A_linked_pair_stays_in_this_process()
    {
        using var ends = _harness.OpenLinked();
        Assert.Null(_harness.OnLoop(l => PairImage.Detach(l.Core, l.Held, 0, out _, out _)));
        var down = Frames.FromServer(Frames.Text, "still here"u8);
        ends.Endpoint.Send(down);
        Assert.Equal(down, ends.Client.Raw.Receive(down.Length));
    }

    [Fact]
    public void Keep_alive_pings_pass_the_link_and_a_dead_client_is_aborted()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 20, PingInterval = 1000, PongTimeout = 500 }, new ManualClock());
        using var ends = harness.OpenLinked();
        harness.Advance(1100);
        var ping = ends.Client.Raw.ReceiveFrame();
        Assert.Equal(Frames.Ping, ping.Opcode);
        ends.Client.Raw.Send(Frames.FromClient(Frames.Pong, ping.Payload));
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, ends.Endpoint.ReceiveFrame().Payload));
        harness.Until(l => !l.Core.Pairs[0].Down.Has(LegFlags.PingPending) && !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the pongs are heard");
        harness.Advance(1100);
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, ends.Endpoint.ReceiveFrame().Payload));
        harness.Until(l => !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the endpoint answers");
        harness.Advance(600);
        Assert.True(ends.Client.WaitForClose());
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Dispose();
        var end = harness.WaitForEnd();
        Assert.Equal((EndReason.DownstreamDead, EndSide.Downstream), (end.Reason, end.Side));
    }

    [Fact]
    public void A_slow_far_end_loses_nothing_and_many_small_messages_fit_before_it_holds_up_the_endpoint()
    {
        using var ends = _harness.OpenLinked();
        var message = new byte[64];
        var sent = 0;
        while (_harness.OnLoop(l => l.Core.Pairs[0].Down.Spill.IsEmpty))
        {
            // One at a time, as they would come over hours: each is one write, which the kernel charges by its overhead.
            BitConverter.TryWriteBytes(message, sent++);
            ends.Endpoint.Send(Frames.FromServer(Frames.Binary, message));
            _harness.Until(l => l.Core.Pairs[0].Up.MessagesReceived == sent, "the message is relayed");
        }

        // The kernel doubles what it is asked for.
        Assert.InRange(sent, 300, 400);
        while (!_harness.OnLoop(l => l.Core.Pairs[0].Up.Has(LegFlags.Paused)))
        {
            BitConverter.TryWriteBytes(message, sent++);
            ends.Endpoint.Send(Frames.FromServer(Frames.Binary, message));
        }

        for (var i = 0; i < sent; i++)
            Assert.Equal(i, BitConverter.ToInt32(ends.Client.Raw.ReceiveFrame().Payload));
        _harness.Until(l => l.Core.Pairs[0].Down.Spill.IsEmpty && !l.Core.Pairs[0].Up.Has(LegFlags.Paused), "nothing waits any more");
    }

    [Fact]
    public void A_far_end_that_takes_nothing_is_stalled()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 20, PongTimeout = 1000 }, new ManualClock());
        using var ends = harness.OpenLinked();
        ends.Endpoint.Send([.. Frames.Header(Frames.Binary, 1 << 20, fin: true, null), .. new byte[400_000]]);
        harness.Until(l => !l.Core.Pairs[0].Down.Spill.IsEmpty, "something waits");
        harness.Advance(1100);
        Assert.True(ends.Client.WaitForClose());
        ends.Endpoint.Dispose();
        Assert.Equal((EndReason.DownstreamStalled, EndSide.Downstream), (harness.WaitForEnd() is var end ? end.Reason : 0, end.Side));
    }

    private void AssertNothingLeft(LinkedPeer client)
    {
        _ = client.WaitForClose();
        _harness.Until(l => l.Core.Pairs.Count == 0 && l.Handshakes.InFlight == 0, "a handshake is left");
        Assert.Equal(1, client.Calls);
        Assert.Empty(_harness.Policy.Ends);
    }
}
