using System.Collections.Concurrent;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>Handshakes that the policy lets wait: whoever resumes them, however late, and whatever their clients do meanwhile.</summary>
public sealed class WaitTests : IDisposable
{
    private const int WaitTimeout = 5_000;
    private const string Busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

    private readonly RelayHarness _harness = new(clock: new ManualClock());
    private readonly BlockingCollection<HandshakeTicket> _waiting = [];
    private readonly ConcurrentQueue<bool> _resumed = new();

    public WaitTests()
    {
        _harness.Policy.OnAsked = handshake =>
        {
            handshake.WaitTimeout = WaitTimeout;
            _waiting.Add(handshake.Ticket);
            return HandshakeStep.Wait;
        };
        OnResume(static (_, isTimeout) => isTimeout ? HandshakeStep.Refuse : HandshakeStep.Dial);
    }

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void One_that_is_resumed_by_another_thread_dials()
    {
        using var client = Ask(out var ticket);
        Assert.False(_harness.Endpoints.Poll(0, System.Net.Sockets.SelectMode.SelectRead), "an endpoint was asked");
        _harness.Loop.Resume(ticket);
        using var endpoint = Answer(client);
        AssertRelays(client, endpoint);
        Assert.Equal([false], _resumed);
    }

    [Fact]
    public void One_that_is_resumed_before_it_waits_is_not_forgotten()
    {
        _harness.Policy.OnAsked = handshake =>
        {
            handshake.WaitTimeout = WaitTimeout;
            var resumer = new Thread(() => _harness.Loop.Resume(handshake.Ticket));
            resumer.Start();
            resumer.Join();
            return HandshakeStep.Wait;
        };
        using var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        using var endpoint = Answer(client);
        AssertRelays(client, endpoint);
    }

