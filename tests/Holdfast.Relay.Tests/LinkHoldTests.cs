using System.Net.Sockets;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>Held pairs with socket pairs for legs, which move between pairs as others do.</summary>
public sealed class LinkHoldTests : IDisposable
{
    private readonly TestRehomePolicy _rehomes = new();
    private readonly TestDialer _dialer = new();
    private readonly Socket _other = RawPeer.Listen();
    private readonly RelayHarness _harness;

    public LinkHoldTests()
    {
        _harness = new RelayHarness(clock: new ManualClock(), hold: new HoldSettings { Quiet = 50, QuietMax = 500, Patience = 30_000 }, rehomes: _rehomes);
        _rehomes.Add(1, _other);
    }

    public void Dispose()
    {
        _harness.Dispose();
        _other.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_linked_client_stays_while_its_endpoint_is_replaced(bool planned)
    {
        using var ends = _harness.OpenLinked();
        using var next = Replace(ends.Endpoint, planned, () => ends.Client.Raw.Send(Frames.FromClient(Frames.Text, "meanwhile"u8)));
        Assert.Equal("meanwhile"u8, next.ReceiveFrame().Payload);
        next.Send(Frames.FromServer(Frames.Text, "down"u8));
        Assert.Equal("down"u8, ends.Client.Raw.ReceiveFrame().Payload);
        Assert.Equal(0, ends.Client.Calls);
        ends.Client.Raw.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, ReceiveClose(next));
        next.Send(Frames.CloseFrame(client: false, 1000));
        Assert.Equal(1000, ends.Client.Raw.ReceiveFrame().CloseCode);
        Assert.False(ends.Client.WaitForClose());
        next.Dispose();
        AssertEnd(EndReason.DownstreamClose);
    }

    [Theory]
    [InlineData(LinkEnd.Eof, EndReason.DownstreamEof)]
    [InlineData(LinkEnd.Reset, EndReason.DownstreamReset)]
    [InlineData(LinkEnd.Stalled, EndReason.DownstreamStalled)]
    public void A_linked_client_that_leaves_while_it_is_held_ends_the_pair(LinkEnd linkEnd, EndReason reason)
    {
        _rehomes.Remove(1);
        using var ends = _harness.OpenLinked();
        ends.Endpoint.Reset();
        _harness.Until(l => l.Core.Pairs[0].Up.Fd < 0, "the loss is noticed");
        ends.Client.Leave(linkEnd);
        _ = ends.Client.WaitForClose();
        AssertEnd(reason);
    }

    [Theory]
    [InlineData(LinkEnd.Eof)]
    [InlineData(LinkEnd.Reset)]
    [InlineData(LinkEnd.Stalled)]
    public void An_endpoint_behind_a_link_that_is_lost_is_replaced_by_another(LinkEnd linkEnd)
    {
        using var client = OpenUpstream(out var first);
        first.Leave(linkEnd);
        var dial = Redialed();
        Assert.Equal(_other.LocalEndPoint, dial.Target.ToEndPoint());
        _ = first.WaitForClose();
        client.Send(Frames.FromClient(Frames.Text, "meanwhile"u8));
        dial.Connected();
        using var next = dial.Endpoint;
        Assert.Contains("Holdfast-Rehomed: 1", next.Raw.ReceiveHead(), StringComparison.Ordinal);
        next.Raw.Send(RelayHarness.Switching);
        Assert.Equal("meanwhile"u8, next.Raw.ReceiveFrame().Payload);
        next.Raw.Send(Frames.FromServer(Frames.Text, "down"u8));
        Assert.Equal("down"u8, client.ReceiveFrame().Payload);

        // The leg has come to the client's pair with its link.
        Assert.True(_harness.Pair().Up.Has(LegFlags.Linked));
        next.Leave(linkEnd);
        var again = Redialed();
        _ = next.WaitForClose();
        again.Failed(Handshakes.DialFailure.Refused);
        _ = again.Endpoint.WaitForClose();
        client.Reset();
        AssertEnd(null);
        Assert.Equal((1, 1, 1), (first.Calls, next.Calls, again.Endpoint.Calls));
    }

