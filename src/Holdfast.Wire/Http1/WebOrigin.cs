using System.Buffers;
using System.Text;
using Holdfast.Wire.Proxy;

namespace Holdfast.Wire.Http1;

/// <summary>
/// An origin as browsers write it into <c>Origin</c> (RFC 6454 6.2, WHATWG HTML "serialization of an origin"): <c>scheme://host</c>, perhaps <c>:port</c>, nothing else.
/// <c>null</c> and lists are none. Spans into what was parsed; allocation-free, never throws.
/// </summary>
public readonly ref struct WebOrigin
{
    private static readonly SearchValues<byte> SchemeBytes = SearchValues.Create("+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private WebOrigin(ReadOnlySpan<byte> scheme, HostName host, int port)
    {
        Scheme = scheme;
        Host = host;
        Port = port;
    }

    /// <summary>As written.</summary>
    public ReadOnlySpan<byte> Scheme { get; }

    public HostName Host { get; }

    /// <summary>1 to 65,535; 0: none is written.</summary>
    public int Port { get; }

    public static bool TryParse(ReadOnlySpan<byte> value, out WebOrigin origin)
    {
        origin = default;
        var end = value.IndexOf("://"u8);
        if (end <= 0 || !char.IsAsciiLetter((char)value[0]) || value[..end].ContainsAnyExcept(SchemeBytes))
            return false;
        // Browsers leave a port out or write it plainly: port 0 and leading zeros come from elsewhere.
        if (!HostName.TryParse(value[(end + 3)..], out var host, out var port) || port.StartsWith("0"u8))
            return false;
        _ = AddressText.TryParsePort(port, out var number);
        origin = new WebOrigin(value[..end], host, number);
        return true;
    }
}

/// <summary>
/// The host of an origin, or of a Host header: a name of the characters that DNS names have, underscores included, an IPv4 address, or an IPv6 address in brackets.
/// </summary>
public readonly ref struct HostName
{
    /// <summary>Of a DNS name and its labels (RFC 1035 2.3.4).</summary>
    private const int LongestName = 253, LongestLabel = 63;

    private static readonly SearchValues<byte> LabelBytes = SearchValues.Create("-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private HostName(ReadOnlySpan<byte> name, UInt128 address)
    {
        Name = name;
        Address = address;
    }

    /// <summary>As written, without a trailing dot; empty: it is an IPv6 address.</summary>
    public ReadOnlySpan<byte> Name { get; }

    public bool IsV6 => Name.IsEmpty;

    /// <summary>Of IPv6.</summary>
    public UInt128 Address { get; }

    /// <param name="value">A host and perhaps a port.</param>
    /// <param name="host">Empty when it is none.</param>
    /// <param name="port">A valid one, without its colon; empty: there is none.</param>
    public static bool TryParse(ReadOnlySpan<byte> value, out HostName host, out ReadOnlySpan<byte> port)
    {
        host = default;
        port = default;
        var isV6 = value.StartsWith("["u8);
        var end = isV6 ? value.IndexOf((byte)']') + 1 : value.IndexOf((byte)':');
        if (isV6 && end == 0)
            return false;
        var text = end < 0 ? value : value[..end];
        if (text.Length < value.Length)
        {
            if (value[text.Length] != ':' || !AddressText.TryParsePort(value[(text.Length + 1)..], out _))
                return false;
            port = value[(text.Length + 1)..];
        }

        if (isV6)
        {
            var isAddress = AddressText.TryParseV6(text[1..^1], out var address);
            host = isAddress ? new HostName(default, address) : default;
            return isAddress;
        }

        var name = text.EndsWith("."u8) ? text[..^1] : text;
        host = new HostName(name, UInt128.Zero);
        return IsName(name);
    }

    /// <summary>Names in any case.</summary>
    public bool IsSameAs(HostName other) => IsV6 ? other.IsV6 && Address == other.Address : Ascii.EqualsIgnoreCase(Name, other.Name);

    private static bool IsName(ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > LongestName)
            return false;
        while (true)
        {
            var dot = name.IndexOf((byte)'.');
            var label = dot < 0 ? name : name[..dot];
            if (label.Length is 0 or > LongestLabel || label.ContainsAnyExcept(LabelBytes))
                return false;
            if (dot < 0)
                return true;
            name = name[(dot + 1)..];
        }
    }
}
