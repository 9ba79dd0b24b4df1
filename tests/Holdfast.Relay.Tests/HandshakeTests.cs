using System.Net;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Interop;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>From the first byte to the 101, and every way it can fail.</summary>
public sealed class HandshakeTests : IDisposable
{
    private readonly RelayHarness _harness = new(clock: new ManualClock());

    public void Dispose()
    {
        // Whatever happened, every handshake was given back exactly once.
        Assert.Equal(_harness.OnLoop(l => l.Handshakes.InFlight), _harness.OnLoop(CountInFlight));
        _harness.Dispose();
    }

    [Fact]
    public void A_refused_connect_asks_for_another_endpoint()
    {
        _harness.Policy.MaxAttempts = 3;
        var closed = ClosedPort();
        var good = (IPEndPoint)_harness.Endpoints.LocalEndPoint!;
        _harness.Policy.Target = attempt => attempt < 3 ? closed : good;
        using var ends = _harness.Open();
        Assert.Equal([DialFailure.Refused, DialFailure.Refused], _harness.Policy.DialFailures);
        AssertRelays(ends);
    }

    [Fact]
    public void When_no_endpoint_is_left_the_policys_answer_is_sent()
    {
        var closed = ClosedPort();
        _harness.Policy.Target = _ => closed;
        using var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        Assert.Equal(RelayHost.PassThroughPolicy.BadGateway, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
    }

    [Fact]
    public void A_policy_that_never_gives_up_is_stopped()
    {
        _harness.Policy.MaxAttempts = int.MaxValue;
        using var client = _harness.Connect();
        _harness.Policy.Target = _ => null;
        client.Send(RelayHarness.Request);
        _ = client.ReceiveToEnd();
        Assert.Equal(HandshakeDriver.MaxAttempts, _harness.Policy.DialFailures.Count);
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
    }

    [Fact]
    public void An_endpoint_that_accepts_and_never_answers_times_out()
    {
        using var client = Dial(out var endpoint);
        _harness.Advance(59_000);
        Assert.Empty(_harness.Policy.DialFailures);     // Past the timer wheel's horizon, and not yet due.
        _harness.Advance(1_100);
        Assert.Equal(RelayHost.PassThroughPolicy.BadGateway, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        Assert.Equal([DialFailure.ResponseTimeout], _harness.Policy.DialFailures);
        Assert.Empty(endpoint.ReceiveToEnd());
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
    }

    [Fact]
    public void An_attempt_has_its_own_time_within_the_handshakes()
    {
        _harness.Policy.MaxAttempts = 2;
        _harness.Policy.AttemptTimeout = 3_000;
        using var client = Dial(out var silent);
        _harness.Advance(3_100);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        Assert.Empty(silent.ReceiveToEnd());
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        Assert.Equal([DialFailure.ResponseTimeout], _harness.Policy.DialFailures);
    }

    [Fact]
    public void A_connect_that_nobody_answers_times_out()
    {
        _harness.Policy.ConnectTimeout = 2_000;
        // A listener whose backlog is full drops what comes.
        using var full = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
        full.Listen(0);
        var address = (IPEndPoint)full.LocalEndPoint!;
        using var filling = RawPeer.Connect(address);
        _harness.Policy.Target = _ => address;
        using var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        _harness.Until(l => l.Core.Pairs[0].State == Pairs.PairState.Connecting, "it is dialing");
        _harness.Advance(2_100);
        Assert.Equal(RelayHost.PassThroughPolicy.BadGateway, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        Assert.Equal([DialFailure.ConnectTimeout], _harness.Policy.DialFailures);
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("fin")]
    [InlineData("half an answer")]
    [InlineData("a head without end")]
    public void An_endpoint_that_ends_before_its_head_is_a_failed_attempt(string how)
    {
        using var client = Dial(out var endpoint);
        if (how == "half an answer")
            endpoint.Send(RelayHarness.Switching[..20]);
        if (how == "a head without end")
            endpoint.Send("HTTP/1.1 101 x\r\n" + new string('x', HandshakeDriver.MaxHead));
        else if (how == "reset")
            endpoint.Reset();
        else
            endpoint.Finish();
        Assert.Equal(RelayHost.PassThroughPolicy.BadGateway, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        Assert.Equal([how == "a head without end" ? DialFailure.MalformedResponse : DialFailure.Reset], _harness.Policy.DialFailures);
        endpoint.Dispose();
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
    }

    [Fact]
    public void An_end_that_comes_with_the_connection_is_seen()
    {
        using var client = _harness.Connect();
        _harness.Policy.Target = attempt => (IPEndPoint)_harness.Endpoints.LocalEndPoint!;
        // While the loop stands here the endpoint accepts and half-closes: connect, and FIN, are one edge.
        var released = new ManualResetEventSlim();
        _harness.Loop.Post(_ => released.Wait());
        client.Send(RelayHarness.Request);
        released.Set();
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        endpoint.Finish();
        Assert.Equal(RelayHost.PassThroughPolicy.BadGateway, Encoding.ASCII.GetString(client.ReceiveToEnd()));
    }

    [Fact]
    public void Heads_may_come_byte_by_byte()
    {
        using var client = _harness.Connect();
        foreach (var c in RelayHarness.Request)
        {
            client.Send([(byte)c]);
            _ = _harness.OnLoop(_ => 0);
        }

        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        foreach (var c in "HTTP/1.1 103 Early Hints\r\n\r\n" + RelayHarness.Switching)
        {
            endpoint.Send([(byte)c]);
            _ = _harness.OnLoop(_ => 0);
        }

        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        AssertRelays(new Ends(client, endpoint));
    }

    [Fact]
    public void Informational_answers_are_passed_over()
    {
        using var client = Dial(out var endpoint);
        endpoint.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        AssertRelays(new Ends(client, endpoint));
    }

    [Theory]
    [InlineData("never whole", "HTTP/1.1 408")]
    [InlineData("too large", "HTTP/1.1 431")]
    [InlineData("bare line feed", "HTTP/1.1 400")]
    [InlineData("bare line feed in a piece of its own", "HTTP/1.1 400")]
    public void A_head_that_never_becomes_a_request_is_answered(string what, string answer)
    {
        using var client = _harness.Connect();
        switch (what)
        {
            case "never whole":
                client.Send("GET / HTTP/1.1\r\nHost: x\r\n");
                _harness.Until(l => l.Handshakes.InFlight == 1, "it has begun");
                _harness.Advance(HandshakeDriver.HeadTimeout + 100);
                break;
            case "too large":
                client.Send("GET / HTTP/1.1\r\nX: " + new string('x', HandshakeDriver.MaxHead));
                break;
            case "bare line feed in a piece of its own":
                client.Send("GET / HTTP/1.1\r\nHost: x");
                _harness.Until(l => l.Handshakes.InFlight == 1, "it has begun");
                client.Send("\n");
                break;
            default:
                client.Send("GET / HTTP/1.1\nHost: x\n\n");
                break;
        }

        Assert.StartsWith(answer, Encoding.ASCII.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        Assert.Single(_harness.Policy.Faults);
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
    }

    [Fact]
    public void A_connection_that_never_says_a_word_is_dropped_without_one()
    {
        using var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it is accepted");
        _harness.Advance(HandshakeDriver.HeadTimeout + 100);
        Assert.Empty(client.ReceiveToEnd());
        Assert.Empty(_harness.Policy.HandshakeEnds);
        Assert.Equal(0, _harness.OnLoop(l => l.Core.Pairs.Count));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_client_that_hangs_up_while_the_endpoint_is_asked_frees_both(bool reset)
    {
        using var client = Dial(out var endpoint);
        if (reset)
            client.Reset();
        else
            client.Dispose();
        Assert.Empty(endpoint.ReceiveToEnd());
        AssertEnded(HandshakeEnd.ClientGone);
    }

    [Fact]
    public void A_client_that_hangs_up_inside_its_head_is_gone()
    {
        using var client = _harness.Connect();
        client.Send("GET /");
        client.Dispose();
        AssertEnded(HandshakeEnd.ClientGone);
    }

    [Fact]
    public void Early_bytes_wait_for_the_101()
    {
        var first = Frames.FromClient(Frames.Text, "with the head"u8);
        var second = Frames.FromClient(Frames.Text, "after it"u8);
        using var client = _harness.Connect();
        client.Send([.. Encoding.ASCII.GetBytes(RelayHarness.Request), .. first]);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        client.Send(second);
        _ = _harness.OnLoop(_ => 0);
        Assert.Equal(0, endpoint.Socket.Available);
        var greeting = Frames.FromServer(Frames.Text, "welcome"u8);
        endpoint.Send([.. Encoding.ASCII.GetBytes(RelayHarness.Switching), .. greeting]);
        Assert.Equal(first, endpoint.Receive(first.Length));
        Assert.Equal(second, endpoint.Receive(second.Length));
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        Assert.Equal(greeting, client.Receive(greeting.Length));
        var pair = _harness.Pair();
        Assert.Equal((first.Length + second.Length, greeting.Length), ((int)pair.Down.BytesReceived, (int)pair.Up.BytesReceived));
        Assert.Equal((2, 1), ((int)pair.Down.MessagesReceived, (int)pair.Up.MessagesReceived));
    }

    [Fact]
    public void An_endpoint_that_closes_right_behind_its_101_ends_an_established_pair()
    {
        using var client = Dial(out var endpoint);
        endpoint.Send([.. Encoding.ASCII.GetBytes(RelayHarness.Switching), .. Frames.CloseFrame(client: false, 1013)]);
        endpoint.Dispose();
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        Assert.Equal(1013, client.ReceiveFrame().CloseCode);
        client.Dispose();
        Assert.Equal(Pairs.EndReason.UpstreamClose, _harness.WaitForEnd().Reason);
    }

    [Fact]
    public void What_is_no_upgrade_is_handed_off_with_what_was_read()
    {
        const string Head = "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo";
        using var client = _harness.Connect();
        client.Send(Head);
        Assert.True(_harness.Policy.HandedOff.TryTake(out var taken, RawPeer.Patience));
        Assert.Equal(Head, Encoding.ASCII.GetString(taken.Received));
        _harness.Until(l => l.Core.Pairs.Count == 0, "the slot is free");
        client.Send("dy");
        var buffer = new byte[2];
        int n;
        while ((n = Sys.Receive(taken.Fd, buffer)) == -(int)Errno.Again)
        {
        }

        Assert.Equal("dy", Encoding.ASCII.GetString(buffer, 0, n));
        Sys.Close(taken.Fd);
        Assert.Empty(client.ReceiveToEnd());
    }

    private static int CountInFlight(EventLoop.EventLoop loop)
    {
        var count = 0;
        for (var i = 0; i < loop.Core.Pairs.HighWater; i++)
        {
            if (loop.Core.Pairs[i].State != Pairs.PairState.Free && loop.Core.Pairs[i].HandshakeIndex >= 0)
                count++;
        }

        return count;
    }

    private static void AssertRelays(Ends ends)
    {
        var frame = Frames.FromClient(Frames.Text, "through"u8);
        ends.Client.Send(frame);
        Assert.Equal(frame, ends.Endpoint.Receive(frame.Length));
    }

    private static IPEndPoint ClosedPort()
    {
        using var socket = RawPeer.Listen();
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    private RawPeer Dial(out RawPeer endpoint)
    {
        var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        return client;
    }

    private void AssertEnded(HandshakeEnd end)
    {
        Assert.Equal(end, _harness.WaitForHandshakeEnd());
        _harness.Until(l => l.Core.Pairs.Count == 0, "the slot is free");
        Assert.Equal(0, _harness.OnLoop(l => l.Handshakes.InFlight));
        Assert.Empty(_harness.Policy.HandshakeEnds);
        Assert.Empty(_harness.Policy.Ends);
    }
}
