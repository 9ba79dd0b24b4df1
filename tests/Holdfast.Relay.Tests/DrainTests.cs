using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>Closes of a drain: when, with what, and what is left alone.</summary>
public sealed class DrainTests : IDisposable
{
    private const int EndpointId = 3;
    private readonly ManualClock _clock = new();
    private readonly RelayHarness _harness;

    public DrainTests() => _harness = new RelayHarness(new PairSettings { SpillCap = 1 << 20, EndpointId = EndpointId }, _clock);

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void Closes_are_spread_evenly_and_say_when_to_come_back()
    {
        var ends = Enumerable.Range(0, 10).Select(_ => _harness.Open()).ToArray();
        var start = _harness.OnLoop(l => l.Core.Now);
        Drain(duration: 4000);   // Shorter than an end in order may take, so that none is forgotten meanwhile.
        var due = _harness.OnLoop(l => Enumerable.Range(0, 10).Select(i => l.Core.Pairs[i].DrainAt - start).ToArray());
        Assert.All(due.Order().Select((at, rank) => (at, rank)), d => Assert.InRange(d.at, d.rank * 400, (d.rank * 400) + 399));
        for (var passed = 0; passed <= 4000 + TimerSlack; passed += 100)
        {
            var closing = _harness.OnLoop(l => Enumerable.Range(0, 10).Where(i => l.Core.Pairs[i].State == PairState.Closing).Select(i => due[i]).ToArray());
            Assert.All(closing, at => Assert.True(at <= passed));
            Assert.Equal(due.Count(at => at + TimerSlack <= passed), closing.Count(at => at + TimerSlack <= passed));
            _harness.Advance(100);
        }

        foreach (var end in ends)
        {
            var close = end.Client.ReceiveFrame();
            Assert.Equal(Frames.Close, close.Opcode);
            Assert.Equal(1012, close.CloseCode);
            Assert.Matches("^retry-after=[0-9]{1,4}$", System.Text.Encoding.ASCII.GetString(close.Payload.AsSpan(2)));
            Assert.Equal((int)CloseCode.GoingAway, end.Endpoint.ReceiveFrame().CloseCode);
            end.Dispose();
            var recorded = _harness.WaitForEnd();
            Assert.Equal((EndReason.Drained, EndSide.Gateway, 1012), (recorded.Reason, recorded.Side, recorded.CloseCode));
        }
    }

    [Fact]
    public void The_endpoint_that_returns_keeps_its_connections()
    {
        using var ends = _harness.Open();
        Drain(duration: 1000);
        _ = _harness.OnLoop(l =>
        {
            l.CancelDrain(EndpointId);
            return 0;
        });
        _harness.Advance(100_000);
        Echo(ends);
    }

    [Fact]
    public void Other_endpoints_and_later_connections_are_left_alone()
    {
        using var ends = _harness.Open();
        _ = _harness.OnLoop(l =>
        {
            l.Drain(EndpointId + 1, new DrainPlan(l.Core.Now, 1000, CloseCode.ServiceRestart));
            return 0;
        });
        Drain(duration: 0, endpoint: EndpointId + 2);
        _harness.Advance(2);
        _harness.Policy.Settings = _harness.Policy.Settings with { EndpointId = EndpointId + 2 };
        using var later = _harness.Open();
        _harness.Advance(100_000);
        Echo(ends);
        Echo(later);
    }

    [Fact]
    public void A_handshake_that_began_before_its_endpoints_drain_is_closed_with_the_rest()
    {
        using var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        Drain(duration: 0);
        _harness.Advance(5000);
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        _harness.Advance(1000 + TimerSlack);
        Assert.Equal(1012, client.ReceiveFrame().CloseCode);
    }

    [Fact]
    public void A_loop_that_leaves_ends_all_and_no_cancelled_drain_stops_it()
    {
        using var ends = _harness.Open();
        Drain(duration: 60_000);
        _ = _harness.OnLoop(l =>
        {
            l.Drain(endpointId: null, new DrainPlan(l.Core.Now, 2000, CloseCode.ServiceRestart));
            l.CancelDrain(EndpointId);
            return 0;
        });
        _harness.Advance(2000 + TimerSlack);
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
        ends.Dispose();
        Assert.Equal(EndReason.Shutdown, _harness.WaitForEnd().Reason);
    }

    [Fact]
    public void A_later_plan_replaces_the_earlier_one()
    {
        using var ends = _harness.Open();
        Drain(duration: 100);
        Drain(duration: 100, delay: 50_000);
        _harness.Advance(40_000);
        Echo(ends);
        _harness.Advance(11_000);
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
    }

    [Fact]
    public void A_close_of_a_drain_waits_for_the_end_of_the_frame()
    {
        using var ends = _harness.Open();
        var frame = Frames.FromServer(Frames.Binary, new byte[100]);
        ends.Endpoint.Send(frame.AsSpan(0, 50));
        Assert.Equal(frame[..50], ends.Client.Receive(50));
        Drain(duration: 0);
        _harness.Advance(TimerSlack);
        ends.Endpoint.Send(frame.AsSpan(50));
        Assert.Equal(frame[50..], ends.Client.Receive(52));
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
    }

    /// <summary>The wheel's step, and one.</summary>
    private const int TimerSlack = Timers.TimerWheel.Resolution + 1;

    private void Drain(int duration, int delay = 0, int endpoint = EndpointId) => _harness.OnLoop(l =>
    {
        l.Drain(endpoint, new DrainPlan(l.Core.Now + delay, duration, CloseCode.ServiceRestart));
        return 0;
    });

    private static void Echo(Ends ends)
    {
        var frame = Frames.FromServer(Frames.Text, "still here"u8);
        ends.Endpoint.Send(frame);
        Assert.Equal(frame, ends.Client.Receive(frame.Length));
    }
}
