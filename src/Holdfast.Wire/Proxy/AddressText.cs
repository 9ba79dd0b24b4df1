using System.Buffers.Binary;
using System.Globalization;
using Holdfast.Wire.Http1;

namespace Holdfast.Wire.Proxy;

/// <summary>
/// IP addresses as text, strictly by RFC 3986's grammar: four decimal parts without leading zeros, no zone, no other notation that one reader takes for another address
/// than the next. Thread-safe, allocation-free, never throws.
/// </summary>
public static class AddressText
{
    /// <summary>Bits of an IPv4 address mapped into IPv6 above the address itself (RFC 4291 2.5.5.2).</summary>
    private static readonly UInt128 Mapped = (UInt128)0xFFFF << 32;

    /// <param name="text">Without port and brackets.</param>
    /// <param name="bits">Of IPv6; an IPv4 address counts as mapped into IPv6.</param>
    public static bool TryParse(ReadOnlySpan<byte> text, out UInt128 bits)
    {
        if (text.Contains((byte)':'))
            return TryParseV6(text, out bits);
        var isV4 = TryParseV4(text, out var v4);
        bits = isV4 ? Map(v4) : 0;
        return isV4;
    }

    /// <summary>The IPv6 address that an IPv4 address is mapped into.</summary>
    public static UInt128 Map(uint v4) => Mapped | v4;

    public static bool TryParseV4(ReadOnlySpan<byte> text, out uint address)
    {
        address = 0;
        for (var part = 0; part < 4; part++)
        {
            var dot = text.IndexOf((byte)'.');
            if (dot < 0 != (part == 3))
                return false;
            var octet = dot < 0 ? text : text[..dot];
            if (octet.Length is < 1 or > 3 || (octet.Length > 1 && octet[0] == (byte)'0'))
                return false;
            if (!HeadRules.TryParseContentLength(octet, out var number) || number > byte.MaxValue)
                return false;
            address = (address << 8) | (uint)number;
            text = text[(dot + 1)..];
        }

        return true;
    }

    public static bool TryParseV6(ReadOnlySpan<byte> text, out UInt128 bits)
    {
        bits = 0;
        var value = UInt128.Zero;
        var (groups, shortenedAt) = (0, -1);
        if (text.StartsWith("::"u8))
        {
            shortenedAt = 0;
            text = text[2..];
        }

        // The text stands at a group; a "::" and single colons have been taken.
        while (!text.IsEmpty && groups < 8)
        {
            var end = text.IndexOf((byte)':');
            var group = end < 0 ? text : text[..end];
            if (end < 0 && group.Contains((byte)'.'))
            {
                if (!TryParseV4(group, out var v4))
                    return false;
                value = (value << 32) | v4;
                groups += 2;
                text = default;
                break;
            }

            if (group.Length > 4 || !TryParseHex(group, out var number))
                return false;
            value = (value << 16) | number;
            groups++;
            if (end < 0)
            {
                text = default;
                break;
            }

            text = text[(end + 1)..];
            if (text.IsEmpty)
                return false;
            if (text[0] != (byte)':')
                continue;
            if (shortenedAt >= 0)
                return false;
            shortenedAt = groups;
            text = text[1..];
        }

        if (!text.IsEmpty || (shortenedAt < 0 ? groups != 8 : groups > 7))
            return false;
        bits = value;
        if (shortenedAt >= 0)
        {
            var low = 16 * (groups - shortenedAt);
            bits = (shortenedAt == 0 ? 0 : value >> low << (16 * (8 - shortenedAt))) | (value & ((UInt128.One << low) - 1));
        }

        return true;
    }

    /// <summary>A port: one to five digits, 0 to 65,535.</summary>
    public static bool TryParsePort(ReadOnlySpan<byte> text, out ushort port)
    {
        var isPort = text.Length <= 5 && HeadRules.TryParseContentLength(text, out var number) && number <= ushort.MaxValue;
        port = isPort ? ushort.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : (ushort)0;
        return isPort;
    }

    /// <summary>Reads an address as it is in binary form: 4 bytes of IPv4 or 16 of IPv6, in network order.</summary>
    public static UInt128 Read(ReadOnlySpan<byte> address) =>
        address.Length == 4 ? Map(BinaryPrimitives.ReadUInt32BigEndian(address)) : BinaryPrimitives.ReadUInt128BigEndian(address);

    private static bool TryParseHex(ReadOnlySpan<byte> group, out uint number)
    {
        number = 0;
        foreach (var digit in group)
        {
            if (!char.IsAsciiHexDigit((char)digit))
                return false;
            number = (number << 4) | (uint)((digit & 0xF) + (digit > '9' ? 9 : 0));
        }

        return !group.IsEmpty;
    }
}
