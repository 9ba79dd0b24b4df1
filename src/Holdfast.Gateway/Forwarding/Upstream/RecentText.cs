using System.Buffers.Binary;
using System.Text;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>
/// Names and values of headers as strings. An application says the same few again and again: what a thread has seen lately it need not make anew. Never holds more than
/// <see cref="Slots"/> short texts a thread.
/// </summary>
internal static class RecentText
{
    private const int Slots = 256;

    /// <summary>Bytes of a text that is remembered: longer ones are seldom said twice.</summary>
    private const int Longest = 48;

    [ThreadStatic]
    private static string?[]? _recent;

    /// <summary>The bytes as Latin-1, as they are written again.</summary>
    public static string Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < 2 or > Longest)
            return bytes.IsEmpty ? "" : Encoding.Latin1.GetString(bytes);
        ref var slot = ref (_recent ??= new string?[Slots])[IndexOf(bytes)];
        if (slot is { } text && Ascii.Equals(bytes, text))
            return text;
        text = Encoding.Latin1.GetString(bytes);
        if (Ascii.IsValid(bytes))
            slot = text;
        return text;
    }

    /// <summary>Of the length and both ends: no more is needed to tell what an application says apart.</summary>
    private static int IndexOf(ReadOnlySpan<byte> bytes)
    {
        ulong mix;
        if (bytes.Length >= sizeof(ulong))
            mix = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ ulong.RotateLeft(BinaryPrimitives.ReadUInt64LittleEndian(bytes[^sizeof(ulong)..]), 23);
        else
            mix = BinaryPrimitives.ReadUInt16LittleEndian(bytes) | ((ulong)BinaryPrimitives.ReadUInt16LittleEndian(bytes[^2..]) << 16);
        return (int)(((mix + (ulong)bytes.Length) * 0x9E37_79B9_7F4A_7C15) >> 56);
    }
}
