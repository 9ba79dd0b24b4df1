using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Holdfast.Wire.WebSocket;

/// <summary>Masks and unmasks payload (RFC 6455 section 5.3); the two are the same operation.</summary>
public static class Masking
{
    /// <summary>Applies the key in place.</summary>
    /// <param name="payload">A piece of one frame's payload.</param>
    /// <param name="maskKey">The four key bytes read as little-endian.</param>
    /// <param name="offset">The position of <c>payload[0]</c> within the frame's payload; only its remainder by 4 matters.</param>
    public static void Apply(Span<byte> payload, uint maskKey, int offset)
    {
        // The key turned so that its lowest byte meets payload[0]; every step below is a multiple of four, so it stays right.
        uint key = BitOperations.RotateRight(maskKey, 8 * (offset & 3));

        uint word = BitConverter.IsLittleEndian ? key : BinaryPrimitives.ReverseEndianness(key);

        Span<Vector<uint>> vectors = MemoryMarshal.Cast<byte, Vector<uint>>(payload);
        if (!vectors.IsEmpty)
        {
            var wide = new Vector<uint>(word);
            foreach (ref Vector<uint> vector in vectors)
                vector ^= wide;
            payload = payload[(vectors.Length * Vector<byte>.Count)..];
        }

        Span<uint> words = MemoryMarshal.Cast<byte, uint>(payload);
        foreach (ref uint four in words)
            four ^= word;

        payload = payload[(words.Length * sizeof(uint))..];
        for (int i = 0; i < payload.Length; i++)
            payload[i] ^= (byte)(key >> (8 * i));
    }
}
