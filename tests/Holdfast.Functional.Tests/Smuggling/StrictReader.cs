using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Holdfast.Functional.Tests.Smuggling;

internal enum Reading
{
    /// <summary>No whole request yet, and nothing wrong so far.</summary>
    NeedMore,
    Whole,
    Refused,
}

internal sealed record HeaderField(string Name, string Value);

/// <summary>A request that <see cref="StrictReader"/> has read.</summary>
internal sealed record StrictRequest
{
    public string Method { get; init; } = "";

    /// <summary>In origin form.</summary>
    public string Target { get; init; } = "";

    public bool IsHttp11 { get; init; }

    public IReadOnlyList<HeaderField> Headers { get; init; } = [];

    public string Body { get; init; } = "";

    public IReadOnlyList<HeaderField> Trailers { get; init; } = [];

    public IEnumerable<string> Values(string name) => Headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value);

    public bool Lists(string name, string token) =>
        Values(name).SelectMany(v => v.Split(',')).Any(t => t.Trim(' ', '\t').Equals(token, StringComparison.OrdinalIgnoreCase));
}

/// <summary>
/// HTTP/1.1 requests as RFC 9112 has them and DESIGN section 3.2 wants them, read top down over a whole buffer. The suite's own: it shares no code with the gateway.
/// </summary>
internal sealed partial class StrictReader
{
    public const int MaxHead = 32 * 1024;
    private const int MaxHeaders = 100, MaxChunkLine = 4096, MaxTrailers = 16 * 1024, MaxTrailerLines = 100, MaxDigits = 19;

    private readonly string _text;
    private int _at;

    private StrictReader(string text) => _text = text;

    /// <summary>How much of the input the request took.</summary>
    public int Consumed { get; private init; }

    public Reading Reading { get; private init; }

    /// <summary>Of a refusal.</summary>
    public int Status { get; private init; }

    /// <summary>Whole, or the head alone where something is wrong with the body or it has not come whole; null: not even the head.</summary>
    public StrictRequest? Request { get; private init; }

    /// <summary>Reads one request from the start of the input.</summary>
    /// <param name="isEndpoint">Heads may be longer by what a gateway adds, and have an empty Host where an HTTP/1.0 client sent none.</param>
    public static StrictReader Read(string text, bool isEndpoint = false)
    {
        var reader = new StrictReader(text);
        StrictRequest? head = null;
        try
        {
            head = reader.Head(isEndpoint);
            var whole = head.Lists("Transfer-Encoding", "chunked")
                ? reader.ChunkedBody(head)
                : head with { Body = reader.Take(head.Values("Content-Length").Select(v => long.Parse(v, CultureInfo.InvariantCulture)).FirstOrDefault()) };
            return new StrictReader(text) { Reading = Reading.Whole, Consumed = reader._at, Request = whole };
        }
        catch (EndOfStreamException)
        {
            return new StrictReader(text) { Reading = Reading.NeedMore, Request = head };
        }
        catch (RefusedException refused)
        {
            return new StrictReader(text) { Reading = Reading.Refused, Status = refused.Status, Request = head };
        }
    }

    private StrictRequest Head(bool isEndpoint)
    {
        var most = isEndpoint ? MaxHead + 4096 : MaxHead;
        var end = _text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0 ? _text.Length >= most : end + 4 > most)
            throw new RefusedException(431);
        Demand(IsText(end < 0 ? _text.TrimEnd('\r') : _text[..end]));
        if (end < 0)
            throw new EndOfStreamException();
        var lines = _text[..end].Split("\r\n");
        _at = end + 4;

        var start = lines[0].Split(' ');
        Demand(start.Length == 3 && Token().IsMatch(start[0]) && start[1].Length > 0 && start[1].All(c => c is > ' ' and <= '~' and not '#') && start[2] is "HTTP/1.1" or "HTTP/1.0");
        var is11 = start[2] == "HTTP/1.1";
        var fields = new List<HeaderField>();
        foreach (var line in lines[1..])
        {
            var field = Field(line);
            if (fields.Count == MaxHeaders && !isEndpoint)
                throw new RefusedException(431);
            fields.Add(field);
        }