    [Fact]
    public void One_that_nobody_resumes_times_out_once()
    {
        using var client = Ask(out var ticket);
        _harness.Advance(WaitTimeout - 200);
        Assert.Empty(_resumed);
        _harness.Advance(400);
        Assert.Equal(Busy, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
        _harness.Advance(10 * WaitTimeout);
        _harness.Loop.Resume(ticket);
        _ = _harness.OnLoop(_ => 0);
        Assert.Equal([true], _resumed);
        Assert.Empty(_harness.Policy.HandshakeEnds);
    }

    [Fact]
    public void The_time_begins_anew_with_each_wait_and_the_handshakes_own_only_with_the_dial()
    {
        _harness.Policy.HandshakeTimeout = 3_000;
        OnResume((_, isTimeout) => _resumed.Count < 3 ? HandshakeStep.Wait : isTimeout ? HandshakeStep.Refuse : HandshakeStep.Dial);
        using var client = Ask(out var ticket);
        for (var i = 0; i < 2; i++)
        {
            _harness.Advance(WaitTimeout - 200);
            _harness.Loop.Resume(ticket);
            _harness.Until(_ => _resumed.Count == i + 1, "it was resumed");
        }

        _harness.Advance(WaitTimeout - 200);
        Assert.Equal(2, _resumed.Count);
        _harness.Loop.Resume(ticket);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        _harness.Advance(2_500);
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        AssertRelays(client, endpoint);
        Assert.Equal([false, false, false], _resumed);
    }

    [Fact]
    public void One_that_waited_may_be_refused()
    {
        OnResume(static (_, _) => HandshakeStep.Refuse);
        using var client = Ask(out var ticket);
        _harness.Loop.Resume(ticket);
        Assert.Equal(Busy, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        client.Dispose();
        AssertEnded(HandshakeEnd.Refused);
    }

    public enum Leaving
    {
        Finish,
        Reset,
        FinishBehindBytes,
    }

    [Theory]
    [InlineData(Leaving.Finish)]
    [InlineData(Leaving.Reset)]
    [InlineData(Leaving.FinishBehindBytes)]
    public void A_client_that_leaves_while_it_waits_is_gone_at_once(Leaving how)
    {
        using var client = Ask(out var ticket);
        switch (how)
        {
            case Leaving.Finish:
                client.Finish();
                break;
            case Leaving.Reset:
                client.Reset();
                break;
            default:
                client.Send(Frames.FromClient(Frames.Text, new byte[100]));
                client.Finish();
                break;
        }

        AssertEnded(HandshakeEnd.ClientGone);
        _harness.Loop.Resume(ticket);
        _harness.Advance(2 * WaitTimeout);
        Assert.Empty(_resumed);
        Assert.Empty(_harness.Policy.HandshakeEnds);
    }

    [Fact]
    public void A_client_whose_end_came_with_its_request_does_not_wait()
    {
        // The loop is held up until both are there: one event tells of them.
        using var isHeld = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        using var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it is accepted");
        _harness.Loop.Post(_ =>
        {
            isHeld.Set();
            release.Wait();
        });
        isHeld.Wait(TestContext.Current.CancellationToken);
        client.Send(RelayHarness.Request);
        client.Finish();
        release.Set();
        AssertEnded(HandshakeEnd.ClientGone);
        _harness.Loop.Resume(_waiting.Take(TestContext.Current.CancellationToken));
        _harness.Advance(2 * WaitTimeout);
        Assert.Empty(_resumed);
        Assert.Empty(_harness.Policy.HandshakeEnds);
    }

    [Fact]
    public void A_ticket_of_an_earlier_handshake_does_nothing_to_the_one_in_its_place()
    {
        HandshakeTicket stale;
        using (var first = Ask(out stale))
            first.Reset();
        AssertEnded(HandshakeEnd.ClientGone);
        using var client = Ask(out var ticket);
        Assert.Equal(stale.Index, ticket.Index);
        Assert.NotEqual(stale, ticket);
        for (var i = 0; i < 10; i++)
            _harness.Loop.Resume(stale);
        _harness.Loop.Resume(new HandshakeTicket(int.MaxValue, 0));
        _ = _harness.OnLoop(_ => 0);
        Assert.Empty(_resumed);
        _harness.Loop.Resume(ticket);
        using var endpoint = Answer(client);
        AssertRelays(client, endpoint);
    }

    [Fact]
    public void A_ticket_used_twice_resumes_once()
    {
        using var client = Ask(out var ticket);
        for (var i = 0; i < 10; i++)
            _harness.Loop.Resume(ticket);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        _harness.Loop.Resume(ticket);
        _ = _harness.OnLoop(_ => 0);
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        _harness.Loop.Resume(ticket);
        AssertRelays(client, endpoint);
        Assert.Equal([false], _resumed);
    }

    [Fact]
    public void What_a_client_says_early_waits_with_it()
    {
        var first = Frames.FromClient(Frames.Text, "with the head"u8);
        var second = Frames.FromClient(Frames.Text, "while it waits"u8);
        var third = Frames.FromClient(Frames.Text, "after the dial"u8);
        using var client = _harness.Connect();
        // The head in two pieces: what was read of it and what follows are told apart.
        client.Send(RelayHarness.Request[..20]);
        _harness.Until(l => l.Handshakes.InFlight == 1, "a part was read");
        client.Send([.. Encoding.ASCII.GetBytes(RelayHarness.Request[20..]), .. first]);
        var ticket = _waiting.Take(TestContext.Current.CancellationToken);
        client.Send(second);
        _ = _harness.OnLoop(_ => 0);
        _harness.Loop.Resume(ticket);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        client.Send(third);
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal([.. first, .. second, .. third], endpoint.Receive(first.Length + second.Length + third.Length));
    }

    [Fact]
    public void Closing_everything_ends_those_that_wait()
    {
        using var client = Ask(out var ticket);
        using var other = Ask(out _);
        _ = _harness.OnLoop(l =>
        {
            l.CloseAll(EndReason.Shutdown, CloseCode.GoingAway, CloseCode.GoingAway);
            return 0;
        });
        Assert.Equal([HandshakeEnd.Shutdown, HandshakeEnd.Shutdown], [_harness.WaitForHandshakeEnd(), _harness.WaitForHandshakeEnd()]);
        Assert.Empty(client.ReceiveToEnd());
        Assert.Empty(other.ReceiveToEnd());
        _harness.Loop.Resume(ticket);
        Assert.Equal((0, 0), (_harness.OnLoop(l => l.Core.Pairs.Count), _harness.OnLoop(l => l.Handshakes.InFlight)));
        Assert.Empty(_resumed);
    }

    [Fact]
    public void A_loop_that_ends_lets_go_of_those_that_wait()
    {
        using var client = Ask(out var ticket);
        _harness.Loop.Dispose();
        _harness.Loop.Resume(ticket);
        Assert.Empty(client.ReceiveToReset());
    }

    /// <summary>Some are resumed, once or more, some time out, some leave; each ends once, and nothing is left of any.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Thousands_wait_and_go_in_any_order(int seed)
    {
        const int Count = 3_000;
        var random = new Random(seed);
        var again = 0;
        OnResume((_, isTimeout) => isTimeout ? HandshakeStep.Refuse : Interlocked.Increment(ref again) % 7 == 0 ? HandshakeStep.Wait : HandshakeStep.Dial);
        // No endpoint answers: who dials is refused.
        _harness.Policy.Target = static _ => null;
        var clients = new List<RawPeer>();
        var tickets = new List<HandshakeTicket>();
        for (var i = 0; i < Count; i++)
        {
            clients.Add(Ask(out var ticket));
            tickets.Add(ticket);
        }

        Assert.Equal(Count, tickets.Distinct().Count());
        Assert.Equal(Count, _harness.OnLoop(l => l.Handshakes.InFlight));
        var shuffled = tickets.ToArray();
        random.Shuffle(shuffled);
        var resumer = new Thread(() =>
        {
            foreach (var ticket in shuffled.AsSpan(0, Count * 4 / 5))
                _harness.Loop.Resume(ticket);
        });
        resumer.Start();
        foreach (var client in clients.Where(_ => random.Next(3) == 0))
        {
            if (random.Next(2) == 0)
                client.Reset();
            else
                client.Finish();
        }

        resumer.Join();
        _harness.Advance(2 * WaitTimeout);
        _harness.Until(_ => _harness.Policy.HandshakeEnds.Count == Count, "each ended");
        foreach (var client in clients)
            client.Dispose();
        _harness.Until(l => l.Core.Pairs.Count == 0, "the slots are free");
        Assert.Equal(0, _harness.OnLoop(l => l.Handshakes.InFlight));
        Assert.Equal(Count, _harness.Policy.HandshakeEnds.Count);
        Assert.DoesNotContain(HandshakeEnd.Shutdown, _harness.Policy.HandshakeEnds);
    }

    private void OnResume(Func<Handshake, bool, HandshakeStep> decide) => _harness.Policy.OnResume = (handshake, isTimeout) =>
    {
        _resumed.Enqueue(isTimeout);
        var step = decide(handshake, isTimeout);
        if (step == HandshakeStep.Refuse)
        {
            handshake.Response.Clear();
            handshake.Response.Append(Encoding.ASCII.GetBytes(Busy));
        }

        return step;
    };

    /// <summary>A client whose request waits.</summary>
    private RawPeer Ask(out HandshakeTicket ticket)
    {
        var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        Assert.True(_waiting.TryTake(out ticket, RawPeer.Patience), "nobody waits");
        return client;
    }

    private RawPeer Answer(RawPeer client)
    {
        var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
        endpoint.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        return endpoint;
    }

    private static void AssertRelays(RawPeer client, RawPeer endpoint)
    {
        var frame = Frames.FromClient(Frames.Text, "through"u8);
        client.Send(frame);
        Assert.Equal(frame, endpoint.Receive(frame.Length));
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
