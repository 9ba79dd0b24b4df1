using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// The same in every gateway and after every restart. Clients choose many of the keys; nothing is stored by these hashes, so all that a client can do with keys
/// that it searched for is to aim for one endpoint, which its limits and the load bound of consistentHash are for.
/// </summary>
internal static class StableHash
{
    /// <summary>64 bits of SHA-256.</summary>
    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }

    public static ulong Of(UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return Of(bytes);
    }

    /// <summary>Every bit of the two decides over every bit of the result (the finalizer of SplitMix64: Steele, Lea, Flood 2014).</summary>
    public static ulong Mix(ulong key, ulong endpoint)
    {
        var x = key ^ endpoint;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
