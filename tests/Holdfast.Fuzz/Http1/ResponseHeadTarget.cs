using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>Response heads against a regular expression of the grammar and plain string handling.</summary>
internal static class ResponseHeadTarget
{
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;

    private static readonly Regex Grammar = new(
        @"\AHTTP/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7E\x80-\xFF]*)?\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7E\x80-\xFF]*\r\n)*\r\n\z", Options);

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        string text = Encoding.Latin1.GetString(data);
        ResponseFault fault = ResponseHead.TryParse(data, out ResponseHead head);
        bool matches = Grammar.IsMatch(text);
        (string Name, string Value)[] headers = matches ? [.. Headers(text)] : [];
        FuzzFailure.UnlessEqual(matches && IsFramedOnce(text, headers), fault == ResponseFault.None, $"a legal head ({fault})");
        if (fault != ResponseFault.None)
            return;

        FuzzFailure.UnlessEqual(text.StartsWith("HTTP/1.1", StringComparison.Ordinal), head.IsHttp11, "the version");
        FuzzFailure.UnlessEqual(int.Parse(text[9..12], CultureInfo.InvariantCulture), head.Status, "the status");
        string line = text[..text.IndexOf('\r', StringComparison.Ordinal)];
        FuzzFailure.UnlessEqual(line.Length > 13 ? line[13..] : "", Encoding.Latin1.GetString(head.Reason), "the reason");

        int i = 0;
        foreach (HeaderLine header in head)
            FuzzFailure.UnlessEqual(headers[i++], (Encoding.Latin1.GetString(header.Name), Encoding.Latin1.GetString(header.Value)), "a header");
        FuzzFailure.UnlessEqual(headers.Length, i, "number of headers");
        Known(ref head, headers, ResponseHeader.Connection, "connection");
        Known(ref head, headers, ResponseHeader.Upgrade, "upgrade");
        Known(ref head, headers, ResponseHeader.SecWebSocketAccept, "sec-websocket-accept");
        Known(ref head, headers, ResponseHeader.SecWebSocketProtocol, "sec-websocket-protocol");
        Known(ref head, headers, ResponseHeader.SecWebSocketExtensions, "sec-websocket-extensions");
        Known(ref head, headers, ResponseHeader.ContentLength, "content-length");
        Known(ref head, headers, ResponseHeader.TransferEncoding, "transfer-encoding");
        string? length = Values(headers, "content-length").FirstOrDefault();
        FuzzFailure.UnlessEqual(length is null ? -1 : long.Parse(length, CultureInfo.InvariantCulture), head.ContentLength, "the Content-Length");
        FuzzFailure.UnlessEqual(Framing(head.Status, headers), head.Framing, "the framing");
    }

    private static IEnumerable<(string Name, string Value)> Headers(string text)
    {
        foreach (string line in text.Split("\r\n")[1..^2])
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            yield return (line[..colon], line[(colon + 1)..].Trim(' ', '\t'));
        }
    }

    private static string[] Values((string Name, string Value)[] headers, string name) =>
        [.. headers.Where(header => string.Equals(header.Name, name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value)];

    private static bool IsFramedOnce(string text, (string Name, string Value)[] headers)
    {
        string[] lengths = Values(headers, "content-length");
        string[] encodings = Values(headers, "transfer-encoding");
        if (lengths.Length + encodings.Length > 1)
            return false;
        if (!lengths.All(length => length.All(char.IsAsciiDigit) && long.TryParse(length, CultureInfo.InvariantCulture, out _)))
            return false;
        return encodings.All(encoding =>
            string.Equals(encoding, "chunked", StringComparison.OrdinalIgnoreCase) && text.StartsWith("HTTP/1.1", StringComparison.Ordinal));
    }

    private static void Known(ref ResponseHead head, (string Name, string Value)[] headers, ResponseHeader header, string name)
    {
        string[] values = Values(headers, name);
        FuzzFailure.UnlessEqual(Math.Min(values.Length, 255), head.Count(header), "count of " + name);
        FuzzFailure.UnlessEqual(values.FirstOrDefault() ?? "", Encoding.Latin1.GetString(head.First(header)), "first " + name);
        bool listed = values.SelectMany(value => value.Split(',')).Select(token => token.Trim(' ', '\t')).Contains("websocket", StringComparer.OrdinalIgnoreCase);
        FuzzFailure.UnlessEqual(listed, head.Lists(header, "websocket"u8), "listed in " + name);
    }

    private static BodyFraming Framing(int status, (string Name, string Value)[] headers)
    {
        if (status < 200 || status == 204 || status == 304)
            return BodyFraming.None;
        if (Values(headers, "transfer-encoding").Length > 0)
            return BodyFraming.Chunked;
        return Values(headers, "content-length").Length > 0 ? BodyFraming.Length : BodyFraming.UntilEnd;
    }
}
