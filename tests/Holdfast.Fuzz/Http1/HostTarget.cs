using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>Host values against the grammar of RFC 3986 appendix A written as regular expressions.</summary>
internal static class HostTarget
{
    private const string RegisteredName = @"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+";
    private const string Octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9][0-9]|[0-9])";
    private const string IPv4 = $@"(?:{Octet}\.{Octet}\.{Octet}\.{Octet})";
    private const string H16 = "(?:[0-9A-Fa-f]{1,4})";
    private const string Ls32 = $"(?:{H16}:{H16}|{IPv4})";

    private const string IPv6 =
        $"(?:(?:{H16}:){{6}}{Ls32}"
        + $"|::(?:{H16}:){{5}}{Ls32}"
        + $"|{H16}?::(?:{H16}:){{4}}{Ls32}"
        + $"|(?:(?:{H16}:){{0,1}}{H16})?::(?:{H16}:){{3}}{Ls32}"
        + $"|(?:(?:{H16}:){{0,2}}{H16})?::(?:{H16}:){{2}}{Ls32}"
        + $"|(?:(?:{H16}:){{0,3}}{H16})?::{H16}:{Ls32}"
        + $"|(?:(?:{H16}:){{0,4}}{H16})?::{Ls32}"
        + $"|(?:(?:{H16}:){{0,5}}{H16})?::{H16}"
        + $"|(?:(?:{H16}:){{0,6}}{H16})?::)";

    private static readonly Regex Grammar = new(
        $@"\A(?:\[{IPv6}\]|{RegisteredName})(?::(?<port>[0-9]{{1,5}}))?\z", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length > 512)
            return;
        Match match = Grammar.Match(Encoding.Latin1.GetString(data));
        Group port = match.Groups["port"];
        bool expected = match.Success && (!port.Success || int.Parse(port.ValueSpan, CultureInfo.InvariantCulture) <= 65535);
        FuzzFailure.UnlessEqual(expected, HeadRules.IsHost(data), $"a host: {match.Value}");
    }
}
