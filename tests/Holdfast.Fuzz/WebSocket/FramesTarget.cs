using System.Buffers.Binary;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>The frame scanner. One byte of settings, two that seed the splits, then the stream: fed whole, bytewise and in random pieces.</summary>
internal static class FramesTarget
{
    private const int Prefix = 3;

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length < Prefix)
            return;
        var sender = (FrameSender)(data[0] & 1);
        var reservedBits = (ReservedBits)((data[0] >> 1) % 3);
        var random = new Random(BinaryPrimitives.ReadUInt16LittleEndian(data[1..]));
        ReadOnlySpan<byte> stream = data[Prefix..];
        FrameDriver.AssertAgreement(sender, reservedBits, stream, Splits.Whole(stream.Length));
        FrameDriver.AssertAgreement(sender, reservedBits, stream, Splits.Random(stream.Length, random));
        if (stream.Length <= 2048)
            FrameDriver.AssertAgreement(sender, reservedBits, stream, Splits.Bytes(stream.Length));
    }
}