    [Fact]
    public void A_planned_move_parts_from_an_endpoint_behind_a_link_in_order()
    {
        using var client = OpenUpstream(out var first);
        _ = _harness.OnLoop(l =>
        {
            l.Drain(0, new DrainPlan(l.Core.Now, 0, CloseCode.ServiceRestart));
            return 0;
        });
        _harness.Advance(2 * Timers.TimerWheel.Resolution);
        _harness.Advance(600);
        Assert.Equal(1001, first.Raw.ReceiveFrame().CloseCode);
        first.Raw.Send(Frames.CloseFrame(client: false, 1001));
        var dial = Redialed();
        Assert.False(first.WaitForClose());
        dial.Connected();
        using var next = dial.Endpoint;
        _ = next.Raw.ReceiveHead();
        next.Raw.Send(RelayHarness.Switching);
        client.Send(Frames.FromClient(Frames.Text, "hello"u8));
        Assert.Equal("hello"u8, next.Raw.ReceiveFrame().Payload);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_client_that_leaves_cancels_the_dial_of_its_next_endpoint(bool isConnected)
    {
        using var client = OpenUpstream(out var first);
        first.Leave(LinkEnd.Reset);
        var dial = Redialed();
        if (isConnected)
        {
            dial.Connected();
            _ = dial.Endpoint.Raw.ReceiveHead();
        }

        client.Reset();
        _ = dial.Endpoint.WaitForClose();
        AssertEnd(null);
    }

    private RawPeer OpenUpstream(out LinkedPeer endpoint)
    {
        _harness.Policy.Dialer = _ => _dialer;
        _rehomes.Dialer = _dialer;
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

    /// <summary>The next dial; time passes until it comes.</summary>
    private TestDial Redialed()
    {
        var start = TimeProvider.System.GetTimestamp();
        TestDial? dial;
        while (!_dialer.Dials.TryTake(out dial))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < RawPeer.Patience, "nobody dials");
            _harness.Advance(Timers.TimerWheel.Resolution);
        }

        return dial;
    }

    private RawPeer Replace(RawPeer endpoint, bool planned, Action meanwhile)
    {
        if (!planned)
        {
            endpoint.Reset();
            _harness.Until(l => l.Core.Pairs[0].Up.Fd < 0, "the loss is noticed");
        }
        else
        {
            _ = _harness.OnLoop(l =>
            {
                l.Drain(0, new DrainPlan(l.Core.Now, 0, CloseCode.ServiceRestart));
                return 0;
            });
            _harness.Advance(2 * Timers.TimerWheel.Resolution);
            _harness.Advance(600);
            Assert.Equal(1001, ReceiveClose(endpoint));
            endpoint.Send(Frames.CloseFrame(client: false, 1001));
        }

        meanwhile();
        _harness.Advance(2 * Timers.TimerWheel.Resolution);
        var next = RawPeer.Accept(_other);
        Assert.Contains("Holdfast-Rehomed: 1", next.ReceiveHead(), StringComparison.Ordinal);
        next.Send(RelayHarness.Switching);
        return next;
    }

    private static int? ReceiveClose(RawPeer endpoint)
    {
        while (true)
        {
            var frame = endpoint.ReceiveFrame();
            if (frame.Opcode == Frames.Close)
                return frame.CloseCode;
            if (frame.Opcode == Frames.Ping)
                endpoint.Send(Frames.FromServer(Frames.Pong, frame.Payload));
        }
    }

    private void AssertEnd(EndReason? reason)
    {
        var end = _harness.WaitForEnd();
        if (reason is not null)
            Assert.Equal(reason, end.Reason);
        Assert.Equal((0, 0, 0), _harness.OnLoop(l => (l.Established, l.Core.Pairs.Count, l.Handshakes.InFlight)));
    }
}
