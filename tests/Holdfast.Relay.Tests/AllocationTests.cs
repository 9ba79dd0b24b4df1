using Holdfast.Relay.Holding;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Nothing is allocated per message on the loop's thread. Alone, so that a million messages take their time undisturbed.</summary>
[Collection(nameof(Alone))]
public sealed class AllocationTests
{
    private const int Pairs = 4, Batch = 10;

    [Theory]
    [InlineData(1_000_000, 0, 0)]
    [InlineData(100_000, 1000, int.MaxValue)]
    public async Task Relayed_messages_allocate_nothing_on_the_loops_thread(int messages, int messageBytes, int messagesPerSecond)
    {
        using var harness = new RelayHarness(new PairSettings
        {
            SpillCap = 1 << 20,
            PingInterval = 30_000,
            PongTimeout = 20_000,
            MessageBytes = messageBytes,
            MessagesPerSecond = messagesPerSecond,
        });
        var all = new List<Ends>();
        for (var i = 0; i < Pairs; i++)
            all.Add(harness.Open());

        await Relay(all, messages / 50);
        var counted = harness.Loop.Traffic[0].MessagesToEndpoint + harness.Loop.Traffic[0].MessagesToClient;
        var rounds = await RelayWithoutAllocation(harness.Loop, () => Relay(all, messages));
        Assert.Equal(rounds * messages, harness.Loop.Traffic[0].MessagesToEndpoint + harness.Loop.Traffic[0].MessagesToClient - counted);
        foreach (var ends in all)
            ends.Dispose();
    }

