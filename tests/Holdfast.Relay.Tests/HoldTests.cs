using System.Net.Sockets;
using System.Text;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>Held pairs on one loop: how they end, and that one's end is no other's.</summary>
public sealed class HoldTests : IDisposable
{
    private const int Patience = 30_000;
    private readonly ManualClock _clock = new();
    private readonly TestRehomePolicy _rehomes = new();
    private readonly Socket _other = RawPeer.Listen();

    public void Dispose() => _other.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_message_that_its_endpoint_cannot_finish_ends_the_connection(bool inFrame)
    {
        using var harness = Start();
        _rehomes.Add(1, _other);
        using var ends = harness.Open();
        if (inFrame)
        {
            // Longer than what is kept until it is whole.
            byte[] start = [.. Frames.Header(Frames.Binary, 200_000, fin: true, null), .. new byte[100_000]];
            ends.Endpoint.Send(start);
            Assert.Equal(start, ends.Client.Receive(start.Length));
            ends.Endpoint.Reset();
            Assert.Empty(ends.Client.ReceiveToReset());
        }
        else
        {
            var fragment = Frames.FromServer(Frames.Text, "the first half, "u8, fin: false);
            ends.Endpoint.Send(fragment);
            Assert.Equal(fragment, ends.Client.Receive(fragment.Length));
            ends.Endpoint.Reset();
            AssertClosed(ends.Client, 1012);
        }

        Assert.Equal((EndReason.TornMessage, EndSide.Upstream), EndOf(harness));
    }

    [Fact]
    public void A_connection_that_every_endpoint_refuses_is_closed()
    {
        using var harness = Start();
        _rehomes.Add(1, _other);
        using var ends = harness.Open();
        ends.Endpoint.Reset();
        using (var asked = RawPeer.Accept(_other))
        {
            Assert.Contains("\r\nHoldfast-Rehomed: 1\r\n", asked.ReceiveHead(), StringComparison.Ordinal);
            asked.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            AssertClosed(ends.Client, 1012);
        }

        Assert.Equal((EndReason.RehomeRefused, EndSide.Upstream), EndOf(harness));
        Assert.Equal(RehomeOutcome.Refused, TakeRehome().Outcome);
        Assert.Equal(0, _rehomes.Places[1]);
    }

    [Fact]
    public void A_client_waits_for_an_endpoint_as_long_as_patience()
    {
        using var harness = Start();
        using var ends = harness.Open();
        ends.Endpoint.Reset();
        harness.Until(l => l.Core.Pairs[0].Up.Fd < 0, "the loss is noticed");
        harness.Advance(Patience - 1000);
        // Its pings are answered meanwhile.
        ends.Client.Send(Frames.FromClient(Frames.Ping, "still there?"u8));
        Assert.Equal("still there?"u8, ends.Client.ReceiveFrame().Payload);
        harness.Advance(1000 + Timers.TimerWheel.Resolution);
        AssertClosed(ends.Client, 1012);
        Assert.Equal((EndReason.HoldExpired, EndSide.Upstream), EndOf(harness));
        Assert.Equal(RehomeOutcome.TimedOut, TakeRehome().Outcome);
    }

    [Fact]
    public void A_session_machine_that_throws_ends_its_own_connection_only()
    {
        using var harness = Start(() => new FragileSession());
        using var ends = harness.Open();
        using var neighbour = harness.Open();
        var before = Frames.FromClient(Frames.Text, "before"u8);
        ends.Client.Send([.. before, .. Frames.FromClient(Frames.Text, FragileSession.Trigger)]);
        Assert.Equal("before"u8, ends.Endpoint.ReceiveFrame().Payload);
        var close = ends.Client.ReceiveFrame();
        Assert.Equal((Frames.Close, 1011), (close.Opcode, close.CloseCode));
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Dispose();
        Assert.Equal((EndReason.InternalError, EndSide.Gateway), EndOf(harness));
        Assert.True(_rehomes.Bugs.TryTake(out var bug, RawPeer.Patience), "nobody is told of the bug");
        Assert.Equal("a bug", bug.Message);

        var up = Frames.FromClient(Frames.Text, "undisturbed"u8);
        neighbour.Client.Send(up);
        Assert.Equal(up, neighbour.Endpoint.Receive(up.Length));
        var down = Frames.FromServer(Frames.Text, "the same"u8);
        neighbour.Endpoint.Send(down);
        Assert.Equal(down, neighbour.Client.Receive(down.Length));
        Assert.Empty(_rehomes.Bugs);
    }

    [Fact]
    public void An_endpoint_that_closed_first_is_told_once_when_its_loss_ends_the_connection()
    {
        using var harness = Start();
        using var again = RawPeer.Listen();
        _rehomes.Add(1, _other);
        _rehomes.Add(2, again);
        using var ends = harness.Open();
        var current = ends.Endpoint;
        // Endpoints that leave as soon as they have taken over are as good as refusals.
        foreach (var listener in new[] { _other, again, _other, null })
        {
            current.Send(Frames.CloseFrame(client: false, 1012));
            Assert.Equal(1012, current.ReceiveFrame().CloseCode);
            Assert.Empty(current.ReceiveToEnd());
            current.Dispose();
            if (listener is null)
                break;
            harness.Advance(2 * Timers.TimerWheel.Resolution);
            current = RawPeer.Accept(listener);
            _ = current.ReceiveHead();
            current.Send(RelayHarness.Switching);
        }

        AssertClosed(ends.Client, 1012);
        Assert.Equal((EndReason.RehomeRefused, EndSide.Upstream), EndOf(harness));
    }

