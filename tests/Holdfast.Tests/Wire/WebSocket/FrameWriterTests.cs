using System.Buffers.Binary;
using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Wire.WebSocket;

public sealed class FrameWriterTests
{
    private static readonly uint?[] Keys = [null, 0x3D21FA37];

    [Fact]
    public void A_header_is_in_the_shortest_form_and_reads_back()
    {
        ulong[] lengths = [0, 1, 125, 126, 127, 65535, 65536, 1ul << 32, (1ul << 63) - 1];
        Span<byte> destination = stackalloc byte[FrameWriter.MaxHeader];
        foreach (uint? key in Keys)
        {
            FrameSender sender = key is null ? FrameSender.Server : FrameSender.Client;
            foreach (ulong length in lengths)
            {
                foreach (bool fin in new[] { false, true })
                {
                    foreach (bool rsv1 in new[] { false, true })
                    {
                        int written = FrameWriter.WriteHeader(destination, Opcode.Binary, fin, length, key, rsv1);
                        int bits = length <= 125 ? 7 : length <= 65535 ? 16 : 64;
                        int first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | 2;
                        Assert.Equal(FrameBytes.Header(first, bits, length, FrameBytes.KeyOf(sender)), destination[..written].ToArray());

                        var scanner = new FrameScanner(sender, ReservedBits.CompressionOnly);
                        Assert.Equal(ScanStatus.Data, scanner.Next(destination[..written], out int consumed));
                        Assert.Equal((written, Opcode.Binary, fin, rsv1), (consumed, scanner.Opcode, scanner.Fin, scanner.Rsv1));
                        Assert.Equal((length, key ?? 0), (scanner.PayloadLength, scanner.MaskKey));
                    }
                }
            }
        }
    }

    [Fact]
    public void A_control_frame_is_whole_and_reads_back_unmasked()
    {
        Span<byte> destination = stackalloc byte[FrameWriter.MaxControlFrame];
        foreach (uint? key in Keys)
        {
            FrameSender sender = key is null ? FrameSender.Server : FrameSender.Client;
            for (int length = 0; length <= FrameWriter.MaxControlPayload; length++)
            {
                byte[] payload = [.. Enumerable.Range(7, length).Select(i => (byte)i)];
                int written = FrameWriter.WriteControl(destination, Opcode.Pong, payload, key);
                Assert.Equal(FrameBytes.Frame(0x8A, payload, FrameBytes.KeyOf(sender)), destination[..written].ToArray());

                var scanner = new FrameScanner(sender, ReservedBits.Refused);
                Assert.Equal(ScanStatus.Control, scanner.Next(destination[..written], out int consumed));
                Assert.Equal(written, consumed);
                Span<byte> body = destination[scanner.HeaderLength..consumed];
                Masking.Apply(body, scanner.MaskKey, 0);
                Assert.Equal(payload, body.ToArray());
            }
        }
    }

    [Fact]
    public void A_close_reads_back_with_code_and_reason()
    {
        Span<byte> destination = stackalloc byte[FrameWriter.MaxControlFrame];
        foreach (uint? key in Keys)
        {
            foreach (int length in new[] { 0, 1, 123 })
            {
                byte[] reason = [.. Enumerable.Repeat((byte)'r', length)];
                int written = FrameWriter.WriteClose(destination, CloseCode.ServiceRestart, reason, key);
                Span<byte> payload = destination[(key is null ? 2 : 6)..written];
                Masking.Apply(payload, key ?? 0, 0);
                Assert.True(ClosePayload.TryParse(payload, out ushort code, out ReadOnlySpan<byte> read));
                Assert.Equal((ushort)CloseCode.ServiceRestart, code);
                Assert.Equal(reason, read.ToArray());
            }

            Assert.Equal(key is null ? 2 : 6, FrameWriter.WriteClose(destination, CloseCode.NoStatus, [], key));
            Assert.Equal(0x88, destination[0]);
        }
    }

    [Fact]
    public void What_may_not_be_sent_is_not_written()
    {
        byte[] room = new byte[200];
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteHeader(room, Opcode.Text, true, 1ul << 63, null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteHeader(room, Opcode.Ping, false, 0, null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteHeader(room, Opcode.Ping, true, 0, null, rsv1: true));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteControl(room, Opcode.Ping, new byte[126], null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteControl(room, Opcode.Text, [], null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteClose(room, CloseCode.Normal, new byte[124], null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteClose(room, CloseCode.NoStatus, "why"u8, null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteClose(room, CloseCode.Abnormal, [], null));
        Assert.Throws<ArgumentOutOfRangeException>(() => FrameWriter.WriteClose(room, (CloseCode)2999, [], null));
    }

    [Fact]
    public void Masking_twice_gives_the_same_and_pieces_equal_the_whole()
    {
        var random = new Random(53);
        Span<byte> keyBytes = stackalloc byte[4];
        for (int run = 0; run < 3000; run++)
        {
            byte[] payload = new byte[random.Next(300)];
            random.NextBytes(payload);
            random.NextBytes(keyBytes);
            uint key = BinaryPrimitives.ReadUInt32LittleEndian(keyBytes);
            byte[] expected = [.. payload];
            for (int i = 0; i < expected.Length; i++)
                expected[i] ^= keyBytes[i % 4];

            byte[] whole = [.. payload];
            Masking.Apply(whole, key, 0);
            Assert.Equal(expected, whole);

            byte[] pieces = [.. payload];
            for (int at = 0; at < pieces.Length;)
            {
                int length = Math.Min(1 + random.Next(100), pieces.Length - at);
                Masking.Apply(pieces.AsSpan(at, length), key, at);
                at += length;
            }

            Assert.Equal(expected, pieces);
            Masking.Apply(whole, key, 0);
            Assert.Equal(payload, whole);
        }
    }

    [Fact]
    public void Writing_and_masking_allocate_nothing()
    {
        byte[] room = new byte[FrameWriter.MaxControlFrame];
        byte[] payload = new byte[1000];
        Allocations.AssertNone(() =>
        {
            FrameWriter.WriteHeader(room, Opcode.Binary, true, 70_000, 42);
            FrameWriter.WriteControl(room, Opcode.Ping, "unguessable"u8, 42);
            FrameWriter.WriteClose(room, CloseCode.GoingAway, "restart"u8, 42);
            Masking.Apply(payload, 42, 3);
        });
    }
}
