using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>What breaks RFC 6455 ends its own pair with the right codes, and nothing else.</summary>
public sealed class ProtocolErrorTests
{
    /// <summary>By name: the bytes after some good ones, for a client and for an endpoint.</summary>
    private static readonly Dictionary<string, (byte[] Client, byte[] Endpoint)> Violations = new(StringComparer.Ordinal)
    {
        ["mask of the wrong side"] = (Frames.FromServer(Frames.Text, "x"u8), Frames.FromClient(Frames.Text, "x"u8)),
        ["RSV1"] = Both(0xC1, 1),
        ["RSV2"] = Both(0xA1, 1),
        ["RSV3"] = Both(0x91, 1),
        ["reserved opcode 3"] = Both(0x83, 1),
        ["reserved opcode 7"] = Both(0x87, 1),
        ["reserved opcode 11"] = Both(0x8B, 1),
        ["reserved opcode 15"] = Both(0x8F, 1),
        ["control frame of 126 bytes"] = Both(0x89, 126, 0, 126),
        ["control frame with a 64-bit length"] = Both(0x88, 127, 0, 0, 0, 0, 0, 0, 0, 1),
        ["fragmented ping"] = Both(0x09, 1),
        ["fragmented close"] = Both(0x08, 0),
        ["length of 125 in 16 bits"] = Both(0x82, 126, 0, 125),
        ["length of 65535 in 64 bits"] = Both(0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF),
        ["top bit of a 64-bit length"] = Both(0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0),
        ["continuation of nothing"] = Both(0x80, 1),
        ["new message inside a fragmented one"] = (
            [.. Frames.FromClient(Frames.Text, "a"u8, fin: false), .. Frames.FromClient(Frames.Text, "b"u8)],
            [.. Frames.FromServer(Frames.Text, "a"u8, fin: false), .. Frames.FromServer(Frames.Text, "b"u8)]),
    };

    public static TheoryData<string, bool> Cases()
    {
        var cases = new TheoryData<string, bool>();
        foreach (var name in Violations.Keys)
        {
            cases.Add(name, true);
            cases.Add(name, false);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_violation_ends_its_pair_and_the_neighbour_never_notices(string what, bool byClient)
    {
        using var harness = new RelayHarness();
        using var neighbour = harness.Open();
        using var ends = harness.Open();
        var good = byClient ? Frames.FromClient(Frames.Text, "good"u8) : Frames.FromServer(Frames.Text, "good"u8);
        var (culprit, other) = byClient ? (ends.Client, ends.Endpoint) : (ends.Endpoint, ends.Client);
        AssertEcho(neighbour, 1);
        culprit.Send([.. good, .. byClient ? Violations[what].Client : Violations[what].Endpoint]);
        AssertEcho(neighbour, 2);

        Assert.Equal(good, other.Receive(good.Length));
        var told = other.ReceiveFrame();
        if (told.Opcode == Frames.Text)
            told = other.ReceiveFrame();      // The good fragment before the bad frame.
        Assert.Equal((Frames.Close, byClient ? 1001 : 1011, byClient), (told.Opcode, told.CloseCode, told.Masked));
        Assert.Empty(other.ReceiveToEnd());
        var answer = culprit.ReceiveFrame();
        Assert.Equal((Frames.Close, 1002, !byClient), (answer.Opcode, answer.CloseCode, answer.Masked));
        Assert.Empty(culprit.ReceiveToEnd());
        ends.Dispose();

        var end = harness.WaitForEnd();
        Assert.Equal(byClient ? EndReason.DownstreamProtocolError : EndReason.UpstreamProtocolError, end.Reason);
        Assert.Equal(byClient ? EndSide.Downstream : EndSide.Upstream, end.Side);
        AssertEcho(neighbour, 3);
        Assert.Equal(1, harness.Loop.Established);
    }

    [Theory]
    [InlineData(ReservedBits.CompressionOnly, 0xC1, true)]
    [InlineData(ReservedBits.CompressionOnly, 0xA1, false)]
    [InlineData(ReservedBits.NotJudged, 0xF1, true)]
    public void Reserved_bits_are_judged_by_what_the_101_accepted(ReservedBits bits, byte first, bool passes)
    {
        using var harness = new RelayHarness(reservedBits: bits);
        using var ends = harness.Open();
        byte[] frame = [first, 1, (byte)'x'];
        ends.Endpoint.Send(frame);
        if (passes)
            Assert.Equal(frame, ends.Client.Receive(3));
        else
            Assert.Equal(1011, ends.Client.ReceiveFrame().CloseCode);
    }

    [Fact]
    public void A_violation_while_the_other_side_is_inside_a_frame_lets_the_frame_end_first()
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        var frame = Frames.FromServer(Frames.Binary, new byte[100]);
        ends.Endpoint.Send(frame.AsSpan(0, 40));
        Assert.Equal(frame[..40], ends.Client.Receive(40));
        ends.Client.Send([0xFF, 0xFF, 0xFF]);
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        ends.Endpoint.Send(frame.AsSpan(40));
        Assert.Equal(frame[40..], ends.Client.Receive(60 + 2));
        Assert.Equal(1002, ends.Client.ReceiveFrame().CloseCode);
    }

    private static void AssertEcho(Ends ends, byte value)
    {
        ends.Client.Send(Frames.FromClient(Frames.Binary, [value]));
        Assert.Equal([value], ends.Endpoint.ReceiveFrame().Payload);
        ends.Endpoint.Send(Frames.FromServer(Frames.Binary, [value]));
        Assert.Equal([value], ends.Client.ReceiveFrame().Payload);
    }

    /// <summary>A header by its two first bytes; the client's copy has the mask bit, and both have enough behind them.</summary>
    private static (byte[] Client, byte[] Endpoint) Both(byte first, byte length, params byte[] rest) =>
        ([first, (byte)(length | 0x80), .. rest, 1, 2, 3, 4, 5], [first, length, .. rest, 5]);
}
