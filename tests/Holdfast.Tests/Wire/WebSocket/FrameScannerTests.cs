using System.Runtime.CompilerServices;
using Holdfast.Fuzz;
using Holdfast.Fuzz.WebSocket;
using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Wire.WebSocket;

public sealed class FrameScannerTests
{
    private static readonly FrameSender[] Senders = [FrameSender.Client, FrameSender.Server];

    [Fact]
    public void The_scanner_is_32_bytes_without_references()
    {
        Assert.Equal(32, Unsafe.SizeOf<FrameScanner>());
        Assert.False(RuntimeHelpers.IsReferenceOrContainsReferences<FrameScanner>());
    }

    [Theory]
    [InlineData(0ul, 7)]
    [InlineData(1ul, 7)]
    [InlineData(125ul, 7)]
    [InlineData(126ul, 16)]
    [InlineData(127ul, 16)]
    [InlineData(65535ul, 16)]
    [InlineData(65536ul, 64)]
    [InlineData(1ul << 32, 64)]
    [InlineData((1ul << 63) - 1, 64)]
    public void A_length_in_its_shortest_form_is_read(ulong length, int bits)
    {
        foreach (FrameSender sender in Senders)
        {
            byte[] header = FrameBytes.Header(0x82, bits, length, FrameBytes.KeyOf(sender));
            var scanner = new FrameScanner(sender, ReservedBits.Refused);
            Assert.Equal(ScanStatus.Data, scanner.Next(header, out int consumed));
            Assert.Equal(header.Length, consumed);
            Assert.Equal(header.Length, scanner.HeaderLength);
            Assert.Equal(length, scanner.PayloadLength);
            Assert.Equal(length, scanner.Remaining);
            Assert.Equal(sender == FrameSender.Client ? 0x3D21FA37u : 0u, scanner.MaskKey);
            Assert.Equal(length == 0, scanner.AtFrameBoundary);
            Assert.Equal(length == 0, scanner.MessageEnded);
            AssertAgreement(sender, ReservedBits.Refused, [.. header, 1, 2, 3, 4, 5, 6, 7, 8]);
        }
    }

    [Theory]
    [InlineData(0ul, 16, 4)]
    [InlineData(125ul, 16, 4)]
    [InlineData(0ul, 64, 8)]
    [InlineData(125ul, 64, 8)]
    [InlineData(126ul, 64, 8)]
    [InlineData(65535ul, 64, 8)]
    public void A_length_in_more_bytes_than_it_needs_is_refused_when_that_is_certain(ulong length, int bits, int certainAt) =>
        AssertRefused(FrameError.LengthNotShortest, 0x82, bits, length, certainAt);

    [Theory]
    [InlineData(1ul << 63)]
    [InlineData(ulong.MaxValue)]
    public void A_length_with_its_top_bit_set_is_refused_at_its_first_byte(ulong length) =>
        AssertRefused(FrameError.LengthTopBitSet, 0x81, 64, length, certainAt: 3);

