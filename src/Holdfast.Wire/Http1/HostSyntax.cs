using System.Buffers;

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
            return end > 0 && IsIPv6(value[1..end]) && IsAbsentOrPort(value[(end + 1)..]);
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

    private static bool IsIPv6(ReadOnlySpan<byte> address)
    {
        int groups = 0;
        bool shortened = address.StartsWith("::"u8);
        if (shortened)
            address = address[2..];

        // The address stands at a group; a "::" and single colons have been taken.
        while (!address.IsEmpty)
        {
            int end = address.IndexOf((byte)':');
            ReadOnlySpan<byte> group = end < 0 ? address : address[..end];
            if (end < 0 && group.Contains((byte)'.'))
            {
                groups += 2;
                if (!IsIPv4(group))
                    return false;
                break;
            }

            groups++;
            if (!IsHexGroup(group))
                return false;
            if (end < 0)
                break;
            address = address[(end + 1)..];
            if (address.IsEmpty)
                return false;
            if (address[0] == (byte)':')
            {
                if (shortened)
                    return false;
                shortened = true;
                address = address[1..];
            }
        }

        return shortened ? groups <= 7 : groups == 8;
    }

    private static bool IsHexGroup(ReadOnlySpan<byte> group)
    {
        if (group.Length is < 1 or > 4)
            return false;
        foreach (byte digit in group)
        {
            if (!char.IsAsciiHexDigit((char)digit))
                return false;
        }

        return true;
    }

    private static bool IsIPv4(ReadOnlySpan<byte> address)
    {
        for (int part = 0; part < 4; part++)
        {
            int dot = address.IndexOf((byte)'.');
            if (dot < 0 != (part == 3))
                return false;
            ReadOnlySpan<byte> octet = dot < 0 ? address : address[..dot];
            if (octet.Length is < 1 or > 3 || (octet.Length > 1 && octet[0] == (byte)'0'))
                return false;
            if (!HeadRules.TryParseContentLength(octet, out long number) || number > byte.MaxValue)
                return false;
            address = address[(dot + 1)..];
        }

        return true;
    }
}