    [Fact]
    public async Task Messages_through_links_allocate_nothing_on_the_loops_thread()
    {
        const int Messages = 200_000;
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 20, PingInterval = 30_000, PongTimeout = 20_000 });
        var dialer = new TestDialer { Answer = () => null };
        harness.Policy.Dialer = _ => dialer;
        var all = new List<Ends>();
        for (var i = 0; i < Pairs; i++)
        {
            var client = LinkedPeer.Open(out var fd);
            harness.Loop.Connect(client.Request(fd));
            var endpoint = dialer.Take().Endpoint;
            _ = endpoint.Raw.ReceiveHead();
            endpoint.Raw.Send(RelayHarness.Switching);
            _ = client.Raw.ReceiveHead();
            all.Add(new Ends(client.Raw, endpoint.Raw));
        }

        await Relay(all, Messages / 10);
        var counted = harness.Loop.Traffic[0].MessagesToEndpoint + harness.Loop.Traffic[0].MessagesToClient;
        var rounds = await RelayWithoutAllocation(harness.Loop, () => Relay(all, Messages));
        Assert.Equal(rounds * Messages, harness.Loop.Traffic[0].MessagesToEndpoint + harness.Loop.Traffic[0].MessagesToClient - counted);
        foreach (var ends in all)
            ends.Dispose();
    }

    [Fact]
    public void A_thousand_linked_connections_leave_no_descriptor()
    {
        using var harness = new RelayHarness();
        var dialer = new TestDialer { Answer = () => null };
        harness.Policy.Dialer = _ => dialer;
        Serve(0);
        var before = Descriptors();
        for (var i = 0; i < 1000; i++)
            Serve(i);
        Assert.Equal(before, Descriptors());

        void Serve(int i)
        {
            using var client = LinkedPeer.Open(out var fd);
            harness.Loop.Connect(client.Request(fd));
            if (i % 10 == 9)
                client.Dispose();       // Unheard, at whatever step.
            using var endpoint = dialer.Dials.TryTake(out var dial, i % 10 == 9 ? TimeSpan.FromMilliseconds(1) : RawPeer.Patience) ? dial.Endpoint : null;
            if (i % 10 < 8)
            {
                _ = endpoint!.Raw.ReceiveHead();
                endpoint.Raw.Send(RelayHarness.Switching);
                _ = client.Raw.ReceiveHead();
                if (i % 2 == 0)
                    client.Leave(LinkEnd.Reset);
                else
                    endpoint.Leave(LinkEnd.Eof);
            }

            client.Dispose();
            endpoint?.Dispose();
            _ = client.WaitForClose();
            harness.Until(l => l.Core.Pairs.Count == 0, "a pair is left");
            while (dialer.Dials.TryTake(out var late))
                late.Endpoint.Dispose();
        }

        static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;
    }

    [Fact]
    public async Task A_hundred_thousand_messages_of_a_held_pair_allocate_nothing_on_the_loops_thread()
    {
        const int Messages = 100_000;
        // The endpoint is asked what it has read a great many times meanwhile.
        var hold = new HoldSettings { Fence = Timers.TimerWheel.Resolution };
        using var harness = new RelayHarness(hold: hold, rehomes: new TestRehomePolicy());
        var all = new List<Ends>();
        for (var i = 0; i < Pairs; i++)
            all.Add(harness.Open());

        _ = await RelayHeld(all, Messages / 10);
        var counted = harness.Loop.Traffic[0].MessagesToEndpoint + harness.Loop.Traffic[0].MessagesToClient;
        var pings = 0;
        var rounds = await RelayWithoutAllocation(harness.Loop, async () => pings += await RelayHeld(all, Messages));
        Assert.NotEqual(0, pings);
        Assert.Equal(rounds * Messages, harness.Loop.Traffic[0].MessagesToEndpoint + harness.Loop.Traffic[0].MessagesToClient - counted);
        foreach (var ends in all)
            ends.Dispose();
    }

    /// <summary>
    /// Relays until a round has allocated nothing on the loop's thread, five times at most, and tells how many it took: what the runtime makes once, when code is
    /// compiled again or a collection takes the thread's buffer away, comes in one round; what each message costs comes in all.
    /// </summary>
    private static async Task<int> RelayWithoutAllocation(EventLoop.EventLoop loop, Func<Task> round)
    {
        for (var rounds = 1; ; rounds++)
        {
            var before = AllocatedBy(loop);
            await round();
            var allocated = AllocatedBy(loop) - before;
            if (allocated == 0)
                return rounds;
            Assert.True(rounds < 5, $"every round allocates, the last {allocated} bytes");
        }
    }

    /// <summary>What the loop's thread has allocated so far. The asking allocates on this thread only.</summary>
    private static long AllocatedBy(EventLoop.EventLoop loop)
    {
        var answer = -1L;
        loop.Post(_ => Volatile.Write(ref answer, GC.GetAllocatedBytesForCurrentThread()));
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref answer) >= 0, RawPeer.Patience), "the loop does not run");
        return Volatile.Read(ref answer);
    }

    /// <summary>Half of the messages go up and half come back, over all pairs, a few at a time so that nobody waits for buffers.</summary>
    private static Task Relay(List<Ends> all, int messages) => Task.WhenAll(all.Select(ends => Task.Run(() =>
    {
        var up = Repeat(Frames.FromClient(Frames.Binary, new byte[64]));
        var down = Repeat(Frames.FromServer(Frames.Binary, new byte[64]));
        var gotUp = new byte[up.Length];
        var gotDown = new byte[down.Length];
        for (var i = 0; i < messages / 2 / Batch / Pairs; i++)
        {
            ends.Client.Send(up);
            ends.Endpoint.ReceiveInto(gotUp);
            ends.Endpoint.Send(down);
            ends.Client.ReceiveInto(gotDown);
        }

        Assert.Equal(up, gotUp);
        Assert.Equal(down, gotDown);
    })));

    /// <summary>The same, with an endpoint that answers pings; how many there were.</summary>
    private static async Task<int> RelayHeld(List<Ends> all, int messages) => (await Task.WhenAll(all.Select(ends => Task.Run(() =>
    {
        var up = Repeat(Frames.FromClient(Frames.Binary, new byte[64]));
        var down = Repeat(Frames.FromServer(Frames.Binary, new byte[64]));
        var gotDown = new byte[down.Length];
        var pings = 0;
        for (var i = 0; i < messages / 2 / Batch / Pairs; i++)
        {
            ends.Client.Send(up);
            for (var got = 0; got < Batch;)
            {
                var frame = ends.Endpoint.ReceiveFrame();
                if (frame.Opcode == Frames.Ping)
                {
                    ends.Endpoint.Send(Frames.FromServer(Frames.Pong, frame.Payload));
                    pings++;
                    continue;
                }

                Assert.Equal((Frames.Binary, 64), (frame.Opcode, frame.Payload.Length));
                got++;
            }

            ends.Endpoint.Send(down);
            ends.Client.ReceiveInto(gotDown);
        }

        Assert.Equal(down, gotDown);
        return pings;
    })))).Sum();

    private static byte[] Repeat(byte[] frame)
    {
        var all = new byte[frame.Length * Batch];
        for (var i = 0; i < Batch; i++)
            frame.CopyTo(all, i * frame.Length);
        return all;
    }
}

/// <summary>Tests that measure, or start processes (which inherit descriptors), do not run beside others.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public static class Alone;