    [Theory]
    [InlineData(126)]
    [InlineData(127)]
    public void A_control_frame_of_more_than_125_bytes_is_refused_at_its_second_byte(int lengthCode)
    {
        foreach (int opcode in new[] { 8, 9, 10 })
            AssertRefused(FrameError.ControlTooLong, 0x80 | opcode, lengthCode == 126 ? 16 : 64, 70_000, certainAt: 2);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(15)]
    public void A_reserved_opcode_is_refused_at_the_first_byte(int opcode)
    {
        AssertRefused(FrameError.ReservedOpcode, opcode, 7, 5, certainAt: 1);
        AssertRefused(FrameError.ReservedOpcode, 0x80 | opcode, 7, 5, certainAt: 1);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    public void A_fragmented_control_frame_is_refused_at_the_first_byte(int opcode) =>
        AssertRefused(FrameError.ControlFragmented, opcode, 7, 0, certainAt: 1);

    [Fact]
    public void A_client_must_mask_and_a_server_must_not()
    {
        AssertRefused(FrameSender.Client, [], FrameBytes.Frame(0x81, "hello"u8, key: null), FrameError.MaskMissing, certainAt: 2);
        AssertRefused(FrameSender.Server, [], FrameBytes.Frame(0x81, "hello"u8, FrameBytes.Key), FrameError.MaskForbidden, certainAt: 2);
    }

    [Fact]
    public void A_continuation_needs_a_message_and_a_message_must_be_finished()
    {
        foreach (FrameSender sender in Senders)
        {
            byte[]? key = FrameBytes.KeyOf(sender);
            byte[] whole = FrameBytes.Frame(0x81, "whole"u8, key);
            byte[] begun = [.. FrameBytes.Frame(0x01, "begun"u8, key), .. FrameBytes.Frame(0x89, "ping"u8, key)];
            foreach (int first in new[] { 0x00, 0x80 })
            {
                AssertRefused(sender, [], FrameBytes.Frame(first, "x"u8, key), FrameError.UnexpectedContinuation, certainAt: 1);
                AssertRefused(sender, whole, FrameBytes.Frame(first, "x"u8, key), FrameError.UnexpectedContinuation, certainAt: 1);
            }

            foreach (int first in new[] { 0x01, 0x02, 0x81, 0x82 })
                AssertRefused(sender, begun, FrameBytes.Frame(first, "x"u8, key), FrameError.UnfinishedMessage, certainAt: 1);
        }
    }

    [Fact]
    public void Every_first_byte_is_judged_as_the_oracle_does_under_every_policy_between_and_within_messages()
    {
        foreach (FrameSender sender in Senders)
        {
            byte[]? key = FrameBytes.KeyOf(sender);
            foreach (ReservedBits reservedBits in Enum.GetValues<ReservedBits>())
            {
                for (int first = 0; first < 256; first++)
                {
                    AssertAgreement(sender, reservedBits, FrameBytes.Frame(first, "payload"u8, key));
                    AssertAgreement(sender, reservedBits, [.. FrameBytes.Frame(0x01, "start"u8, key), .. FrameBytes.Frame(first, "payload"u8, key)]);
                }
            }
        }
    }

    [Theory]
    [InlineData(ReservedBits.Refused, 0xC1, 0x80, 0, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.Refused, 0xA1, 0x80, 0, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.Refused, 0x91, 0x80, 0, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.CompressionOnly, 0x41, 0x80, 2, FrameError.None)]
    [InlineData(ReservedBits.CompressionOnly, 0x41, 0xC0, 1, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.CompressionOnly, 0x01, 0xC0, 1, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.CompressionOnly, 0x01, 0xC9, 1, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.CompressionOnly, 0x61, 0x80, 0, FrameError.ReservedBitsSet)]
    [InlineData(ReservedBits.NotJudged, 0x71, 0xF0, 2, FrameError.None)]
    [InlineData(ReservedBits.NotJudged, 0x71, 0xF9, 2, FrameError.None)]
    [InlineData(ReservedBits.NotJudged, 0x71, 0xF3, 1, FrameError.ReservedOpcode)]
    public void Reserved_bits_are_judged_by_what_was_accepted(ReservedBits reservedBits, int first, int second, int frames, FrameError error)
    {
        byte[] stream = [.. FrameBytes.Frame(first, "one"u8, FrameBytes.Key), .. FrameBytes.Frame(second, "two"u8, FrameBytes.Key)];
        var driver = new FrameDriver(FrameSender.Client, reservedBits);
        driver.Feed(stream, Splits.Whole(stream.Length));
        Assert.Equal(error, driver.Error);
        Assert.Equal(frames, driver.Frames.Count);
    }

    [Fact]
    public void Control_frames_between_fragments_leave_the_message_under_way()
    {
        var scanner = new FrameScanner(FrameSender.Server, ReservedBits.Refused);
        Assert.True(scanner.AtMessageBoundary);

        Assert.Equal(ScanStatus.Data, scanner.Next(FrameBytes.Frame(0x01, "Hel"u8, null), out _));
        Assert.Equal((true, false, true, false), (scanner.AtFrameBoundary, scanner.AtMessageBoundary, scanner.FrameStarted, scanner.MessageEnded));

        Assert.Equal(ScanStatus.Control, scanner.Next(FrameBytes.Frame(0x89, "ping"u8, null), out int consumed));
        Assert.Equal(6, consumed);
        Assert.Equal((Opcode.Ping, 2, 4ul), (scanner.Opcode, scanner.HeaderLength, scanner.PayloadLength));
        Assert.Equal((true, false, false), (scanner.AtFrameBoundary, scanner.AtMessageBoundary, scanner.MessageEnded));

        Assert.Equal(ScanStatus.Data, scanner.Next(FrameBytes.Frame(0x80, "lo"u8, null), out _));
        Assert.Equal((Opcode.Continuation, true, true), (scanner.Opcode, scanner.Fin, scanner.MessageEnded));
        Assert.True(scanner.AtMessageBoundary);
    }

    [Fact]
    public void A_data_frame_flows_through_piece_by_piece()
    {
        byte[] frame = FrameBytes.Frame(0x82, new byte[1000], FrameBytes.Key);
        var scanner = new FrameScanner(FrameSender.Client, ReservedBits.Refused);
        Assert.Equal(ScanStatus.Data, scanner.Next(frame.AsSpan(0, 108), out int consumed));
        Assert.Equal((108, 900ul, true, false), (consumed, scanner.Remaining, scanner.FrameStarted, scanner.MessageEnded));
        Assert.Equal(ScanStatus.NeedMore, scanner.Next([], out consumed));
        Assert.Equal((0, 900ul), (consumed, scanner.Remaining));
        Assert.Equal(ScanStatus.Data, scanner.Next([.. frame.AsSpan(108), 0x81], out consumed));
        Assert.Equal((900, 0ul, false, true), (consumed, scanner.Remaining, scanner.FrameStarted, scanner.MessageEnded));
    }

    [Fact]
    public void A_control_frame_is_told_only_when_whole_and_leaves_at_most_MaxHeld_bytes()
    {
        foreach (FrameSender sender in Senders)
        {
            byte[] frame = FrameBytes.Frame(0x8A, new byte[125], FrameBytes.KeyOf(sender));
            Assert.True(frame.Length - 1 <= FrameScanner.MaxHeld);
            for (int cut = 0; cut < frame.Length; cut++)
            {
                var scanner = new FrameScanner(sender, ReservedBits.Refused);
                Assert.Equal(ScanStatus.NeedMore, scanner.Next(frame.AsSpan(0, cut), out int consumed));
                Assert.Equal(0, consumed);
                Assert.Equal(ScanStatus.Control, scanner.Next(frame, out consumed));
                Assert.Equal(frame.Length, consumed);
            }
        }
    }

    [Fact]
    public void A_data_header_is_taken_when_its_last_byte_is_there()
    {
        foreach (FrameSender sender in Senders)
        {
            foreach ((int bits, ulong length) in new[] { (7, 5ul), (16, 500ul), (64, 70_000ul) })
            {
                byte[] header = FrameBytes.Header(0x82, bits, length, FrameBytes.KeyOf(sender));
                for (int cut = 0; cut <= header.Length; cut++)
                {
                    var scanner = new FrameScanner(sender, ReservedBits.Refused);
                    ScanStatus status = scanner.Next(header.AsSpan(0, cut), out int consumed);
                    Assert.Equal(cut == header.Length ? (ScanStatus.Data, cut) : (ScanStatus.NeedMore, 0), (status, consumed));
                }
            }
        }
    }

    [Fact]
    public void NeedMore_leaves_what_is_known_of_the_last_frame()
    {
        var scanner = new FrameScanner(FrameSender.Client, ReservedBits.Refused);
        scanner.Next(FrameBytes.Frame(0x81, "Hello"u8, FrameBytes.Key), out _);
        Assert.Equal(ScanStatus.NeedMore, scanner.Next([0x89, 0x84, 1, 2, 3, 4, 5, 6, 7], out _));
        Assert.Equal((Opcode.Text, 5ul, 6, true), (scanner.Opcode, scanner.PayloadLength, scanner.HeaderLength, scanner.MessageEnded));
    }

    [Fact]
    public void A_frame_that_is_taken_back_was_never_there()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            FrameSender sender = Senders[seed % 2];
            byte[] stream = FrameBytes.LegalStream(sender, ReservedBits.CompressionOnly, random);
            var scanner = new FrameScanner(sender, ReservedBits.CompressionOnly);
            ReadOnlySpan<byte> rest = stream;
            while (!rest.IsEmpty)
            {
                bool betweenMessages = scanner.AtMessageBoundary;
                bool offersAll = random.Next(2) == 0;
                ScanStatus status = scanner.Next(offersAll ? rest : rest[..Math.Min(rest.Length, 150)], out int consumed);
                if (status == ScanStatus.Data && scanner.FrameStarted)
                {
                    FrameScanner taken = scanner;
                    scanner.TakeBack();
                    Assert.Equal((true, betweenMessages), (scanner.AtFrameBoundary, scanner.AtMessageBoundary));
                    Assert.Equal((ScanStatus.Data, consumed), (scanner.Next(rest[..(offersAll ? rest.Length : Math.Min(rest.Length, 150))], out int again), again));
                    Assert.Equal(taken, scanner);
                }

                rest = rest[consumed..];
            }

            Assert.True(scanner.AtMessageBoundary);
        }
    }

    [Fact]
    public void Scanning_allocates_nothing()
    {
        byte[] stream = FrameBytes.LegalStream(FrameSender.Client, ReservedBits.CompressionOnly, new Random(1));
        byte[] illegal = FrameBytes.Frame(0x83, "x"u8, FrameBytes.Key);
        Allocations.AssertNone(() =>
        {
            var scanner = new FrameScanner(FrameSender.Client, ReservedBits.CompressionOnly);
            int begin = 0;
            for (int end = 0; end <= stream.Length; end += 7)
            {
                while (scanner.Next(stream.AsSpan(begin, end - begin), out int consumed) is not ScanStatus.NeedMore)
                    begin += consumed;
            }

            scanner = new FrameScanner(FrameSender.Client, ReservedBits.Refused);
            scanner.Next(illegal, out _);
        });
    }

    private static void AssertAgreement(FrameSender sender, ReservedBits reservedBits, byte[] stream)
    {
        FrameDriver.AssertAgreement(sender, reservedBits, stream, Splits.Whole(stream.Length));
        FrameDriver.AssertAgreement(sender, reservedBits, stream, Splits.Bytes(stream.Length));
    }

    private static void AssertRefused(FrameError error, int first, int bits, ulong length, int certainAt)
    {
        foreach (FrameSender sender in Senders)
            AssertRefused(sender, [], [.. FrameBytes.Header(first, bits, length, FrameBytes.KeyOf(sender)), 1, 2, 3, 4], error, certainAt);
    }

    /// <summary>After a legal start the frame is refused when <paramref name="certainAt"/> of its bytes are there, not before, and for good.</summary>
    private static void AssertRefused(FrameSender sender, byte[] start, byte[] frame, FrameError error, int certainAt)
    {
        for (int length = 1; length <= frame.Length; length++)
        {
            var scanner = new FrameScanner(sender, ReservedBits.Refused);
            ReadOnlySpan<byte> before = start;
            while (!before.IsEmpty)
            {
                Assert.True(scanner.Next(before, out int taken) is ScanStatus.Data or ScanStatus.Control);
                before = before[taken..];
            }

            ScanStatus status = scanner.Next(frame.AsSpan(0, length), out int consumed);
            Assert.Equal(0, consumed);
            Assert.Equal(length < certainAt ? (ScanStatus.NeedMore, FrameError.None) : (ScanStatus.Error, error), (status, scanner.Error));
            if (length >= certainAt)
                Assert.Equal(ScanStatus.Error, scanner.Next(FrameBytes.Frame(0x81, "later"u8, FrameBytes.KeyOf(sender)), out consumed));
        }
    }
}
