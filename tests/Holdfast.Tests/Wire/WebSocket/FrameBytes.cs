using Holdfast.Wire.WebSocket;

namespace Holdfast.Tests.Wire.WebSocket;

/// <summary>Frames written by hand, legal or not, without the code under test.</summary>
internal static class FrameBytes
{
    public static readonly byte[] Key = [0x37, 0xFA, 0x21, 0x3D];

    /// <summary>A header with its length in 7, 16 or 64 bits, as told.</summary>
    public static byte[] Header(int first, int bits, ulong length, byte[]? key)
    {
        int masked = key is null ? 0 : 0x80;
        byte[] ways = bits switch
        {
            7 => [(byte)(masked | (int)length)],
            16 => [(byte)(masked | 126), (byte)(length >> 8), (byte)length],
            _ => [(byte)(masked | 127), .. Enumerable.Range(0, 8).Select(i => (byte)(length >> (56 - (8 * i))))],
        };
        return [(byte)first, .. ways, .. key ?? []];
    }

    /// <summary>A whole frame in the shortest form.</summary>
    public static byte[] Frame(int first, ReadOnlySpan<byte> payload, byte[]? key)
    {
        int bits = payload.Length switch { <= 125 => 7, <= 65535 => 16, _ => 64 };
        byte[] masked = payload.ToArray();
        for (int i = 0; key is not null && i < masked.Length; i++)
            masked[i] ^= key[i % 4];
        return [.. Header(first, bits, (ulong)payload.Length, key), .. masked];
    }

    public static byte[]? KeyOf(FrameSender sender) => sender == FrameSender.Client ? Key : null;

    /// <summary>A legal stream: messages in one or more frames, control frames between the fragments, lengths mostly near the edges.</summary>
    public static byte[] LegalStream(FrameSender sender, ReservedBits reservedBits, Random random)
    {
        var stream = new List<byte>();
        for (int messages = random.Next(1, 8); messages > 0; messages--)
        {
            int fragments = random.Next(4) == 0 ? random.Next(2, 6) : 1;
            for (int i = 0; i < fragments; i++)
            {
                while (random.Next(4) == 0)
                {
                    int control = 0x80 | random.Next(8, 11) | AnyReserved(reservedBits, random);
                    Add(stream, sender, random, control, random.Next(2) == 0 ? random.Next(126) : 0);
                }

                int opcode = i == 0 ? random.Next(1, 3) : 0;
                int rsv = i == 0 && reservedBits == ReservedBits.CompressionOnly ? random.Next(2) * 0x40 : AnyReserved(reservedBits, random);
                Add(stream, sender, random, (i == fragments - 1 ? 0x80 : 0) | rsv | opcode, Length(random));
            }
        }

        return [.. stream];
    }

    private static int AnyReserved(ReservedBits reservedBits, Random random) => reservedBits == ReservedBits.NotJudged ? random.Next(8) * 0x10 : 0;

    private static int Length(Random random) => random.Next(40) switch
    {
        0 => random.Next(65530, 65540),
        1 => random.Next(3000),
        < 12 => random.Next(120, 132),
        < 16 => 0,
        _ => random.Next(40),
    };

    private static void Add(List<byte> stream, FrameSender sender, Random random, int first, int length)
    {
        byte[] payload = new byte[length];
        random.NextBytes(payload);
        byte[]? key = null;
        if (sender == FrameSender.Client)
        {
            key = new byte[4];
            random.NextBytes(key);
        }

        stream.AddRange(Frame(first, payload, key));
    }
}
