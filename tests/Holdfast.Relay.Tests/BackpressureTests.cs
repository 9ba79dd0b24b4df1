using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>A slow side stops the other's reads; what waits is bounded, and nothing is lost.</summary>
public sealed class BackpressureTests
{
    private const int SmallBuffer = 4096;

    public static TheoryData<bool, int> SidesAndCaps() => new()
    {
        { true, 1 << 20 },
        { false, 1 << 20 },
        { true, 1000 },     // Smaller than a read.
        { false, 1000 },
        { true, 0 },        // No cap: one read at most waits.
        { false, 0 },
    };

    [Theory]
    [MemberData(nameof(SidesAndCaps))]
    public void A_slow_side_loses_nothing_and_holds_up_no_more_than_the_cap(bool slowClient, int cap)
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = cap }, endpointBuffer: slowClient ? 0 : SmallBuffer);
        using var ends = harness.Open(slowClient ? SmallBuffer : 0);
        var (sender, receiver) = slowClient ? (ends.Endpoint, ends.Client) : (ends.Client, ends.Endpoint);
        var sent = Stuff(harness, sender, slowClient);
        var waiting = harness.Pair().Legs[slowClient ? 0 : 1].Spill.Length;
        Assert.InRange(waiting, 1, cap == 0 ? 64 << 10 : Math.Min(cap, 64 << 10));

        // The other direction is not held up.
        var back = slowClient ? Frames.FromClient(Frames.Text, "back"u8) : Frames.FromServer(Frames.Text, "back"u8);
        receiver.Send(back);
        Assert.Equal(back, sender.Receive(back.Length));

        for (var i = 0; i < sent; i++)
        {
            var frame = receiver.ReceiveFrame();
            Assert.Equal(Numbered(i), frame.Payload);
        }

        harness.Until(l => l.Core.Pairs[0].Legs[slowClient ? 0 : 1].Spill.IsEmpty, "nothing waits any more");
        Assert.Equal(LegFlags.None, (harness.Pair().Down.Flags | harness.Pair().Up.Flags) & LegFlags.Paused);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_side_that_takes_nothing_for_the_pong_time_out_is_stalled_and_the_other_is_told(bool slowClient)
    {
        using var harness = new RelayHarness(
            new PairSettings { SpillCap = 100_000, PongTimeout = 1000 }, new ManualClock(), endpointBuffer: slowClient ? 0 : SmallBuffer);
        using var ends = harness.Open(slowClient ? SmallBuffer : 0);
        var (sender, receiver) = slowClient ? (ends.Endpoint, ends.Client) : (ends.Client, ends.Endpoint);
        _ = Stuff(harness, sender, slowClient);
        harness.Advance(900);
        Assert.Equal(1, harness.Loop.Established);
        harness.Advance(1000);
        var close = sender.ReceiveFrame();
        Assert.Equal((Frames.Close, slowClient ? 1001 : 1012), (close.Opcode, close.CloseCode));
        _ = receiver.ReceiveToReset();
        ends.Dispose();
        var end = harness.WaitForEnd();
        Assert.Equal(slowClient ? EndReason.DownstreamStalled : EndReason.UpstreamStalled, end.Reason);
        Assert.Equal(slowClient ? EndSide.Downstream : EndSide.Upstream, end.Side);
    }

    [Fact]
    public async Task A_side_whose_reads_are_paused_is_neither_pinged_nor_dead()
    {
        using var harness = new RelayHarness(
            new PairSettings { SpillCap = 100_000, PingInterval = 300, PongTimeout = 1000 }, new ManualClock(), endpointBuffer: SmallBuffer);
        var ends = harness.Open();
        var flood = Task.Run(() =>
        {
            var frame = Frames.FromClient(Frames.Binary, new byte[10_000]);
            while (true)
                ends.Client.Send(frame);
        });
        var piece = new byte[256 << 10];
        for (var i = 0; i < 6; i++)
        {
            harness.Until(l => l.Core.Pairs[0].Down.Has(LegFlags.Paused), "the client is not read");
            harness.Advance(700);
            Assert.Equal(LegFlags.None, harness.Pair().Down.Flags & LegFlags.PingPending);
            // The endpoint takes a little, so that it is slow and not stalled.
            var before = harness.Pair().Up.SpillProgressAt;
            while (harness.Pair().Up.SpillProgressAt == before)
                Assert.NotEqual(0, await ends.Endpoint.Socket.ReceiveAsync(piece));
        }

        Assert.Equal(PairState.Relaying, harness.Pair().State);
        ends.Dispose();
        await Assert.ThrowsAnyAsync<Exception>(() => flood);
    }

    [Fact]
    public void A_close_waits_behind_what_a_slow_client_is_owed()
    {
        using var harness = new RelayHarness(clock: new ManualClock());
        using var ends = harness.Open(SmallBuffer);
        var sent = Stuff(harness, ends.Endpoint, slowClient: true);
        ends.Endpoint.Dispose();
        for (var i = 0; i < sent; i++)
            Assert.Equal(Numbered(i), ends.Client.ReceiveFrame().Payload);
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
        Assert.Empty(ends.Client.ReceiveToEnd());
        ends.Client.Dispose();
        Assert.Equal(EndReason.UpstreamEof, harness.WaitForEnd().Reason);
    }

    [Fact]
    public void A_slow_client_that_is_reset_frees_the_pair()
    {
        using var harness = new RelayHarness(clock: new ManualClock());
        using var ends = harness.Open(SmallBuffer);
        _ = Stuff(harness, ends.Endpoint, slowClient: true);
        ends.Client.Reset();
        ends.Endpoint.ReceiveToEnd();
        ends.Endpoint.Dispose();
        Assert.Equal(EndReason.DownstreamReset, harness.WaitForEnd().Reason);
        Assert.Equal(0, harness.OnLoop(l => l.Core.Pairs.Count));
    }

    [Fact]
    public void More_than_the_cap_at_once_ends_the_pair()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1000 });
        // The one way to it: what came early with a head was read before the cap was known.
        harness.Policy.Established = handshake =>
        {
            ref var pair = ref harness.Loop.Core.Pairs[handshake.PairIndex];
            Sys.SetBuffers(pair.Down.Fd, 0, 1);
        };
        using var client = harness.Connect(1);
        client.Send(RelayHarness.Request);
        using var endpoint = RawPeer.Accept(harness.Endpoints);
        _ = endpoint.ReceiveHead();
        var head = System.Text.Encoding.ASCII.GetBytes(RelayHarness.Switching);
        endpoint.Send([.. head, .. Frames.FromServer(Frames.Binary, new byte[60_000])]);
        var end = harness.WaitForEnd();
        Assert.Equal((EndReason.SpillOverflow, EndSide.Downstream), (end.Reason, end.Side));
        _ = client.ReceiveToReset();
    }

    /// <summary>Sends numbered frames until the receiver's leg has a spill and the sender is no longer read; how many.</summary>
    private static int Stuff(RelayHarness harness, RawPeer sender, bool slowClient)
    {
        var sent = 0;
        while (true)
        {
            var payload = Numbered(sent);
            var frame = slowClient ? Frames.FromServer(Frames.Binary, payload) : Frames.FromClient(Frames.Binary, payload);
            sender.Send(frame);
            sent++;
            var pair = harness.Pair();
            if (!pair.Legs[slowClient ? 0 : 1].Spill.IsEmpty && pair.Legs[slowClient ? 1 : 0].Has(LegFlags.Paused))
                return sent;
        }
    }

    private static byte[] Numbered(int number)
    {
        var payload = new byte[10_000];
        for (var i = 0; i < payload.Length; i++)
            payload[i] = (byte)((number * 31) + (i >> 3));
        return payload;
    }
}