        var request = new StrictRequest { Method = start[0], IsHttp11 = is11, Headers = fields };
        var hosts = request.Values("Host").ToList();
        Demand(hosts.Count == 1 || (hosts.Count == 0 && !is11));
        Demand(hosts.TrueForAll(h => IsHost(h) || (isEndpoint && h.Length == 0)));
        var lengths = request.Values("Content-Length").ToList();
        Demand(lengths.Count <= 1 && lengths.TrueForAll(l => l.Length <= MaxDigits && Digits().IsMatch(l) && UInt128.TryParse(l.TrimStart('0').PadLeft(1, '0'), CultureInfo.InvariantCulture, out var n) && n <= long.MaxValue));
        var encodings = request.Values("Transfer-Encoding").ToList();
        Demand(encodings.Count == 0 || (encodings is [var only] && only.Equals("chunked", StringComparison.OrdinalIgnoreCase) && is11 && lengths.Count == 0));
        // HTTP/1.0 has no other way to say that there is no body (RFC 1945 8.3).
        Demand(is11 || isEndpoint || lengths.Count == 1 || start[0] is not ("POST" or "PUT"));
        return request with { Target = OriginForm(start[0], start[1], hosts.FirstOrDefault("")) };
    }

    private static string OriginForm(string method, string target, string host)
    {
        if (target[0] == '/')
            return target;
        if (target == "*")
        {
            Demand(method == "OPTIONS");
            return target;
        }

        var match = Absolute().Match(target);
        Demand(match.Success && match.Groups[1].Value.Equals(host, StringComparison.OrdinalIgnoreCase));
        return match.Groups[2].Value;
    }

    private StrictRequest ChunkedBody(StrictRequest head)
    {
        var body = new System.Text.StringBuilder();
        while (true)
        {
            var line = Line(MaxChunkLine);
            var match = ChunkSize().Match(line);
            Demand(match.Success);
            var size = long.Parse(match.Groups[1].Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            Demand(size <= int.MaxValue);
            if (size == 0)
                break;
            body.Append(Take(size));
            Expect("\r\n");
        }

        var trailers = new List<HeaderField>();
        var most = MaxTrailers;
        while (true)
        {
            var before = _at;
            var line = Line(most, isTrailer: true);
            most -= _at - before;
            if (line.Length == 0)
                return head with { Body = body.ToString(), Trailers = trailers };
            Demand(trailers.Count < MaxTrailerLines);
            trailers.Add(Field(line));
        }
    }

    /// <summary>A line's text without its CR LF; the first byte that cannot be part of one is refused as soon as it is there.</summary>
    private string Line(int most, bool isTrailer = false)
    {
        var end = _text.IndexOf("\r\n", _at, StringComparison.Ordinal);
        var line = end < 0 ? _text[_at..] : _text[_at..end];
        Demand(line.Length + (end < 0 ? 0 : 2) <= most && IsText(end < 0 ? line.TrimEnd('\r') : line));
        if (end >= 0)
        {
            _at = end + 2;
            return line;
        }

        // Half a line that can become nothing good is refused already.
        var part = line.TrimEnd('\r');
        Demand(part.Length == 0 || (isTrailer ? TrailerStart().IsMatch(part) : ChunkSizeStart().IsMatch(part)));
        throw new EndOfStreamException();
    }

    private string Take(long count)
    {
        if (count > _text.Length - _at)
            throw new EndOfStreamException();
        _at += (int)count;
        return _text.Substring(_at - (int)count, (int)count);
    }

    private void Expect(string text)
    {
        foreach (var c in text)
            Demand(Take(1)[0] == c);
    }

    private static HeaderField Field(string line)
    {
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        Demand(colon > 0 && Token().IsMatch(line[..colon]));
        return new HeaderField(line[..colon], line[(colon + 1)..].Trim(' ', '\t'));
    }

    /// <summary>No control byte but tab, where CR LF has been taken as the end of a line.</summary>
    private static bool IsText(string text) => !text.Replace("\r\n", "", StringComparison.Ordinal).Any(static c => c is < ' ' and not '\t' or '\x7f');

    private static bool IsHost(string host)
    {
        var match = HostAndPort().Match(host);
        return match.Success
            && (match.Groups[1].Value is not ['[', .. var inner, ']'] || (IPAddress.TryParse(inner, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6 && !inner.Contains('%', StringComparison.Ordinal)))
            && (!match.Groups[2].Success || int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) <= 65535);
    }

    private static void Demand(bool condition)
    {
        if (!condition)
            throw new RefusedException(400);
    }

    [GeneratedRegex(@"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z")]
    private static partial Regex Token();

    [GeneratedRegex(@"\A[0-9]+\z")]
    private static partial Regex Digits();

    [GeneratedRegex(@"\A([0-9A-Fa-f]{1,8})(?:;.*)?\z", RegexOptions.Singleline)]
    private static partial Regex ChunkSize();

    [GeneratedRegex(@"\A[0-9A-Fa-f]{1,8}(?:;.*)?\z", RegexOptions.Singleline)]
    private static partial Regex ChunkSizeStart();

    [GeneratedRegex(@"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?::.*)?\z", RegexOptions.Singleline)]
    private static partial Regex TrailerStart();

    [GeneratedRegex(@"\A(\[[0-9A-Fa-f:.]+\]|[\-._~!$&'()0-9A-Za-z]+)(?::([0-9]{1,5}))?\z")]
    private static partial Regex HostAndPort();

    [GeneratedRegex(@"\Ahttps?://([^/?]*)(/.*)\z")]
    private static partial Regex Absolute();

    private sealed class RefusedException(int status) : Exception
    {
        public int Status { get; } = status;
    }
}
