using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>
/// Many pairs, small buffers, random peers: whatever they do, what comes out is what went in up to where the pair ended, with nothing but our
/// own pings and one Close of ours put between frames; every pair ends once, and nothing is left.
/// </summary>
public sealed class ChaosTests
{
    private const int Pairs = 24;

    [Theory]
    [InlineData(11, false)]
    [InlineData(12, false)]
    [InlineData(13, false)]
    [InlineData(14, true)]
    [InlineData(15, true)]
    [InlineData(16, true)]
    public void Peers_that_keep_the_rules_lose_nothing(int seed, bool isLinked)
    {
        var random = new Random(seed);
        using var harness = new RelayHarness(new PairSettings { PingInterval = 500 }, new ManualClock());
        var all = Open(harness, random, isLinked);
        var spills = 0;
        for (var step = 0; step < 6000; step++)
        {
            Act(all[random.Next(all.Count)], random);
            if (step % 40 != 0)
                continue;
            harness.Advance(random.Next(1, 300));
            Assert.NotEqual(isLinked, harness.OnLoop(l => SaveAndContinue(l, random.Next(Pairs))));
            spills += harness.OnLoop(CountSpills);
        }

        Assert.NotEqual(0, spills);
        // No more is said; what is under way arrives.
        var start = TimeProvider.System.GetTimestamp();
        while (all.Any(p => p.ToSend.Count > 0 || p.Other.MessagesOf() < p.FramesSent))
        {
            foreach (var peer in all)
            {
                peer.TrySend(random, says: false);
                peer.TryReceive(random);
            }

            Assert.True(TimeProvider.System.GetElapsedTime(start) < RawPeer.Patience, "bytes are lost or held up");
        }

        Assert.All(all, p => p.AssertHeardRight(wholly: true));
        Assert.Empty(harness.Policy.Ends);
        foreach (var peer in all)
            peer.Socket.Dispose();
        AssertAllGone(harness, all);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(6, false)]
    [InlineData(21, true)]
    [InlineData(22, true)]
    [InlineData(23, true)]
    [InlineData(24, true)]
    [InlineData(25, true)]
    [InlineData(26, true)]
    public void Peers_that_do_anything_end_once_and_leave_nothing(int seed, bool isLinked)
    {
        var random = new Random(seed);
        using var harness = new RelayHarness(new PairSettings { PingInterval = 500, PongTimeout = 700, IdleTimeout = 5000 }, new ManualClock());
        var all = Open(harness, random, isLinked, hasLimits: true);
        for (var step = 0; step < 8000; step++)
        {
            var peer = all[random.Next(all.Count)];
            switch (random.Next(400))
            {
                case 0:
                    peer.Finish();
                    break;
                case 1:
                    peer.Reset((LinkEnd)random.Next(4));
                    break;
                case 2:
                    peer.SayClose(random);
                    break;
                case 3:
                    peer.SayNonsense(random);
                    break;
                case 4:
                    peer.Deaf = !peer.Deaf;
                    break;
                case 5:
                    var index = random.Next(Pairs);
                    _ = harness.OnLoop(l => l.Close(l.Core.Pairs[index].Id, EndReason.AdminClose, CloseCode.GoingAway, CloseCode.GoingAway));
                    break;
                case < 20:
                    harness.Advance(random.Next(1, 200));
                    break;
                default:
                    Act(peer, random);
                    break;
            }
        }

        foreach (var peer in all)
            peer.TryReceive(random);
        Assert.All(all, p => p.AssertHeardRight(wholly: false));
        foreach (var peer in all)
        {
            if (random.Next(2) == 0)
                peer.Reset();
            else
                peer.Socket.Dispose();
        }

        AssertAllGone(harness, all);
    }

