using System.Text;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>How pairs are relayed: as they are; held; held, with a machine that looks at whole messages.</summary>
public enum Relaying
{
    Plain,
    Held,
    Inspected,
}

/// <summary>What a client may send at most, to the byte and to the message, whichever way its pair is relayed.</summary>
public sealed class MessageLimitTests
{
    private const int Limit = 300;
    private readonly ManualClock _clock = new();
    private readonly TestRehomePolicy _rehomes = new();

    public static TheoryData<Relaying, int> Sizes() => Matrix(1, 125, 126, 65_535, 65_536, 65_537, 200_000);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void A_message_of_the_limit_passes_and_one_byte_more_does_not(Relaying relaying, int limit)
    {
        using var harness = Start(relaying, limit, 0);
        using var ends = harness.Open();
        for (var i = 0; i < 3; i++)
            Pass(ends, Frames.FromClient(Frames.Binary, new byte[limit]));
        Pass(ends, Frames.FromClient(Frames.Text, []));

        ends.Client.Send(Frames.FromClient(Frames.Binary, new byte[limit + 1]));
        AssertTooBig(harness, ends, limit, passed: 4);
    }

    [Theory]
    [InlineData(Relaying.Plain)]
    [InlineData(Relaying.Held)]
    [InlineData(Relaying.Inspected)]
    public void The_fragments_of_a_message_count_together_and_control_frames_between_them_do_not(Relaying relaying)
    {
        using var harness = Start(relaying, Limit, 0);
        using var ends = harness.Open();
        var ping = Frames.FromClient(Frames.Ping, new byte[125]);
        byte[] Message(int last) =>
        [
            .. Frames.FromClient(Frames.Text, new byte[100], fin: false), .. ping, .. Frames.FromClient(Frames.Continuation, [], fin: false),
            .. Frames.FromClient(Frames.Continuation, new byte[150], fin: false), .. ping, .. Frames.FromClient(Frames.Continuation, new byte[last]),
        ];
        for (var i = 0; i < 3; i++)
        {
            ends.Client.Send(Message(50));
            Assert.Equal(Limit, ReceiveMessage(ends.Endpoint));
        }

        ends.Client.Send(Message(51));
        if (relaying != Relaying.Inspected)
        {
            // What came before the frame that goes too far has left; a machine's messages leave whole.
            Assert.Equal([100, 0, 150], Enumerable.Range(0, 3).Select(_ => NextData(ends.Endpoint).Payload.Length));
        }

        Assert.Equal(Frames.Ping, ends.Endpoint.ReceiveFrame().Opcode);
        if (relaying == Relaying.Inspected)
            Assert.Equal(Frames.Ping, ends.Endpoint.ReceiveFrame().Opcode);
        AssertTooBig(harness, ends, Limit, passed: 3);
    }

    [Theory]
    [InlineData(Relaying.Plain)]
    [InlineData(Relaying.Held)]
    [InlineData(Relaying.Inspected)]
    public void Whatever_the_reads_bring_the_same_passes(Relaying relaying)
    {
        using var harness = Start(relaying, Limit, 0);
        byte[] first = Frames.FromClient(Frames.Text, new byte[Limit]);
        byte[] fragment = Frames.FromClient(Frames.Binary, new byte[10], fin: false);
        byte[] ping = Frames.FromClient(Frames.Ping, "still there?"u8);
        byte[] tooMuch = Frames.FromClient(Frames.Continuation, new byte[Limit - 9]);
        byte[] all = [.. first, .. fragment, .. ping, .. tooMuch];
        byte[] expected = relaying == Relaying.Inspected ? [.. first, .. ping] : [.. first, .. fragment, .. ping];
        for (var cut = 1; cut < all.Length; cut++)
        {
            using var ends = harness.Open();
            ends.Client.Send(all.AsSpan(0, cut));
            harness.Until(l => l.Core.Pairs[0].Down.BytesReceived == cut, "the start is read");
            ends.Client.Send(all.AsSpan(cut));
            Assert.Equal(expected, ends.Endpoint.Receive(expected.Length));
            AssertTooBig(harness, ends, Limit, passed: 1);
        }
    }