    [Fact]
    public void A_pong_tells_of_the_first_of_two_pings_that_it_may_answer()
    {
        const int PingInterval = 1000;
        var settings = new PairSettings { SpillCap = 1 << 20, PingInterval = PingInterval, PongTimeout = 20_000 };
        using var harness = new RelayHarness(settings, _clock, hold: new HoldSettings { Fence = 60_000 }, rehomes: _rehomes);
        _rehomes.Add(1, _other);
        using var ends = harness.Open();
        Pass("read for certain"u8);
        harness.Advance(PingInterval + Timers.TimerWheel.Resolution);
        var first = ends.Endpoint.ReceiveFrame();
        Assert.Equal(Frames.Ping, first.Opcode);

        // It does not answer, but speaks: it is alive, and asked again after a silence.
        harness.Advance(100);
        ends.Endpoint.Send(Frames.FromServer(Frames.Text, "busy"u8));
        harness.Until(l => l.Core.Pairs[0].Up.BytesReceived > 0, "the endpoint is heard");
        Pass("perhaps read"u8);
        harness.Advance(PingInterval + Timers.TimerWheel.Resolution);
        Assert.Equal(first.Payload, ends.Endpoint.ReceiveFrame().Payload);
        ends.Endpoint.Send(Frames.FromServer(Frames.Pong, first.Payload));
        harness.Until(l => !l.Core.Pairs[0].Up.Has(LegFlags.PingPending), "the pong is heard");
        ends.Endpoint.Reset();
        using var next = RawPeer.Accept(_other);
        _ = next.ReceiveHead();
        next.Send(RelayHarness.Switching);
        Assert.Equal(1, TakeRehome().Unknown);

        void Pass(ReadOnlySpan<byte> message)
        {
            ends.Client.Send(Frames.FromClient(Frames.Text, message));
            Assert.Equal(message, ends.Endpoint.ReceiveFrame().Payload);
        }
    }

    [Fact]
    public void Nothing_of_a_message_that_is_never_finished_follows_the_leave_of_its_endpoint()
    {
        var hold = new HoldSettings { Quiet = 50, QuietMax = 200 };
        using var harness = new RelayHarness(clock: _clock, hold: hold, rehomes: _rehomes);
        _rehomes.Add(1, _other);
        using var ends = harness.Open();
        var start = Frames.FromClient(Frames.Text, "one, "u8, fin: false);
        ends.Client.Send(start);
        Assert.Equal(start, ends.Endpoint.Receive(start.Length));
        _ = harness.OnLoop(l =>
        {
            l.Drain(0, new DrainPlan(l.Core.Now, 0, CloseCode.ServiceRestart));
            return 0;
        });
        harness.Advance(2 * Timers.TimerWheel.Resolution);
        harness.Advance(hold.QuietMax + Timers.TimerWheel.Resolution);
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Client.Send([.. Frames.FromClient(Frames.Continuation, "two"u8), .. Frames.FromClient(Frames.Text, "the next"u8)]);
        harness.Until(l => l.Core.Pairs[0].Down.MessagesReceived == 1, "the next message is kept");
        ends.Endpoint.Send(Frames.CloseFrame(client: false, 1001));
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        using var next = RawPeer.Accept(_other);
        _ = next.ReceiveHead();
        next.Send(RelayHarness.Switching);
        Assert.Equal("the next"u8, next.ReceiveFrame().Payload);
        var end = TakeRehome();
        Assert.Equal((RehomeOutcome.CutShort, 1), (end.Outcome, end.Unknown));
    }

    private static void AssertClosed(RawPeer client, int code)
    {
        var close = client.ReceiveFrame();
        Assert.Equal((Frames.Close, code), (close.Opcode, close.CloseCode));
        Assert.Matches("^retry-after=[0-9]{1,5}$", Encoding.ASCII.GetString(close.Payload.AsSpan(2)));
        Assert.Empty(client.ReceiveToEnd());
        client.Dispose();
    }

    private static (EndReason Reason, EndSide Side) EndOf(RelayHarness harness)
    {
        var end = harness.WaitForEnd();
        return (end.Reason, end.Side);
    }

    private RelayHarness Start(Func<Session>? newSession = null) =>
        new(clock: _clock, hold: new HoldSettings { NewSession = newSession, Patience = Patience }, rehomes: _rehomes);

    private RehomeEnd TakeRehome()
    {
        Assert.True(_rehomes.Ends.TryTake(out var end, RawPeer.Patience), "no re-home ended");
        return end;
    }

    /// <summary>Passes everything, and has one bug.</summary>
    private sealed class FragileSession : PassingSession
    {
        public static ReadOnlySpan<byte> Trigger => "throw"u8;

        public override ClientVerdict OnClientMessage(in SessionMessage message, bool isHeld, SessionOutput output) =>
            message.Payload.SequenceEqual(Trigger) ? throw new InvalidOperationException("a bug") : ClientVerdict.Pass;
    }
}
