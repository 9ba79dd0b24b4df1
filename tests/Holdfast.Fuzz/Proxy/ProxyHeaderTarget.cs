using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Holdfast.Wire.Proxy;

namespace Holdfast.Fuzz.Proxy;

/// <summary>PROXY protocol headers: the text against a regular expression, the binary against a plain reading, and every beginning against the whole.</summary>
internal static class ProxyHeaderTarget
{
    private static readonly Regex Line = new(
        @"\APROXY (?:TCP(?<version>[46]) (?<source>\S+) (?<destination>\S+) (?<sourcePort>0|[1-9][0-9]{0,4}) (?<destinationPort>0|[1-9][0-9]{0,4})|UNKNOWN(?: .*)?)\z",
        RegexOptions.CultureInvariant | RegexOptions.Singleline,
        TimeSpan.FromSeconds(10));

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length > 4096)
            return;
        var status = ProxyHeader.Parse(data, out var header, out var length);
        FuzzFailure.UnlessEqual(Expected(data, out var expected, out var expectedLength), status, "status");
        FuzzFailure.UnlessEqual(expected, header, "header");
        FuzzFailure.UnlessEqual(expectedLength, length, "length");
        FuzzFailure.Unless(length is >= 0 and <= 16 + ProxyHeader.LongestBlock && length <= data.Length, "a length out of bounds");

        // Nothing that comes later changes what was said, and nothing is said too early.
        for (var end = 0; end < Math.Min(data.Length, 300); end++)
        {
            var early = ProxyHeader.Parse(data[..end], out var part, out var partLength);
            switch (early)
            {
                case ProxyHeaderStatus.Done:
                    FuzzFailure.Unless(status == ProxyHeaderStatus.Done && part == header && partLength == length && end >= length, "done too early");
                    break;
                case ProxyHeaderStatus.Malformed:
                    FuzzFailure.UnlessEqual(ProxyHeaderStatus.Malformed, status, "malformed too early");
                    break;
                default:
                    FuzzFailure.Unless(status != ProxyHeaderStatus.Done || end < length, "done too late");
                    break;
            }
        }
    }

    private static ProxyHeaderStatus Expected(ReadOnlySpan<byte> data, out ProxyHeader header, out int length)
    {
        (header, length) = (default, 0);
        var text = Encoding.Latin1.GetString(data);
        const string Signature = "\r\n\r\n\0\r\nQUIT\n";
        if (Signature.StartsWith(text, StringComparison.Ordinal))
            return ProxyHeaderStatus.NeedMore;
        if (!text.StartsWith(Signature, StringComparison.Ordinal))
            return ExpectedOfText(text, ref header, ref length);
        if (data.Length > 12 && (data[12] >> 4 != 2 || (data[12] & 15) > 1))
            return ProxyHeaderStatus.Malformed;
        var isLocal = data.Length > 12 && data[12] == 0x20;
        var (family, transport) = data.Length > 13 ? (data[13] >> 4, data[13] & 15) : (0, 0);
        if (!isLocal && (family > 3 || transport > 2 || family == 0 != (transport == 0)))
            return ProxyHeaderStatus.Malformed;
        if (data.Length < 16)
            return ProxyHeaderStatus.NeedMore;
        var block = (data[14] * 256) + data[15];
        var size = isLocal || transport != 1 ? 0 : family == 1 ? 4 : family == 2 ? 16 : 0;
        if (block > 2048 || (size > 0 && block < (2 * size) + 4))
            return ProxyHeaderStatus.Malformed;
        if (data.Length < 16 + block)
            return ProxyHeaderStatus.NeedMore;
        length = 16 + block;
        if (size > 0)
        {
            var bytes = new IPAddress(data.Slice(16, size)).MapToIPv6().GetAddressBytes();
            header = new ProxyHeader(true, AddressText.Read(bytes), (ushort)((data[16 + (2 * size)] * 256) + data[17 + (2 * size)]));
        }

        return ProxyHeaderStatus.Done;
    }

    private static ProxyHeaderStatus ExpectedOfText(string text, ref ProxyHeader header, ref int length)
    {
        const string Start = "PROXY ";
        if (!text.StartsWith(Start[..Math.Min(Start.Length, text.Length)], StringComparison.Ordinal))
            return ProxyHeaderStatus.Malformed;
        var end = text.IndexOf("\r\n", StringComparison.Ordinal);
        if (end < 0 || end > 105)
            return text.Length >= 107 ? ProxyHeaderStatus.Malformed : ProxyHeaderStatus.NeedMore;
        var match = Line.Match(text[..end]);
        if (!match.Success)
            return ProxyHeaderStatus.Malformed;
        length = end + 2;
        if (!match.Groups["version"].Success)
            return ProxyHeaderStatus.Done;
        var isV6 = match.Groups["version"].ValueSpan is "6";
        foreach (var name in (string[])["source", "destination"])
        {
            if (match.Groups[name].ValueSpan.Contains(':') != isV6 || !AddressText.TryParse(Encoding.Latin1.GetBytes(match.Groups[name].Value), out _))
                return Malformed(out length);
        }

        if (Number("sourcePort") > 65535 || Number("destinationPort") > 65535)
            return Malformed(out length);
        _ = AddressText.TryParse(Encoding.Latin1.GetBytes(match.Groups["source"].Value), out var source);
        header = new ProxyHeader(true, source, (ushort)Number("sourcePort"));
        return ProxyHeaderStatus.Done;

        int Number(string name) => int.Parse(match.Groups[name].ValueSpan, CultureInfo.InvariantCulture);
    }

    private static ProxyHeaderStatus Malformed(out int length)
    {
        length = 0;
        return ProxyHeaderStatus.Malformed;
    }
}
