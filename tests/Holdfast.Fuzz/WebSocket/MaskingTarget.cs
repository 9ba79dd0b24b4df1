using System.Buffers.Binary;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>Masking against the one line of RFC 6455 section 5.3. Four bytes of key, one of offset, then the payload.</summary>
internal static class MaskingTarget
{
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length < 5)
            return;
        ReadOnlySpan<byte> key = data[..4];
        int offset = data[4];
        byte[] payload = data[5..].ToArray();
        Masking.Apply(payload, BinaryPrimitives.ReadUInt32LittleEndian(key), offset);
        for (int i = 0; i < payload.Length; i++)
            FuzzFailure.UnlessEqual((byte)(data[5 + i] ^ key[(i + offset) % 4]), payload[i], $"masked byte {i}");
    }
}
