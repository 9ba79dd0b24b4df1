using System.Buffers.Binary;

namespace Holdfast.Fuzz.Http1;

/// <summary>
/// Streams of requests through the guard before Kestrel's parser. Two bytes seed the splits, then the stream: whole, bytewise and in random pieces it must give the requests that
/// the oracle finds in it, and no other.
/// </summary>
internal static class RequestsTarget
{
    private const int Prefix = 2;

    /// <summary>Above this a stream is not fed byte by byte.</summary>
    private const int MostBytewise = 2048;

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length < Prefix)
            return;
        var random = new Random(BinaryPrimitives.ReadUInt16LittleEndian(data));
        byte[] stream = data[Prefix..].ToArray();
        AssertAgreement(stream, Splits.Whole(stream.Length), random);
        AssertAgreement(stream, Splits.Random(stream.Length, random), random);
        if (stream.Length <= MostBytewise)
            AssertAgreement(stream, Splits.Bytes(stream.Length), random);
    }

    /// <summary>Runs a stream and demands that guard and oracle agree, whether upgrades are approved or not.</summary>
    public static void AssertAgreement(byte[] stream, IEnumerable<int> pieces, Random random)
    {
        int[] cut = [.. pieces];
        foreach (bool approves in (bool[])[false, true])
        {
            var expected = RequestOracle.Run(stream, approves);
            var seen = GuardRun.Run(stream, cut, random, approves);
            FuzzFailure.UnlessEqual(string.Join(" | ", expected.Requests), string.Join(" | ", seen.Requests), "the requests");
            FuzzFailure.UnlessEqual((expected.Status, expected.End, expected.Open), (seen.Status, seen.End, seen.Open), "the end");
        }
    }
}
