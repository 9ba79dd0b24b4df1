using System.Buffers;
using Holdfast.Wire.Proxy;

namespace Holdfast.Wire.Http1;

/// <summary>
/// The value of a Host header (RFC 9110 section 7.2): a host by RFC 3986 section 3.2.2, and perhaps a port.
/// Stricter in three points: not empty, no empty port, no IPvFuture.
/// </summary>
internal static class HostSyntax
{
    // unreserved and sub-delims; an IPv4 address is made of the same.
    private static readonly SearchValues<byte> NameBytes = SearchValues.Create(
        "-._~!$&'()*+,;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    public static bool IsHost(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return false;

        if (value[0] == (byte)'[')
        {
            int end = value.IndexOf((byte)']');
            return end > 0 && AddressText.TryParseV6(value[1..end], out _) && IsAbsentOrPort(value[(end + 1)..]);
        }

        int colon = value.IndexOf((byte)':');
        ReadOnlySpan<byte> name = colon < 0 ? value : value[..colon];
        return !name.IsEmpty && IsRegisteredName(name) && IsAbsentOrPort(value[name.Length..]);
    }

    private static bool IsRegisteredName(ReadOnlySpan<byte> name)
    {
        for (int i; (i = name.IndexOfAnyExcept(NameBytes)) >= 0; name = name[(i + 3)..])
        {
            if (name[i] != (byte)'%' || i + 2 >= name.Length || !char.IsAsciiHexDigit((char)name[i + 1]) || !char.IsAsciiHexDigit((char)name[i + 2]))
                return false;
        }

        return true;
    }

    private static bool IsAbsentOrPort(ReadOnlySpan<byte> rest)
    {
        if (rest.IsEmpty)
            return true;
        return rest[0] == (byte)':' && rest.Length <= 1 + 5 && HeadRules.TryParseContentLength(rest[1..], out long port) && port <= ushort.MaxValue;
    }
}
