using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Holdfast.Api.Validation;

/// <summary>The grammars of names that a configuration is made of. Pure.</summary>
internal static class Syntax
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const string Digits = "0123456789";

    private static readonly SearchValues<char> NameChars = SearchValues.Create(Letters + Digits + "-_.");
    private static readonly SearchValues<char> LabelChars = SearchValues.Create("abcdefghijklmnopqrstuvwxyz" + Digits + "-");
    private static readonly SearchValues<char> TokenChars = SearchValues.Create(Letters + Digits + "!#$%&'*+-.^_`|~");

    /// <summary>A listener's or backend's name: letters, digits, '-', '_' and '.', starting with a letter or digit.</summary>
    public static bool IsName(string text, int longest) =>
        text.Length > 0 && text.Length <= longest && char.IsAsciiLetterOrDigit(text[0]) && !text.AsSpan().ContainsAnyExcept(NameChars);

    /// <summary>A header name or method (RFC 9110 5.6.2).</summary>
    public static bool IsToken(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(TokenChars);

    /// <summary>
    /// A lower-case DNS name without trailing dot (RFC 1123 2.1; at most 253 characters, labels at most 63). With
    /// <paramref name="underscore"/> also '_', which container networks use in the names they resolve.
    /// </summary>
    public static bool IsHostName(ReadOnlySpan<char> text, bool underscore = false)
    {
        if (text.Length is 0 or > 253)
            return false;
        foreach (var range in text.Split('.'))
        {
            var label = text[range];
            if (label.Length is 0 or > 63 || label[0] == '-' || label[^1] == '-')
                return false;
            foreach (var c in label)
            {
                if (!LabelChars.Contains(c) && !(underscore && c == '_'))
                    return false;
            }
        }

        return true;
    }

    /// <summary>A name that can be looked up: with underscores, as container networks use them, and perhaps a dot at the end, which makes it absolute.</summary>
    public static bool IsDnsName(ReadOnlySpan<char> text) => IsHostName(text.EndsWith('.') ? text[..^1] : text, underscore: true);

    /// <summary>What a URL or a Host header may name, without port: a DNS name of any case, or an IP address, IPv6 in brackets.</summary>
    public static bool IsUrlHost(string text)
    {
        if (text.StartsWith('['))
            return text.EndsWith(']') && !text.Contains('%', StringComparison.Ordinal)
                && IPAddress.TryParse(text.AsSpan(1, text.Length - 2), out var address) && address.AddressFamily == AddressFamily.InterNetworkV6;
        return !text.EndsWith('.') && IsDnsName(text.ToLowerInvariant());
    }

    /// <summary>Only visible ASCII (0x21 to 0x7E): what a request target or a bearer token may hold.</summary>
    public static bool IsVisible(string text) => text.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0;

    /// <summary>A query parameter's name as it can stand in a request.</summary>
    public static bool IsQueryName(string text) => text.Length is > 0 and <= 256 && IsVisible(text) && !text.AsSpan().ContainsAny("&=#");

    /// <summary>What a GET may ask for: a path, with a query if need be, percent-encoded (RFC 9112 3.2.1).</summary>
    public static bool IsRequestPath(string text) => text.Length <= 1024 && text.StartsWith('/') && IsVisible(text) && !text.Contains('#', StringComparison.Ordinal);

    /// <summary>A header value that a request can carry: visible ASCII, spaces and tabs inside it (RFC 9110 5.5).</summary>
    public static bool IsHeaderValue(string text)
    {
        if (text.Length is 0 or > 4096 || text[0] is ' ' or '\t' || text[^1] is ' ' or '\t')
            return false;
        foreach (var c in text)
        {
            if (c is not ('\t' or (>= ' ' and <= '~')))
                return false;
        }

        return true;
    }
}