    [Theory]
    [InlineData(Relaying.Plain, 1)]
    [InlineData(Relaying.Plain, Limit)]
    [InlineData(Relaying.Plain, int.MaxValue)]
    [InlineData(Relaying.Held, int.MaxValue)]
    [InlineData(Relaying.Inspected, int.MaxValue)]
    public void The_longest_length_that_can_be_declared_is_refused_at_the_header(Relaying relaying, int limit)
    {
        using var harness = Start(relaying, limit, 0);
        foreach (var fragment in new byte[][] { [], Frames.FromClient(Frames.Binary, [7], fin: false) })
        {
            using var ends = harness.Open();
            ends.Client.Send([.. fragment, .. Frames.Header(fragment.Length == 0 ? Frames.Binary : Frames.Continuation, long.MaxValue, fin: true, key: 1)]);
            if (relaying != Relaying.Inspected)
                Assert.Equal(fragment, ends.Endpoint.Receive(fragment.Length));
            AssertTooBig(harness, ends, limit, passed: 0);
        }
    }

    [Fact]
    public void A_compressed_message_counts_as_it_is_on_the_wire()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 1 << 20, MessageBytes = Limit }, reservedBits: ReservedBits.CompressionOnly);
        using var ends = harness.Open();
        var frame = Frames.FromClient(Frames.Text, new byte[Limit]);
        frame[0] |= 0x40;
        Pass(ends, frame);
        frame = Frames.FromClient(Frames.Text, new byte[Limit + 1]);
        frame[0] |= 0x40;
        ends.Client.Send(frame);
        AssertTooBig(harness, ends, Limit, passed: 1);
    }

    public static TheoryData<Relaying, int> Rates() => Matrix(1, 3, 7, 100, 1000);

    [Theory]
    [MemberData(nameof(Rates))]
    public void Of_many_messages_in_one_read_as_many_pass_as_the_rate_allows(Relaying relaying, int rate)
    {
        using var harness = Start(relaying, 0, rate);
        using var ends = harness.Open();
        var frames = Enumerable.Range(0, 2 * rate).Select(i => Frames.FromClient(Frames.Binary, Encoding.ASCII.GetBytes(FormattableString.Invariant($"{i}")))).ToArray();
        ends.Client.Send([.. frames.SelectMany(f => f)]);
        byte[] expected = [.. frames[..rate].SelectMany(f => f)];
        Assert.Equal(expected, ends.Endpoint.Receive(expected.Length));
        AssertTooMany(harness, ends, rate, passed: rate);
    }

    [Theory]
    [InlineData(Relaying.Plain, 10, 99)]
    [InlineData(Relaying.Plain, 3, 333)]
    [InlineData(Relaying.Plain, 1, 999)]
    [InlineData(Relaying.Held, 3, 333)]
    [InlineData(Relaying.Inspected, 3, 333)]
    public void After_the_burst_a_message_passes_when_its_time_has_come_and_not_a_millisecond_earlier(Relaying relaying, int rate, int tooSoon)
    {
        using var harness = Start(relaying, 0, rate);
        using var patient = harness.Open();
        using var hasty = harness.Open();
        var message = Frames.FromClient(Frames.Text, "x"u8);
        for (var i = 0; i < rate; i++)
        {
            Pass(patient, message);
            Pass(hasty, message);
        }

        harness.Advance(tooSoon);
        hasty.Client.Send(message);
        AssertTooMany(harness, hasty, rate, passed: rate);
        harness.Advance(1);
        Pass(patient, message);

        // A long rest fills the bucket, and does not make it larger.
        harness.Advance(3_600_000);
        for (var i = 0; i < rate; i++)
            Pass(patient, message);
        patient.Client.Send(message);
        AssertTooMany(harness, patient, rate, passed: (2 * rate) + 1);
    }

    [Theory]
    [InlineData(Relaying.Plain)]
    [InlineData(Relaying.Held)]
    [InlineData(Relaying.Inspected)]
    public void Control_frames_fragments_and_what_the_endpoint_sends_have_no_rate_and_no_size(Relaying relaying)
    {
        using var harness = Start(relaying, 1, 1);
        using var ends = harness.Open();
        for (var i = 0; i < 50; i++)
            ends.Client.Send(Frames.FromClient(Frames.Ping, "ping"u8));
        for (var i = 0; i < 50; i++)
            Assert.Equal("ping"u8, ends.Endpoint.ReceiveFrame().Payload);
        for (var i = 0; i < 50; i++)
            ends.Client.Send(Frames.FromClient(i == 0 ? Frames.Text : Frames.Continuation, [], fin: false));
        Pass(ends, Frames.FromClient(Frames.Continuation, "x"u8), before: 50 * 6);

        var down = Frames.FromServer(Frames.Text, "far more than the client may send"u8);
        for (var i = 0; i < 50; i++)
            ends.Endpoint.Send(down);
        for (var i = 0; i < 50; i++)
            Assert.Equal(down, ends.Client.Receive(down.Length));
    }

    [Theory]
    [InlineData(Relaying.Plain)]
    [InlineData(Relaying.Held)]
    public void A_client_in_the_middle_of_an_endpoints_frame_is_told_after_it(Relaying relaying)
    {
        using var harness = Start(relaying, Limit, 0);
        using var ends = harness.Open();
        // Longer than what a held pair keeps until it is whole.
        var frame = Frames.FromServer(Frames.Binary, new byte[100_000]);
        ends.Endpoint.Send(frame.AsSpan(0, 80_000));
        Assert.Equal(frame[..80_000], ends.Client.Receive(80_000));
        ends.Client.Send(Frames.FromClient(Frames.Text, new byte[Limit + 1]));
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Send(frame.AsSpan(80_000));
        Assert.Equal(frame[80_000..], ends.Client.Receive(20_000 + 10));
        var close = ends.Client.ReceiveFrame();
        Assert.Equal((Frames.Close, 1009), (close.Opcode, close.CloseCode));
    }

    [Fact]
    public void What_a_client_still_sends_after_its_limit_is_read_and_dropped()
    {
        using var harness = Start(Relaying.Plain, Limit, 0);
        using var ends = harness.Open();
        ends.Client.Send([.. Frames.Header(Frames.Binary, 10_000_000, fin: true, key: 1), .. new byte[9_000_000]]);
        AssertTooBig(harness, ends, Limit, passed: 0);
    }

    [Fact]
    public void Messages_that_wait_for_another_endpoint_are_measured_as_those_that_do_not()
    {
        using var other = RawPeer.Listen();
        using var harness = Start(Relaying.Held, Limit, 5);
        _rehomes.Add(1, other);
        using var ends = harness.Open();
        var message = Frames.FromClient(Frames.Text, new byte[Limit]);
        Pass(ends, message);
        ends.Endpoint.Reset();
        harness.Until(l => l.Core.Pairs[0].Up.Fd < 0, "the loss is noticed");
        using var next = RawPeer.Accept(other);
        _ = next.ReceiveHead();
        for (var i = 0; i < 4; i++)
            ends.Client.Send(message);
        harness.Until(l => l.Core.Pairs[0].Down.MessagesReceived == 5, "the messages wait");
        next.Send(RelayHarness.Switching);
        for (var i = 0; i < 4; i++)
            Assert.Equal(message, next.Receive(message.Length));
        // What was flushed is fenced at once.
        Assert.Equal(Frames.Ping, next.ReceiveFrame().Opcode);
        ends.Client.Send(message);
        Assert.Equal((Frames.Close, 1001), (next.ReceiveFrame() is var told ? told.Opcode : 0, told.CloseCode));
        AssertClosed(ends.Client, 1008, "more than 5 messages per second");
    }

    [Theory]
    [InlineData(Relaying.Plain)]
    [InlineData(Relaying.Held)]
    public void A_successor_goes_on_with_what_the_client_has_used(Relaying relaying)
    {
        using var harness = Start(relaying, Limit, 2);
        using var tooBig = harness.Open();
        using var tooMany = harness.Open();
        Continue(harness, 0);
        Pass(tooBig, Frames.FromClient(Frames.Text, new byte[200], fin: false));
        Pass(tooMany, Frames.FromClient(Frames.Text, "1"u8));
        Pass(tooMany, Frames.FromClient(Frames.Text, "2"u8));
        for (var i = 0; i < 2; i++)
            Continue(harness, i);

        tooBig.Client.Send(Frames.FromClient(Frames.Continuation, new byte[101]));
        AssertTooBig(harness, tooBig, Limit, passed: 0);
        tooMany.Client.Send(Frames.FromClient(Frames.Text, "3"u8));
        AssertTooMany(harness, tooMany, 2, passed: 2);
    }

    [Fact]
    public void The_rate_is_that_of_a_bucket_of_exact_fractions()
    {
        var random = new Random(20_26);
        for (var run = 0; run < 300; run++)
        {
            var rate = run % 3 == 0 ? random.Next(1, 10) : random.Next(1, run % 3 == 1 ? 2_000 : int.MaxValue);
            var meter = new MessageMeter();
            var settings = new PairSettings { MessagesPerSecond = rate };
            var now = random.NextInt64(1, 1L << 50);
            // In thousandths of messages, of which a millisecond brings as many as messages are allowed in a second.
            UInt128 full = (UInt128)rate * 1000, tokens = full;
            for (var step = 0; step < 2_000; step++)
            {
                var passed = random.Next(4) switch { 0 => random.Next(3), 1 => random.Next(2_000), 2 => 0, _ => random.NextInt64(1L << random.Next(40)) };
                now += passed;
                tokens = UInt128.Min(full, tokens + ((UInt128)passed * (UInt128)rate));
                var scanner = Begin(Frames.FromClient(Frames.Text, []));
                var expected = tokens >= 1000 ? EndReason.None : EndReason.MessageRate;
                Assert.Equal(expected, meter.Judge(in scanner, in settings, now));
                if (expected == EndReason.None)
                    tokens -= 1000;
            }
        }
    }

    private static FrameScanner Begin(byte[] frame)
    {
        var scanner = new FrameScanner(FrameSender.Client, ReservedBits.Refused);
        Assert.Equal(ScanStatus.Data, scanner.Next(frame, out _));
        return scanner;
    }

    private static TheoryData<Relaying, int> Matrix(params int[] values)
    {
        var cases = new TheoryData<Relaying, int>();
        foreach (var relaying in Enum.GetValues<Relaying>())
        {
            foreach (var value in values)
                cases.Add(relaying, value);
        }

        return cases;
    }

    /// <summary>It comes out at the endpoint as it went in.</summary>
    private static void Pass(Ends ends, byte[] frame, int before = 0)
    {
        ends.Client.Send(frame);
        if (before > 0)
            ends.Endpoint.ReceiveInto(new byte[before]);
        Assert.Equal(frame, ends.Endpoint.Receive(frame.Length));
    }

    /// <summary>How many bytes the next message has over its frames.</summary>
    private static int ReceiveMessage(RawPeer peer)
    {
        var length = 0;
        while (true)
        {
            var frame = NextData(peer);
            length += frame.Payload.Length;
            if (frame.Fin)
                return length;
        }
    }

    private static ReceivedFrame NextData(RawPeer peer)
    {
        while (true)
        {
            var frame = peer.ReceiveFrame();
            if (frame.Opcode < Frames.Close)
                return frame;
        }
    }

    /// <summary>Moves a pair as to another process, in the same one.</summary>
    private static void Continue(RelayHarness harness, int index) => Assert.True(harness.OnLoop(l =>
    {
        var hold = harness.Policy.Hold;
        var image = PairImage.Detach(l.Core, l.Held, index, out var downstream, out var upstream);
        return image is not null && PairImage.Attach(l.Core, l.Relay, l.Held, _ => hold, image, downstream, upstream);
    }));

    private static void AssertTooBig(RelayHarness harness, Ends ends, int limit, int passed) =>
        AssertEnded(harness, ends, EndReason.MessageTooBig, 1009, FormattableString.Invariant($"message over {limit} bytes"), passed);

    private static void AssertTooMany(RelayHarness harness, Ends ends, int rate, int passed) =>
        AssertEnded(harness, ends, EndReason.MessageRate, 1008, FormattableString.Invariant($"more than {rate} messages per second"), passed);

    /// <summary>Each side is told, and nothing else reaches the endpoint.</summary>
    private static void AssertEnded(RelayHarness harness, Ends ends, EndReason reason, int code, string text, int passed)
    {
        var told = ends.Endpoint.ReceiveFrame();
        Assert.Equal((Frames.Close, 1001, 2, true), (told.Opcode, told.CloseCode, told.Payload.Length, told.Masked));
        Assert.Empty(ends.Endpoint.ReceiveToEnd());
        AssertClosed(ends.Client, code, text);
        ends.Dispose();
        var end = harness.WaitForEnd();
        Assert.Equal((reason, EndSide.Downstream, code, (long)passed), (end.Reason, end.Side, end.CloseCode, end.MessagesFromClient));
    }

    private static void AssertClosed(RawPeer client, int code, string text)
    {
        var close = client.ReceiveFrame();
        Assert.Equal((Frames.Close, code, text), (close.Opcode, close.CloseCode, Encoding.ASCII.GetString(close.Payload.AsSpan(2))));
        Assert.Empty(client.ReceiveToEnd());
    }

    private RelayHarness Start(Relaying relaying, int bytes, int perSecond) => new(
        new PairSettings { SpillCap = 1 << 20, MessageBytes = bytes, MessagesPerSecond = perSecond },
        _clock,
        hold: relaying == Relaying.Plain ? null : new HoldSettings { NewSession = relaying == Relaying.Inspected ? () => new PassingSession() : null, Fence = int.MaxValue },
        rehomes: _rehomes);
}
