using System.Buffers.Binary;

namespace Holdfast.Cli.Load;

/// <summary>
/// The payload of an echoed message: connection (u32), sequence (u32), due time in microseconds after the start (i64), all little-endian,
/// then filler that depends on connection and sequence. All of it follows from the schedule, so the answer is checked byte for byte
/// without anything being stored. Filler is a window into 64 KiB of fixed noise: made and compared at the speed of a copy.
/// </summary>
internal static class EchoPayload
{
    /// <summary>The header's bytes; a payload has at least them.</summary>
    public const int MinSize = 16;

    private const int Period = 64 * 1024;
    private static readonly byte[] Noise = MakeNoise();

    public static void Write(Span<byte> payload, uint connection, uint sequence, long due)
    {
        WriteHeader(payload, connection, sequence, due);
        var offset = OffsetOf(connection, sequence);
        for (var rest = payload[MinSize..]; !rest.IsEmpty;)
        {
            var piece = Math.Min(rest.Length, Period);
            Noise.AsSpan(offset, piece).CopyTo(rest);
            rest = rest[piece..];
        }
    }

    public static void WriteHeader(Span<byte> header, uint connection, uint sequence, long due)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, connection);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], sequence);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], due);
    }

    public static (uint Connection, uint Sequence, long Due) ReadHeader(ReadOnlySpan<byte> header) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(header), BinaryPrimitives.ReadUInt32LittleEndian(header[4..]),
            BinaryPrimitives.ReadInt64LittleEndian(header[8..]));

    /// <summary>Whether these bytes are the filler from <paramref name="position"/> (counted behind the header) on.</summary>
    public static bool IsFiller(ReadOnlySpan<byte> bytes, uint connection, uint sequence, long position)
    {
        var offset = OffsetOf(connection, sequence);
        while (!bytes.IsEmpty)
        {
            var within = (int)(position % Period);
            var piece = Math.Min(bytes.Length, Period - within);
            if (!Noise.AsSpan(offset + within, piece).SequenceEqual(bytes[..piece]))
                return false;
            bytes = bytes[piece..];
            position += piece;
        }

        return true;
    }

    private static int OffsetOf(uint connection, uint sequence) => (int)(Mix(((ulong)connection << 32) | sequence) & (Period - 1));

    // SplitMix64's finaliser (Vigna): neighbouring inputs give unrelated windows.
    private static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    private static byte[] MakeNoise()
    {
        var noise = new byte[2 * Period];
        for (var i = 0; i < noise.Length; i += 8)
            BinaryPrimitives.WriteUInt64LittleEndian(noise.AsSpan(i), Mix((ulong)i));
        return noise;
    }
}
