using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Gateway.Routing;

namespace Holdfast.Gateway.Limits;

/// <summary>A header's value as a key of fixed size: SHA-256, cut to 128 bits, so that nobody can choose another's.</summary>
internal static class HeaderKey
{
    /// <summary>Of the first line with this name; requests without it have one key together.</summary>
    public static UInt128 Of(IHeaderLookup headers, string name)
    {
        Span<byte> bytes = stackalloc byte[name.Length];
        Encoding.ASCII.GetBytes(name, bytes);
        _ = headers.TryGet(bytes, out var value);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _ = SHA256.HashData(value, hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }
}
