using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>The chunked scanner. Two bytes seed the splits, then the body: fed whole, bytewise and in random pieces.</summary>
internal static class ChunkedTarget
{
    private const int Prefix = 2;

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length < Prefix)
            return;
        var random = new Random(BinaryPrimitives.ReadUInt16LittleEndian(data));
        byte[] body = data[Prefix..].ToArray();
        AssertAgreement(body, Splits.Whole(body.Length));
        AssertAgreement(body, Splits.Random(body.Length, random));
        AssertAgreement(body, Splits.Bytes(body.Length));
        AssertAgreement(body, Splits.Random(body.Length, random), isStrict: true);
    }

    /// <summary>Runs a body and demands that scanner and oracle agree; the scanner is saved as bytes and restored between pieces.</summary>
    public static void AssertAgreement(byte[] body, IEnumerable<int> pieces, bool isStrict = false)
    {
        var expected = ChunkedOracle.Run(body, isStrict);
        var scanner = new ChunkedScanner { IsStrict = isStrict };
        var status = ChunkStatus.NeedMore;
        int at = 0;
        foreach (int piece in pieces)
        {
            status = scanner.Next(body.AsSpan(at, piece), out int consumed);
            at += consumed;
            if (status != ChunkStatus.NeedMore)
                break;
            FuzzFailure.UnlessEqual(piece, consumed, "consumed with NeedMore");
            scanner = MemoryMarshal.Read<ChunkedScanner>(MemoryMarshal.AsBytes(new ReadOnlySpan<ChunkedScanner>(in scanner)));
        }

        FuzzFailure.UnlessEqual(expected, (status, at, scanner.Error), "the body");
        FuzzFailure.UnlessEqual(status == ChunkStatus.Done, scanner.IsDone, "done");
        AssertParts(body, pieces, isStrict, expected);
        if (status == ChunkStatus.NeedMore)
            return;
        FuzzFailure.UnlessEqual(status, scanner.Next("5\r\n"u8, out int later), "the call after the end");
        FuzzFailure.UnlessEqual(0, later, "consumed after the end");
    }

    /// <summary>Part by part the same is consumed, and each byte is called what it is.</summary>
    private static void AssertParts(byte[] body, IEnumerable<int> pieces, bool isStrict, (ChunkStatus, int, ChunkError) expected)
    {
        var scanner = new ChunkedScanner { IsStrict = isStrict };
        var status = ChunkStatus.NeedMore;
        var at = 0;
        List<byte> data = [];
        List<byte> trailers = [];
        foreach (var piece in pieces)
        {
            for (var end = at + piece; at < end && status == ChunkStatus.NeedMore;)
            {
                status = scanner.NextPart(body.AsSpan(at, end - at), out var consumed, out var part);
                FuzzFailure.Unless(consumed > 0 || status == ChunkStatus.Error, "A part is empty.");
                if (part != ChunkPart.Framing)
                    (part == ChunkPart.Data ? data : trailers).AddRange(body.AsSpan(at, consumed));
                at += consumed;
            }
        }

        FuzzFailure.UnlessEqual(expected, (status, at, scanner.Error), "the body in parts");
        var parts = ChunkedOracle.Parts(body, isStrict);
        FuzzFailure.Unless(parts.Data.AsSpan().SequenceEqual(data.ToArray()), "The data differs.");
        FuzzFailure.Unless(parts.Trailers.AsSpan().SequenceEqual(trailers.ToArray()), "The trailers differ.");
    }
}
