using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Api.Validation;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Reads one scalar; returns what is wrong with it, with a good one, or null.</summary>
internal delegate string? ValueParser<T>(string text, out T value);

/// <summary>The kinds of scalar values. What a value may be beside others is the validators' business.</summary>
internal static class ValueParsers
{
    public static string? Text(string text, out string value)
    {
        value = text;
        return text.Length == 0 ? "must not be empty" : null;
    }

    public static string? Number(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value)
            ? null
            : $"{Printable.Quote(text)} is not a whole number from 0 to 2147483647; write for example 100";

    public static string? Decimal(string text, out double value)
    {
        value = 0;
        // The framework would also take NaN and Infinity.
        return text.All(static c => char.IsAsciiDigit(c) || c == '.') && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value)
            ? null
            : $"{Printable.Quote(text)} is not a decimal number; write for example 1.25";
    }

    public static string? Truth(string text, out bool value)
    {
        value = text is "true";
        return text is "true" or "false" ? null : $"{Printable.Quote(text)} is neither true nor false; write for example true";
    }

    public static string? Duration(string text, out TimeSpan value) =>
        Units.TryParseDuration(text, out value)
            ? null
            : $"{Printable.Quote(text)} is not a duration up to {Units.Format(Units.LongestDuration)}; write a whole number with ms, s, m or h, for example 30s";

    public static string? Size(string text, out int value)
    {
        value = 0;
        if (!Units.TryParseSize(text, out var bytes))
            return $"{Printable.Quote(text)} is not a size; write bytes, or a whole number with KiB, MiB or GiB, for example 64KiB";
        if (bytes > 1 << 30)
            return $"{Printable.Quote(text)} is too large; at most 1GiB, for example 1MiB";
        value = (int)bytes;
        return null;
    }

    /// <summary>A size that may be beyond what one array holds.</summary>
    public static string? LargeSize(string text, out long value) =>
        Units.TryParseSize(text, out value)
            ? null
            : $"{Printable.Quote(text)} is not a size; write bytes, or a whole number with KiB, MiB or GiB, for example 64MiB";

    /// <summary>A route's host, in lower case and without trailing dot; its grammar is validated later.</summary>
    public static string? Host(string text, out string value)
    {
        value = (text.Length > 1 && text[^1] == '.' ? text[..^1] : text).ToLowerInvariant();
        return null;
    }

    /// <summary>A name to look up, in lower case; a dot at its end says that no search domain applies. Its grammar is validated later.</summary>
    public static string? DnsName(string text, out string value)
    {
        value = text.ToLowerInvariant();
        return null;
    }

    public static string? Any(string text, out string value)
    {
        value = text;
        return null;
    }

    public static string? Policy(string text, out LoadBalancingPolicy value)
    {
        string[] names = ["leastConnections", "powerOfTwoChoices", "roundRobin", "random", "consistentHash"];
        var index = Array.IndexOf(names, text);
        value = index < 0 ? LoadBalancingPolicy.LeastConnections : (LoadBalancingPolicy)index;
        return index >= 0 ? null : $"{Printable.Quote(text)} is not a policy; write {KeySuggestion.Nearest(text, names) ?? string.Join(", ", names)}";
    }

    public static string? Protocol(string text, out HoldProtocol value)
    {
        string[] names = ["none", "opaque", "graphql-transport-ws", "json"];
        var index = Array.IndexOf(names, text);
        value = index < 0 ? HoldProtocol.None : (HoldProtocol)index;
        if (index >= 0)
            return null;
        return UnsupportedKeys.IsProtocol(text)
            ? $"`{text}` is not supported by this version; write for example opaque"
            : $"{Printable.Quote(text)} is not a protocol to hold; write {KeySuggestion.Nearest(text, names) ?? string.Join(", ", names)}";
    }

    public static string? SameSite(string text, out SameSitePolicy value)
    {
        string[] names = ["Lax", "Strict", "None"];
        var index = Array.IndexOf(names, text);
        value = index < 0 ? SameSitePolicy.Lax : (SameSitePolicy)index;
        return index >= 0 ? null : $"{Printable.Quote(text)} is not a SameSite policy; write {KeySuggestion.Nearest(text, names) ?? string.Join(", ", names)}";
    }

    /// <summary>Absolute; what else it must be is validated later. The text is not shown: it may hold a password.</summary>
    public static string? Url(string text, out Uri value)
    {
        value = Placeholders.Url;
        if (!Syntax.IsVisible(text) || !text.Contains("://", StringComparison.Ordinal) || !Uri.TryCreate(text, UriKind.Absolute, out var url))
            return "is not an absolute URL of visible ASCII; write for example http://auth.default.svc/verify";
        value = url;
        return null;
    }

    public static string? Scheme(string text, out string value)
    {
        value = text is "http" ? "http" : "https";
        return text is "http" or "https" ? null : $"{Printable.Quote(text)} is neither http nor https; write {(text is "ws" ? "http" : "https")}";
    }

    public static string? TlsVersion(string text, out TlsVersion value)
    {
        value = text is "1.3" ? Configuration.TlsVersion.Tls13 : Configuration.TlsVersion.Tls12;
        return text is "1.2" or "1.3" ? null : $"{Printable.Quote(text)} is not a version of TLS that is served; write 1.2 or 1.3";
    }

    public static string? CertificateUse(string text, out ClientCertificateUse value) =>
        OneOf(text, [("require", ClientCertificateUse.Require), ("optional", ClientCertificateUse.Optional)], out value);

    public static string? Mode(string text, out HoldMode value) =>
        OneOf(text, [("breakFirst", HoldMode.BreakFirst), ("makeFirst", HoldMode.MakeFirst)], out value);

    public static string? ServerError(string text, out ServerErrorAction value) =>
        OneOf(text, [("relay", ServerErrorAction.Relay), ("rehome", ServerErrorAction.Rehome)], out value);

    /// <summary>Where to listen. An address, not a name: what a name resolves to may change.</summary>
    public static string? ListenAddress(string text, out IPEndPoint value)
    {
        value = Placeholders.Address;
        if (!TrySplit(text, out var host, out var port))
            return $"{Printable.Quote(text)} is not an address and port; write for example 0.0.0.0:8080 or [::]:8080";
        if (port < 0)
            return $"{Printable.Quote(text)} has no port from 0 to 65535; write for example 0.0.0.0:8080";
        if (!TryParseIp(host, out var ip))
            return $"{Printable.Quote(host)} is not an IP address; write for example 127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";
        value = new IPEndPoint(ip, port);
        return null;
    }

    public static string? Endpoint(string text, out EndpointAddress value)
    {
        value = Placeholders.Endpoint;
        if (!TrySplit(text, out var host, out var port))
            return $"{Printable.Quote(text)} is not a host and port; write for example 10.0.0.7:8080 or chat.internal:8080";
        if (port is < 1)
            return $"{Printable.Quote(text)} has no port from 1 to 65535; write for example 10.0.0.7:8080";
        if (TryParseIp(host, out var ip))
        {
            value = new EndpointAddress(ip.ToString(), port);
            return null;
        }

        var name = host.ToLowerInvariant();
        if (!Syntax.IsDnsName(name) || char.IsAsciiDigit(name[name.AsSpan(0, name.Length - 1).LastIndexOf('.') + 1]))
            return $"{Printable.Quote(host)} is neither an IP address nor a host name; write for example 10.0.0.7:8080 or chat.internal:8080";
        value = new EndpointAddress(name, port);
        return null;
    }

    public static string? Network(string text, out IPNetwork value)
    {
        value = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!TryParseIp(slash < 0 ? text : text[..slash], out var ip))
            return $"{Printable.Quote(text)} is not a network; write for example 10.0.0.0/8";
        var bits = ip.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (slash < 0)
            return $"{Printable.Quote(text)} is not a network; write {ip}/{bits.ToString(CultureInfo.InvariantCulture)} for this address alone";
        if (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var prefix) || prefix > bits)
            return $"{Printable.Quote(text)} has no prefix length from 0 to {bits.ToString(CultureInfo.InvariantCulture)}; write for example 10.0.0.0/8";
        var network = Mask(ip, prefix);
        if (!network.Equals(ip))
            return $"{Printable.Quote(text)} has bits set beyond its prefix; write {network}/{prefix.ToString(CultureInfo.InvariantCulture)}";
        value = new IPNetwork(ip, prefix);
        return null;
    }

    private static string? OneOf<T>(string text, (string Name, T Value)[] two, out T value)
    {
        foreach (var (name, known) in two)
        {
            value = known;
            if (string.Equals(name, text, StringComparison.Ordinal))
                return null;
        }

        value = two[0].Value;
        return $"{Printable.Quote(text)} is neither {two[0].Name} nor {two[1].Name}; write {KeySuggestion.Nearest(text, two.Select(t => t.Name)) ?? two[0].Name}";
    }

    private static IPAddress Mask(IPAddress ip, int prefix)
    {
        var bytes = ip.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var kept = Math.Clamp(prefix - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - kept));
        }

        return new IPAddress(bytes);
    }

    /// <summary>Splits <c>host:port</c> or <c>[v6]:port</c>. Port is -1 when it is missing or out of range.</summary>
    private static bool TrySplit(string text, out string host, out int port)
    {
        (host, port) = ("", -1);
        if (text.StartsWith('['))
        {
            var end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 0 || !text.AsSpan(1, end - 1).Contains(':'))
                return false;
            host = text[1..end];
            text = text[(end + 1)..];
            if (text.Length > 0 && text[0] != ':')
                return false;
            text = text.Length > 0 ? text[1..] : text;
        }
        else
        {
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            // Two colons without brackets: which one starts the port is a guess.
            if (colon >= 0 && text.IndexOf(':', colon + 1) >= 0)
                return false;
            host = colon < 0 ? text : text[..colon];
            text = colon < 0 ? "" : text[(colon + 1)..];
        }

        if (host.Length == 0)
            return false;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 65535)
            port = number;
        return true;
    }

    /// <summary>Stricter than the framework: no octal, hexadecimal or shortened IPv4, no scope.</summary>
    private static bool TryParseIp(string text, out IPAddress ip)
    {
        if (!IPAddress.TryParse(text, out ip!) || text.Contains('%', StringComparison.Ordinal) || text.StartsWith('['))
            return false;
        return ip.AddressFamily == AddressFamily.InterNetworkV6 || string.Equals(ip.ToString(), text, StringComparison.Ordinal);
    }
}

/// <summary>Stand in for values that could not be read; never part of a result, since their key is a fault.</summary>
internal static class Placeholders
{
    public static readonly IPEndPoint Address = new(IPAddress.None, 0);

    public static readonly Uri Url = new("http://invalid/");

    public static readonly EndpointAddress Endpoint = new("invalid", 1);
}
