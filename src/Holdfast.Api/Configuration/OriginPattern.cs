using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Api.Validation;

namespace Holdfast.Api.Configuration;

/// <summary>
/// One entry of <see cref="RouteOptions.Origins"/>: which of the origins that browsers send (RFC 6454 6.2) it means. <c>[scheme://]host[:port]</c>, where a <c>*</c> is
/// one whole label of the host, the whole host, or the port; or <c>null</c>; or <c>*</c>. Immutable, thread-safe.
/// </summary>
public sealed record OriginPattern
{
    /// <summary>In <see cref="Labels"/>: any one label.</summary>
    public const string AnyLabel = "*";

    private OriginPattern()
    {
    }

    /// <summary><c>*</c>: every origin, <c>null</c> and malformed ones included. The other members say nothing then.</summary>
    public bool IsAny { get; private init; }

    /// <summary><c>null</c>: what browsers send for pages without an origin (sandboxed frames, files, data URLs). The other members say nothing then.</summary>
    public bool IsNull { get; private init; }

    /// <summary>In lower case; null: http or https.</summary>
    public string? Scheme { get; private init; }

    /// <summary>Of the host, in lower case, the trailing dot left out, an IPv4 address too; empty: any host, or <see cref="Address"/>.</summary>
    public IReadOnlyList<string> Labels { get; private init; } = [];

    /// <summary>An IPv6 host; null: the host is <see cref="Labels"/>.</summary>
    public IPAddress? Address { get; private init; }

    /// <summary>1 to 65535; null: any; 0: none is written and the scheme has no default (<see cref="DefaultPort"/>).</summary>
    public int? Port { get; private init; }

    /// <summary>As text that is equal for entries that mean the same.</summary>
    public override string ToString()
    {
        if (IsAny || IsNull)
            return IsAny ? "*" : "null";
        var host = Address is not null ? $"[{Address}]" : Labels.Count == 0 ? "*" : string.Join('.', Labels);
        var port = Port switch { null => ":*", 0 => "", { } number => string.Create(CultureInfo.InvariantCulture, $":{number}") };
        return (Scheme is null ? "" : Scheme + "://") + host + port;
    }

    /// <summary>The port that an origin without one has; 0: its scheme has none.</summary>
    /// <param name="scheme">In lower case.</param>
    public static int DefaultPort(ReadOnlySpan<char> scheme) => scheme switch { "https" => 443, "http" => 80, _ => 0 };

