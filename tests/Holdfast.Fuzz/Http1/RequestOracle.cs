using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>One request that was seen whole, or as far as its bytes went.</summary>
/// <param name="Head">As sent.</param>
/// <param name="Body">Without the chunks' framing.</param>
internal sealed record SeenRequest(string Head, string Body);

/// <summary>What becomes of a stream of bytes.</summary>
/// <param name="Requests">In their order.</param>
/// <param name="Status">Of the refusal at the end; 0: there is none.</param>
/// <param name="End">How the requests end.</param>
/// <param name="Open">What follows an upgrade that was approved.</param>
internal sealed record SeenStream(IReadOnlyList<SeenRequest> Requests, int Status, StreamEnd End, string Open);

internal enum StreamEnd
{
    /// <summary>Between requests, or inside a head.</summary>
    Clean,

    /// <summary>Inside a body.</summary>
    Cut,

    /// <summary>By a head that is refused.</summary>
    Refused,

    /// <summary>By a malformed chunk.</summary>
    Broken,

    /// <summary>By an upgrade.</summary>
    Upgrade,
}

/// <summary>RFC 9112 with the gateway's strict rules, read top down over a whole stream, by regular expressions and plain string handling.</summary>
internal static class RequestOracle
{
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;
    private const string Token = @"[!#$%&'*+\-.^_`|~0-9A-Za-z]+";

    private static readonly Regex StartLine = new($@"\A({Token}) ([\x21\x22\x24-\x7E]+) HTTP/1\.([01])\z", Options);
    private static readonly Regex Header = new($@"\A({Token}):[ \t]*([\t\x20-\x7E\x80-\xFF]*)\z", Options);
    private static readonly Regex BareLineFeed = new(@"(?:\A|[^\r])\n", Options);
    private static readonly Regex Absolute = new(@"\Ahttps?://([^/?]*)/", Options | RegexOptions.IgnoreCase);

    public static SeenStream Run(byte[] stream, bool approves)
    {
        var requests = new List<SeenRequest>();
        var text = Encoding.Latin1.GetString(stream);
        for (var at = 0; ;)
        {
            var rest = text[at..];
            var end = rest.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
            var isWhole = end is >= 4 and <= 32768;
            var head = isWhole ? rest[..end] : rest[..Math.Min(rest.Length, 32768)];
            if (BareLineFeed.IsMatch(head))
                return Ended(400, StreamEnd.Refused);
            if (!isWhole)
                return rest.Length > 32768 ? Ended(431, StreamEnd.Refused) : Ended(0, StreamEnd.Clean);
            var status = Judge(head, out var length, out var isChunked, out var isUpgrade);
            if (status != 0)
                return Ended(status, StreamEnd.Refused);

            at += end;
            var body = "";
            if (isChunked)
            {
                var (chunks, consumed, _) = ChunkedOracle.Run(stream[at..], isStrict: true);
                if (chunks == ChunkStatus.Error)
                {
                    requests.Add(new SeenRequest(head, ""));
                    return Ended(0, StreamEnd.Broken);
                }

                body = Decode(text.Substring(at, consumed));
                requests.Add(new SeenRequest(head, body));
                at += consumed;
                if (chunks == ChunkStatus.NeedMore)
                    return Ended(0, StreamEnd.Cut);
            }
            else
            {
                body = text.Substring(at, (int)Math.Min(length, text.Length - at));
                requests.Add(new SeenRequest(head, body));
                at += body.Length;
                if (body.Length < length)
                    return Ended(0, StreamEnd.Cut);
            }

            if (isUpgrade)
                return new SeenStream(requests, 0, StreamEnd.Upgrade, approves && length == 0 && !isChunked ? text[at..] : "");
        }

        SeenStream Ended(int status, StreamEnd end) => new(requests, status, end, "");
    }

    /// <summary>The data of chunks that are well-formed as far as they go.</summary>
    public static string Decode(string chunks)
    {
        var data = new StringBuilder();
        while (chunks.IndexOf("\r\n", StringComparison.Ordinal) is var line and >= 0)
        {
            var size = int.Parse(chunks[..line].Split(';')[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            chunks = chunks[(line + 2)..];
            var taken = Math.Min(size, chunks.Length);
            data.Append(chunks, 0, taken);
            if (size == 0 || taken < size || chunks.Length < size + 2)
                break;
            chunks = chunks[(size + 2)..];
        }

        return data.ToString();
    }

    private static int Judge(string head, out long length, out bool isChunked, out bool isUpgrade)
    {
        (length, isChunked, isUpgrade) = (0, false, false);
        var lines = head[..^4].Split("\r\n");
        if (head.Replace("\r\n", "", StringComparison.Ordinal).Any(static c => c is (< ' ' and not '\t') or '\x7f'))
            return 400;
        var start = StartLine.Match(lines[0]);
        if (!start.Success)
            return 400;
        List<(string Name, string Value)> headers = [];
        foreach (var line in lines[1..])
        {
            var header = Header.Match(line);
            if (!header.Success)
                return 400;
            if (headers.Count == 100)
                return 431;
            headers.Add((header.Groups[1].Value.ToLowerInvariant(), header.Groups[2].Value.TrimEnd(' ', '\t')));
            if (!IsFramedOnce(headers, isHttp11: start.Groups[3].Value == "1"))
                return 400;
        }

        var host = Values(headers, "host");
        var encodings = Values(headers, "transfer-encoding");
        var lengths = Values(headers, "content-length");
        if ((host.Length == 0 && start.Groups[3].Value == "1") || (encodings.Length > 0 && lengths.Length > 0) || !IsTarget(start, host.FirstOrDefault() ?? ""))
            return 400;
        isChunked = encodings.Length > 0;
        length = lengths.Length > 0 ? long.Parse(lengths[0], CultureInfo.InvariantCulture) : 0;
        isUpgrade = Lists(headers, "connection", "upgrade") && Lists(headers, "upgrade", "websocket");
        return 0;
    }

    private static bool IsFramedOnce(List<(string Name, string Value)> headers, bool isHttp11)
    {
        var host = Values(headers, "host");
        var lengths = Values(headers, "content-length");
        var encodings = Values(headers, "transfer-encoding");
        return host.Length <= 1 && lengths.Length <= 1 && encodings.Length <= 1
            && host.All(h => HeadRules.IsHost(Encoding.Latin1.GetBytes(h)))
            && lengths.All(l => l.Length is > 0 and <= 19 && l.All(char.IsAsciiDigit) && long.TryParse(l, CultureInfo.InvariantCulture, out _))
            && encodings.All(e => isHttp11 && string.Equals(e, "chunked", StringComparison.OrdinalIgnoreCase));
    }

    private static bool IsTarget(Match start, string host)
    {
        var target = start.Groups[2].Value;
        if (target[0] == '/')
            return true;
        if (target == "*")
            return start.Groups[1].Value == "OPTIONS";
        var absolute = Absolute.Match(target);
        return absolute.Success && string.Equals(absolute.Groups[1].Value, host, StringComparison.OrdinalIgnoreCase);
    }

    private static string[] Values(List<(string Name, string Value)> headers, string name) => [.. headers.Where(h => h.Name == name).Select(h => h.Value)];

    private static bool Lists(List<(string Name, string Value)> headers, string name, string token) =>
        Values(headers, name).SelectMany(v => v.Split(',')).Any(e => string.Equals(e.Trim(' ', '\t'), token, StringComparison.OrdinalIgnoreCase));
}
