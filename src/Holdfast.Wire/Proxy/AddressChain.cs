using Holdfast.Wire.Http1;

namespace Holdfast.Wire.Proxy;

/// <summary>How proxies write down whom they forward for.</summary>
public enum ChainSyntax
{
    /// <summary>X-Forwarded-For: addresses alone, IPv6 with or without brackets, a port at will.</summary>
    ForwardedFor,

    /// <summary>Forwarded (RFC 7239): the element's <c>for</c> parameter.</summary>
    Forwarded,
}

/// <summary>
/// Takes apart the lists to which each proxy adds, at their end, who it forwards for. They are read from the right, since what is left of the last proxy's words was
/// written by others and may be anything: nothing there changes how the end is read. Thread-safe, allocation-free, never throws.
/// </summary>
public static class AddressChain
{
    /// <summary>Bytes that any node fits in, its escapes undone: IPv6 in full, brackets, a port or an obfuscated one.</summary>
    private const int MaxNode = 128;

    /// <summary>
    /// Takes the last element off a list. False: it names no address, since it is malformed, empty, unknown or obfuscated; nothing further left is to be believed then.
    /// </summary>
    /// <param name="list">One header line's value; afterwards what is left of it, without its last comma.</param>
    /// <param name="syntax">How the list is written.</param>
    /// <param name="bits">Of IPv6; an IPv4 address counts as mapped into IPv6.</param>
    /// <param name="port">0: none is given.</param>
    /// <param name="hasMore">Whether there is an element, be it empty, left of it.</param>
    public static bool TryTakeLast(ref ReadOnlySpan<byte> list, ChainSyntax syntax, out UInt128 bits, out ushort port, out bool hasMore)
    {
        var comma = syntax == ChainSyntax.Forwarded ? LastCommaOutsideQuotes(list) : list.LastIndexOf((byte)',');
        var element = list[(comma + 1)..].Trim(" \t"u8);
        hasMore = comma >= 0;
        list = hasMore ? list[..comma] : default;
        return syntax == ChainSyntax.Forwarded ? TryParseElement(element, out bits, out port) : TryParseNode(element, isForwarded: false, out bits, out port);
    }

    /// <summary>
    /// From the right a quote ends a quoted-string, which begins at the first quote before it that no backslash escapes. Of a well-formed element all quotes are met in
    /// pairs, whatever stands left of it.
    /// </summary>
    private static int LastCommaOutsideQuotes(ReadOnlySpan<byte> list)
    {
        var quoted = false;
        for (var i = list.Length - 1; i >= 0; i--)
        {
            if (list[i] == '"' && !(quoted && IsEscaped(list, i)))
                quoted = !quoted;
            else if (list[i] == ',' && !quoted)
                return i;
        }

        return -1;
    }

    private static bool IsEscaped(ReadOnlySpan<byte> text, int index)
    {
        var backslashes = index - 1 - text[..index].LastIndexOfAnyExcept((byte)'\\');
        return backslashes % 2 != 0;
    }

    /// <summary>An element of Forwarded: <c>name=value</c> pairs with semicolons between them, one of them <c>for</c>.</summary>
    private static bool TryParseElement(ReadOnlySpan<byte> element, out UInt128 bits, out ushort port)
    {
        bits = 0;
        port = 0;
        var found = false;
        Span<byte> node = stackalloc byte[MaxNode];
        while (!element.IsEmpty)
        {
            var semicolon = element.IndexOf((byte)';');
            var equals = element.IndexOf((byte)'=');
            if (semicolon >= 0 && (equals < 0 || semicolon < equals))
            {
                if (!element[..semicolon].Trim(" \t"u8).IsEmpty)
                    return false;
                element = element[(semicolon + 1)..];   // The grammar allows empty pairs.
                continue;
            }

            if (equals < 0)
                return element.Trim(" \t"u8).IsEmpty && found;
            var name = element[..equals].Trim(" \t"u8);
            element = element[(equals + 1)..];
            if (!HeadRules.IsToken(name) || !TryTakeValue(ref element, node, out var length))
                return false;
            if (!HeadRules.NameEquals(name, "for"u8))
                continue;
            if (found || length > node.Length || !TryParseNode(node[..length], isForwarded: true, out bits, out port))
                return false;
            found = true;
        }

        return found;
    }

    /// <summary>Takes a token or a quoted-string and the semicolon after it. A value that is longer than its place is measured only.</summary>
    private static bool TryTakeValue(ref ReadOnlySpan<byte> element, scoped Span<byte> value, out int length)
    {
        length = 0;
        var at = 0;
        var quoted = element.StartsWith("\""u8);
        if (quoted)
        {
            for (at = 1; at < element.Length && element[at] != '"'; at++)
            {
                if (element[at] == '\\' && ++at == element.Length)
                    return false;
                if (length < value.Length)
                    value[length] = element[at];
                length++;
            }

            if (at >= element.Length)
                return false;
            at++;
        }

        var semicolon = element[at..].IndexOf((byte)';');
        var end = semicolon < 0 ? element.Length : at + semicolon;
        var rest = element[at..end].TrimEnd(" \t"u8);
        element = semicolon < 0 ? default : element[(end + 1)..];
        if (quoted)
            return rest.IsEmpty;
        length = rest.Length;
        rest[..Math.Min(length, value.Length)].CopyTo(value);
        return HeadRules.IsToken(rest);
    }

    /// <summary>
    /// An address, perhaps with a port. In Forwarded IPv6 stands in brackets, and a port may be obfuscated; names (<c>unknown</c>, <c>_hidden</c>) are no addresses.
    /// </summary>
    private static bool TryParseNode(ReadOnlySpan<byte> node, bool isForwarded, out UInt128 bits, out ushort port)
    {
        (bits, port) = (0, 0);
        if (node.StartsWith("["u8))
        {
            var end = node.IndexOf((byte)']');
            return end > 0 && AddressText.TryParseV6(node[1..end], out bits) && TryParsePort(node[(end + 1)..], isForwarded, out port);
        }

        var colon = node.IndexOf((byte)':');
        if (colon >= 0 && !isForwarded && node[(colon + 1)..].Contains((byte)':'))
            return AddressText.TryParseV6(node, out bits);
        var address = colon < 0 ? node : node[..colon];
        if (!AddressText.TryParseV4(address, out var v4))
            return false;
        bits = AddressText.Map(v4);
        return TryParsePort(node[address.Length..], isForwarded, out port);
    }

    /// <param name="text">The colon included, or empty.</param>
    private static bool TryParsePort(ReadOnlySpan<byte> text, bool isForwarded, out ushort port)
    {
        port = 0;
        if (text.IsEmpty)
            return true;
        if (text[0] != ':')
            return false;
        var isObfuscated = isForwarded && text.Length > 2 && text[1] == '_' && HeadRules.IsToken(text[2..]);
        return isObfuscated || AddressText.TryParsePort(text[1..], out port);
    }
}
