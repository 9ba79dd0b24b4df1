using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Endpoints that a dialer connects to: how dials succeed, fail, come too late, and are given up.</summary>
public sealed class LinkDialTests : IDisposable
{
    private readonly RelayHarness _harness = new(clock: new ManualClock());
    private readonly TestDialer _dialer = new();

    public LinkDialTests() => _harness.Policy.Dialer = _ => _dialer;

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Once_connected_the_request_goes_through_the_pair(bool atOnce)
    {
        if (atOnce)
            _dialer.Answer = () => null;
        using var client = Ask();
        var dial = _dialer.Take();
        using var endpoint = dial.Endpoint;
        Assert.Equal(_harness.Endpoints.LocalEndPoint, dial.Target.ToEndPoint());
        if (!atOnce)
        {
            Assert.Equal(PairState.Connecting, _harness.Pair().State);
            Assert.Equal(0, endpoint.Raw.Socket.Available);
            dial.Connected();
        }

        Assert.Equal(RelayHarness.Request, endpoint.Raw.ReceiveHead());
        endpoint.Raw.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        var up = Frames.FromClient(Frames.Text, "up"u8);
        client.Send(up);
        Assert.Equal(up, endpoint.Raw.Receive(up.Length));
        var down = Frames.FromServer(Frames.Text, "down"u8);
        endpoint.Raw.Send(down);
        Assert.Equal(down, client.Receive(down.Length));

        // Said twice, it is no news.
        dial.Connected();
        dial.Failed(DialFailure.Refused);
        client.Send(up);
        Assert.Equal(up, endpoint.Raw.Receive(up.Length));
    }

    [Fact]
    public void A_failure_is_the_attempts_and_another_follows()
    {
        _harness.Policy.MaxAttempts = 3;
        using var client = Ask();
        var first = _dialer.Take();
        first.Failed(DialFailure.Refused);
        var second = _dialer.Take();
        Assert.False(first.Endpoint.WaitForClose());
        Assert.Empty(first.Endpoint.ReceiveToEnd());
        // Who was given up is not heard any more.
        first.Connected();
        _ = _harness.OnLoop(_ => 0);
        Assert.Equal(PairState.Connecting, _harness.Pair().State);
        second.Failed(DialFailure.MalformedResponse);
        var third = _dialer.Take();
        third.Connected();
        using var endpoint = third.Endpoint;
        Assert.Equal(RelayHarness.Request, endpoint.Raw.ReceiveHead());
        endpoint.Raw.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        Assert.Equal([DialFailure.Refused, DialFailure.MalformedResponse], _harness.Policy.DialFailures);
        Assert.Equal((1, 1, 0), (first.Endpoint.Calls, second.Endpoint.Calls, endpoint.Calls));
    }

    [Fact]
    public void A_retry_may_go_to_an_endpoint_without_a_dialer()
    {
        _harness.Policy.MaxAttempts = 2;
        _harness.Policy.Dialer = attempt => attempt == 1 ? _dialer : null;
        using var client = Ask();
        _dialer.Take().Failed(DialFailure.Unreachable);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        Assert.False(_harness.Pair().Up.Has(LegFlags.Linked));
    }

    [Fact]
    public void A_dialer_that_says_nothing_times_out()
    {
        _harness.Policy.ConnectTimeout = 2_000;
        using var client = Ask();
        var dial = _dialer.Take();
        _harness.Advance(1_800);
        Assert.Equal(0, dial.Endpoint.Calls);
        _harness.Advance(400);
        Assert.False(dial.Endpoint.WaitForClose());
        Assert.StartsWith("HTTP/1.1 502", client.ReceiveHead(), StringComparison.Ordinal);
        Assert.Equal([DialFailure.ConnectTimeout], _harness.Policy.DialFailures);
        dial.Connected();
        _ = _harness.OnLoop(_ => 0);
    }

    [Fact]
    public void An_endpoint_that_never_answers_times_out()
    {
        _harness.Policy.HandshakeTimeout = 2_000;
        using var client = Ask();
        var dial = _dialer.Take();
        dial.Connected();
        _ = dial.Endpoint.Raw.ReceiveHead();
        _harness.Advance(2_200);
        _ = dial.Endpoint.WaitForClose();
        Assert.StartsWith("HTTP/1.1 502", client.ReceiveHead(), StringComparison.Ordinal);
        Assert.Equal([DialFailure.ResponseTimeout], _harness.Policy.DialFailures);
    }

    [Theory]
    [InlineData(LinkEnd.Eof)]
    [InlineData(LinkEnd.Reset)]
    public void An_endpoint_that_ends_before_its_answer_fails_the_attempt(LinkEnd linkEnd)
    {
        using var client = Ask();
        var dial = _dialer.Take();
        dial.Connected();
        _ = dial.Endpoint.Raw.ReceiveHead();
        dial.Endpoint.Leave(linkEnd);
        Assert.StartsWith("HTTP/1.1 502", client.ReceiveHead(), StringComparison.Ordinal);
        Assert.Equal([DialFailure.Reset], _harness.Policy.DialFailures);
        _ = dial.Endpoint.WaitForClose();
    }

    [Fact]
    public void A_client_that_leaves_cancels_the_dial()
    {
        using var client = Ask();
        var dial = _dialer.Take();
        client.Dispose();
        Assert.Equal(HandshakeEnd.ClientGone, _harness.WaitForHandshakeEnd());
        _ = dial.Endpoint.WaitForClose();
        // The next handshake of the same place has nothing to do with it.
        using var next = Ask();
        var dialed = _dialer.Take();
        Assert.Equal(dial.Ticket.Index, dialed.Ticket.Index);
        dial.Connected();
        dial.Failed(DialFailure.Refused);
        _ = _harness.OnLoop(_ => 0);
        Assert.Equal(PairState.Connecting, _harness.Pair().State);
        Assert.Empty(_harness.Policy.DialFailures);
    }

    [Fact]
    public void Nobody_is_dialled_for_want_of_descriptors()
    {
        using var loop = new EventLoop.EventLoop(1, _harness.Policy, new EventLoop.LoopClock(), capacity: 16) { DescriptorCap = 4 };
        loop.Start();
        using var client = LinkedPeer.Open(out var fd);
        loop.Connect(client.Request(fd));
        Assert.StartsWith("HTTP/1.1 502", client.Raw.ReceiveHead(), StringComparison.Ordinal);
        Assert.Equal([DialFailure.LocalResources], _harness.Policy.DialFailures);
        Assert.Empty(_dialer.Dials);
    }

    [Fact]
    public void A_refusal_of_the_endpoint_passes()
    {
        using var client = Ask();
        var dial = _dialer.Take();
        dial.Connected();
        _ = dial.Endpoint.Raw.ReceiveHead();
        dial.Endpoint.Raw.Send("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nnever");
        Assert.Equal("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", client.ReceiveHead());
        Assert.Equal("never"u8, client.ReceiveToEnd());
        Assert.False(dial.Endpoint.WaitForClose());
    }

    private RawPeer Ask()
    {
        var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        return client;
    }
}