    /// <summary>Reads an entry. Never throws for what it holds.</summary>
    /// <param name="text">As written.</param>
    /// <param name="pattern">Null when it is none.</param>
    /// <param name="problem">What is wrong, with the text and a good one; empty when nothing is.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out OriginPattern? pattern, out string problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        pattern = null;
        problem = Parse(text, ref pattern) is { } fault ? Printable.Quote(text) + " " + fault : "";
        return pattern is not null;
    }

    private static string? Parse(string text, ref OriginPattern? pattern)
    {
        if (text is "*" || string.Equals(text, "null", StringComparison.OrdinalIgnoreCase))
        {
            pattern = new OriginPattern { IsAny = text is "*", IsNull = text is not "*" };
            return null;
        }

        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\u007F') >= 0)
            return "is not ASCII; write the host as browsers send it, in punycode, for example https://xn--bcher-kva.example";
        if (text.Length == 0 || !Syntax.IsVisible(text))
            return "is not an origin; write for example https://app.example.com";

        var split = text.IndexOf("://", StringComparison.Ordinal);
        var scheme = split < 0 ? null : text[..split].ToLowerInvariant();
        var rest = split < 0 ? text : text[(split + 3)..];
        if (scheme is not null && SchemeFault(scheme, rest) is { } badScheme)
            return badScheme;
        var end = rest.AsSpan().IndexOfAny("/?#\\");
        if (end >= 0)
            return $"must end after the host and the port: an origin has no path, not even '/'; write {Shown(scheme, end == 0 ? "app.example.com" : rest[..end])}";
        if (rest.Contains('@', StringComparison.Ordinal))
            return $"must not name a user; write {Shown(scheme, "app.example.com")}";

        // Of an IPv6 address the colons inside the brackets are not the port's.
        var bracket = rest.StartsWith('[') ? rest.IndexOf(']', StringComparison.Ordinal) : 0;
        var colon = bracket < 0 ? -1 : rest.IndexOf(':', bracket);
        if (!TryParsePort(colon < 0 ? null : rest[(colon + 1)..], scheme, out var port))
            return $"has no port from 1 to 65535, nor '*'; write for example {Shown(scheme, "app.example.com:8443")} (an IPv6 address stands in brackets)";
        return ParseHost((colon < 0 ? rest : rest[..colon]).ToLowerInvariant(), new OriginPattern { Scheme = scheme, Port = port }, ref pattern);
    }

    private static string? ParseHost(string host, OriginPattern rest, ref OriginPattern? pattern)
    {
        if (host.StartsWith('['))
        {
            if (!host.EndsWith(']') || host.Contains('%', StringComparison.Ordinal)
                || !IPAddress.TryParse(host.AsSpan(1, host.Length - 2), out var address) || address.AddressFamily != AddressFamily.InterNetworkV6)
                return $"has no IPv6 address in brackets; write for example {Shown(rest.Scheme, "[::1]")}";
            pattern = rest with { Address = address };
            return null;
        }

        if (host is AnyLabel)
        {
            pattern = rest;
            return null;
        }

        var name = host.Length > 1 && host[^1] == '.' ? host[..^1] : host;
        var labels = name.Split('.');
        if (labels.Any(static l => l is not AnyLabel && l.Contains('*', StringComparison.Ordinal)))
            return $"has a '*' beside other characters, but it stands for one whole label; write for example {Shown(rest.Scheme, "*.example.com")}";
        // The shortest valid label in place of each '*' leaves a name to judge.
        if (!Syntax.IsHostName(string.Join('.', labels.Select(static l => l is AnyLabel ? "a" : l)), underscore: true))
            return $"has no valid host; write for example {Shown(rest.Scheme, "app.example.com")}";
        // Browsers write IPv4 addresses as four decimal numbers; a name cannot end in a number (WHATWG URL, "ends in a number").
        if (EndsInNumber(labels[^1]) && !IsAddress(labels))
            return $"ends in a number but is no IPv4 address as browsers write it; write for example {Shown(rest.Scheme, "127.0.0.1")}";
        pattern = rest with { Labels = labels };
        return null;
    }

    private static string? SchemeFault(string scheme, string rest) => scheme switch
    {
        "ws" or "wss" => $"names the WebSocket's scheme, but an origin is the page's; write {(scheme is "ws" ? "http" : "https")}://{Printable.Text(rest, 60)}",
        "*" => "has a '*' for the scheme; leave the scheme out for http and https, for example app.example.com",
        "file" => "names no host; pages from files have the origin null: write null",
        _ when scheme.Length == 0 || !char.IsAsciiLetter(scheme[0]) || scheme.Any(static c => !char.IsAsciiLetterOrDigit(c) && c is not ('+' or '-' or '.'))
            => "has no valid scheme before '://'; write for example https://app.example.com",
        _ => null,
    };

    private static bool TryParsePort(string? text, string? scheme, out int? port)
    {
        port = scheme is null ? null : DefaultPort(scheme);
        if (text is null)
            return true;
        port = null;
        if (text is "*")
            return true;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 65535)
            return false;
        port = number;
        return true;
    }

    private static bool EndsInNumber(string label) =>
        label.All(char.IsAsciiDigit) || (label.StartsWith("0x", StringComparison.Ordinal) && label.Skip(2).All(char.IsAsciiHexDigit));

    private static bool IsAddress(string[] labels) => labels.Length == 4 && labels.All(static l => l is AnyLabel || (byte.TryParse(l, NumberStyles.None, CultureInfo.InvariantCulture, out var part)
        && string.Equals(part.ToString(CultureInfo.InvariantCulture), l, StringComparison.Ordinal)));

    private static string Shown(string? scheme, string rest) => (scheme is null ? "" : scheme + "://") + Printable.Text(rest, 60);
}
