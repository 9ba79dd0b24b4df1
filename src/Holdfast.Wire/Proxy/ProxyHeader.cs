using System.Buffers.Binary;

namespace Holdfast.Wire.Proxy;

/// <summary>What has come of a PROXY protocol header so far.</summary>
public enum ProxyHeaderStatus
{
    /// <summary>So far it is one; more bytes are needed.</summary>
    NeedMore,

    /// <summary>It is none, or a malformed or too long one. More bytes change nothing.</summary>
    Malformed,
    Done,
}

/// <summary>
/// The header that a proxy puts before a connection's first byte to say whom it forwards (HAProxy's proxy-protocol.txt): version 1 in text, version 2 in binary.
/// </summary>
/// <param name="HasSource">
/// False: it names none, and the address that the connection itself comes from is the one to use. That is so with the LOCAL command (the proxy speaks for itself, to check
/// us say), with UNKNOWN and UNSPEC, and, as section 2.2 demands of what a receiver does not support, with UNIX sockets and datagrams.
/// </param>
/// <param name="Address">The source's bits of IPv6; an IPv4 address counts as mapped into IPv6.</param>
/// <param name="Port">The source's.</param>
public readonly record struct ProxyHeader(bool HasSource, UInt128 Address, ushort Port)
{
    /// <summary>Bytes of a version 1 header at most, its CR LF included: what UNKNOWN with two IPv6 addresses takes (section 2.1).</summary>
    public const int LongestText = 107;

    /// <summary>
    /// Bytes after the first 16 of a version 2 header at most. The format allows 65,535; the extensions (TLVs) that senders add, of a TLS client say, take some hundred.
    /// </summary>
    public const int LongestBlock = 2048;

    private const int FixedPart = 16;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    private static ReadOnlySpan<byte> TextStart => "PROXY "u8;

    /// <summary>Reads a header. It never throws; and of the same bytes it says the same, in whatever pieces they came.</summary>
    /// <param name="bytes">From the connection's first on.</param>
    /// <param name="length">With Done: how many of them it takes, extensions included. What follows is the client's.</param>
    public static ProxyHeaderStatus Parse(ReadOnlySpan<byte> bytes, out ProxyHeader header, out int length)
    {
        (header, length) = (default, 0);
        if (bytes.IsEmpty)
            return ProxyHeaderStatus.NeedMore;
        return bytes[0] == Signature[0] ? ParseBinary(bytes, ref header, ref length) : ParseText(bytes, ref header, ref length);
    }

    private static ProxyHeaderStatus ParseBinary(ReadOnlySpan<byte> bytes, ref ProxyHeader header, ref int length)
    {
        var known = Math.Min(bytes.Length, Signature.Length);
        if (!bytes[..known].SequenceEqual(Signature[..known]))
            return ProxyHeaderStatus.Malformed;
        // Version 2, command LOCAL or PROXY.
        if (bytes.Length > 12 && bytes[12] is not (0x20 or 0x21))
            return ProxyHeaderStatus.Malformed;
        if (bytes.Length > 13 && bytes[12] == 0x21 && bytes[13] is not (0x00 or 0x11 or 0x12 or 0x21 or 0x22 or 0x31 or 0x32))
            return ProxyHeaderStatus.Malformed;
        if (bytes.Length < FixedPart)
            return ProxyHeaderStatus.NeedMore;
        var block = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        // Of LOCAL the family is nothing that counts. Of the others only streams of IP have a source for us.
        var addressLength = (bytes[12], bytes[13]) switch { (0x21, 0x11) => 4, (0x21, 0x21) => 16, _ => 0 };
        var least = addressLength == 0 ? 0 : (2 * addressLength) + 4;
        if (block > LongestBlock || block < least)
            return ProxyHeaderStatus.Malformed;
        if (bytes.Length < FixedPart + block)
            return ProxyHeaderStatus.NeedMore;
        if (addressLength > 0)
        {
            var source = AddressText.Read(bytes.Slice(FixedPart, addressLength));
            header = new ProxyHeader(true, source, BinaryPrimitives.ReadUInt16BigEndian(bytes[(FixedPart + (2 * addressLength))..]));
        }

        length = FixedPart + block;
        return ProxyHeaderStatus.Done;
    }

    private static ProxyHeaderStatus ParseText(ReadOnlySpan<byte> bytes, ref ProxyHeader header, ref int length)
    {
        var known = Math.Min(bytes.Length, TextStart.Length);
        if (!bytes[..known].SequenceEqual(TextStart[..known]))
            return ProxyHeaderStatus.Malformed;
        var line = bytes[..Math.Min(bytes.Length, LongestText)];
        var end = line.IndexOf("\r\n"u8);
        if (end < 0)
            return line.Length == LongestText ? ProxyHeaderStatus.Malformed : ProxyHeaderStatus.NeedMore;
        if (!TryParseLine(line[TextStart.Length..end], ref header))
            return ProxyHeaderStatus.Malformed;
        length = end + 2;
        return ProxyHeaderStatus.Done;
    }

    /// <param name="line">From the protocol on: <c>TCP4 source destination source-port destination-port</c>, or <c>UNKNOWN</c> and anything.</param>
    private static bool TryParseLine(ReadOnlySpan<byte> line, ref ProxyHeader header)
    {
        if (line.StartsWith("UNKNOWN"u8))
            return line.Length == 7 || line[7] == ' ';
        var isV4 = line.StartsWith("TCP4 "u8);
        if (!isV4 && !line.StartsWith("TCP6 "u8))
            return false;
        line = line[5..];
        if (!TryTakeAddress(ref line, isV4, out var source) || !TryTakeAddress(ref line, isV4, out _))
            return false;
        var space = line.IndexOf((byte)' ');
        if (space < 0 || !TryParsePort(line[..space], out var port) || !TryParsePort(line[(space + 1)..], out _))
            return false;
        header = new ProxyHeader(true, source, port);
        return true;
    }

    private static bool TryTakeAddress(ref ReadOnlySpan<byte> line, bool isV4, out UInt128 address)
    {
        address = 0;
        var space = line.IndexOf((byte)' ');
        if (space < 0)
            return false;
        var text = line[..space];
        line = line[(space + 1)..];
        if (!isV4)
            return AddressText.TryParseV6(text, out address);
        var isAddress = AddressText.TryParseV4(text, out var v4);
        address = AddressText.Map(v4);
        return isAddress;
    }

    /// <summary>Leading zeros are forbidden.</summary>
    private static bool TryParsePort(ReadOnlySpan<byte> text, out ushort port) =>
        AddressText.TryParsePort(text, out port) && (text.Length == 1 || text[0] != '0');
}