    /// <summary>Every pair may be saved and continued at any time, in its own process as in another.</summary>
    private static bool SaveAndContinue(EventLoop.EventLoop loop, int index)
    {
        var image = PairImage.Detach(loop.Core, loop.Held, index, out var downstream, out var upstream);
        return image is not null && PairImage.Attach(loop.Core, loop.Relay, loop.Held, _ => null, image, downstream, upstream);
    }

    private static int CountSpills(EventLoop.EventLoop loop)
    {
        var count = 0;
        for (var i = 0; i < loop.Core.Pairs.HighWater; i++)
            count += (loop.Core.Pairs[i].Down.Spill.IsEmpty ? 0 : 1) + (loop.Core.Pairs[i].Up.Spill.IsEmpty ? 0 : 1);
        return count;
    }

    private static void Act(RandomPeer peer, Random random)
    {
        if (random.Next(2) == 0)
            peer.TrySend(random, says: true);
        else
            peer.TryReceive(random);
    }

    /// <param name="isLinked">Both legs are socket pairs.</param>
    private static List<RandomPeer> Open(RelayHarness harness, Random random, bool isLinked, bool hasLimits = false)
    {
        var all = new List<RandomPeer>();
        var dialer = new TestDialer { Answer = () => null };
        if (isLinked)
            harness.Policy.Dialer = _ => dialer;
        harness.Policy.Established = handshake =>
        {
            ref var pair = ref harness.Loop.Core.Pairs[handshake.PairIndex];
            Sys.SetBuffers(pair.Down.Fd, 0, 1);
            Sys.SetBuffers(pair.Up.Fd, 0, 1);
        };
        for (var i = 0; i < Pairs; i++)
        {
            harness.Policy.Settings = harness.Policy.Settings with
            {
                SpillCap = new[] { 0, 100, 3000, 100_000 }[random.Next(4)],
                MessageBytes = hasLimits ? new[] { 0, 0, 40_000 }[random.Next(3)] : 0,
                MessagesPerSecond = hasLimits ? new[] { 0, 0, 2 }[random.Next(3)] : 0,
            };
            RandomPeer client, endpoint;
            if (isLinked)
            {
                var (link, dial) = OpenLinked(harness, dialer);
                client = new RandomPeer(link.Raw.Socket, client: true) { Link = link };
                endpoint = new RandomPeer(dial.Raw.Socket, client: false) { Link = dial };
            }
            else
            {
                var ends = harness.Open();
                client = new RandomPeer(ends.Client.Socket, client: true);
                endpoint = new RandomPeer(ends.Endpoint.Socket, client: false);
            }

            client.Other = endpoint;
            endpoint.Other = client;
            all.Add(client);
            all.Add(endpoint);
        }

        return all;
    }

    private static (LinkedPeer Client, LinkedPeer Endpoint) OpenLinked(RelayHarness harness, TestDialer dialer)
    {
        var client = LinkedPeer.Open(out var fd);
        harness.Loop.Connect(client.Request(fd));
        var endpoint = dialer.Take().Endpoint;
        _ = endpoint.Raw.ReceiveHead();
        endpoint.Raw.Send(RelayHarness.Switching);
        Assert.Equal(RelayHarness.Switching, client.Raw.ReceiveHead());
        return (client, endpoint);
    }

    private static void AssertAllGone(RelayHarness harness, List<RandomPeer> all)
    {
        for (var i = 0; i < 4; i++)
            harness.Advance(11_000);
        harness.Until(l => l.Core.Pairs.Count == 0, "a pair never ends");
        Assert.Equal((0, 0), harness.OnLoop(l => (l.Established, l.Handshakes.InFlight)));
        Assert.Equal(Pairs, harness.Policy.Ends.Count);
        Assert.All(harness.Policy.Ends, e => Assert.NotEqual(EndReason.None, e.Reason));
        Assert.Equal(Pairs, harness.Policy.Ends.Select(e => e.Id).Distinct().Count());
        Assert.All(all, p => Assert.Equal(1, p.Link?.Calls ?? 1));
    }
}
