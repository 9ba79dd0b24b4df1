namespace Holdfast.Wire.Http1;

/// <summary>What is wrong with an upstream's response head.</summary>
public enum ResponseFault : byte
{
    None,

    /// <summary>The first empty line is missing or is not the end.</summary>
    NotWhole,

    /// <summary>A bare CR or LF, a NUL or another control byte.</summary>
    ControlByte,

    /// <summary>Not HTTP/1.0 or HTTP/1.1.</summary>
    Version,

    /// <summary>Not three digits from 100 up, or no space around them.</summary>
    Status,

    /// <summary>A header line without a colon.</summary>
    ColonMissing,

    /// <summary>A header line that begins with a space or tab (obs-fold, RFC 9112 section 5.2).</summary>
    FoldedLine,

    /// <summary>A header name that is no token, or has space before its colon.</summary>
    Name,

    /// <summary>More than one Content-Length line.</summary>
    SeveralContentLengths,

    /// <summary>A Content-Length that is not plain digits up to 2^63 - 1.</summary>
    ContentLength,

    /// <summary>A Transfer-Encoding other than one line saying <c>chunked</c>, or any in HTTP/1.0 (RFC 9112 section 6.1).</summary>
    TransferEncoding,

    /// <summary>Both Transfer-Encoding and Content-Length (RFC 9112 section 6.3).</summary>
    LengthAndEncoding,
}

/// <summary>How the body after a response to a GET is framed (RFC 9112 section 6.3).</summary>
public enum BodyFraming : byte
{
    /// <summary>No body: 1xx, 204, 304.</summary>
    None,

    /// <summary><see cref="ResponseHead.ContentLength"/> bytes.</summary>
    Length,

    /// <summary>Chunks; <see cref="ChunkedScanner"/> finds their end.</summary>
    Chunked,

    /// <summary>Everything until the upstream ends the connection.</summary>
    UntilEnd,
}

/// <summary>The response headers a handshake is judged by.</summary>
public enum ResponseHeader : byte
{
    Other,
    Connection,
    Upgrade,
    SecWebSocketAccept,
    SecWebSocketProtocol,
    SecWebSocketExtensions,
    ContentLength,
    TransferEncoding,
}

/// <summary>
/// A response head read strictly; all spans are slices of the bytes given to <see cref="TryParse"/>, which must stay as they are meanwhile.
/// Allocation-free. Enumerating walks the header lines in order.
/// </summary>
public readonly ref struct ResponseHead
{
    private readonly ReadOnlySpan<byte> _lines;
    private readonly ulong _counts;

    private ResponseHead(ReadOnlySpan<byte> lines, ulong counts, bool http11, int status, ReadOnlySpan<byte> reason, long contentLength)
    {
        _lines = lines;
        _counts = counts;
        IsHttp11 = http11;
        Status = status;
        Reason = reason;
        ContentLength = contentLength;
    }

    /// <summary>HTTP/1.1; else HTTP/1.0.</summary>
    public bool IsHttp11 { get; }

    /// <summary>100 to 999.</summary>
    public int Status { get; }

    /// <summary>The reason phrase, perhaps empty.</summary>
    public ReadOnlySpan<byte> Reason { get; }

    /// <summary>-1 when there is none.</summary>
    public long ContentLength { get; }

    /// <summary>How the body that follows ends, when the request was a GET.</summary>
    public BodyFraming Framing
    {
        get
        {
            if (Status is < 200 or 204 or 304)
                return BodyFraming.None;
            if (Count(ResponseHeader.TransferEncoding) != 0)
                return BodyFraming.Chunked;
            return ContentLength >= 0 ? BodyFraming.Length : BodyFraming.UntilEnd;
        }
    }

    /// <summary>How many lines carry the header; from 255 up it stays 255.</summary>
    public int Count(ResponseHeader header) => (byte)(_counts >> (8 * (int)header));

    /// <summary>The value of the first line that carries the header; empty when none does.</summary>
    public ReadOnlySpan<byte> First(ResponseHeader header)
    {
        if (Count(header) != 0)
        {
            foreach (HeaderLine line in this)
            {
                if (HeaderLine.Known(line.Name) == header)
                    return line.Value;
            }
        }

        return default;
    }

    /// <summary>Whether any line of the header lists the token, in any case; all lines together are one list (RFC 9110 section 5.3).</summary>
    public bool Lists(ResponseHeader header, ReadOnlySpan<byte> token)
    {
        if (Count(header) != 0)
        {
            foreach (HeaderLine line in this)
            {
                if (HeaderLine.Known(line.Name) == header && HeadRules.ContainsToken(line.Value, token))
                    return true;
            }
        }

        return false;
    }

    /// <summary>Whether a Connection line says anything but one of the usual words: it may name headers then.</summary>
    public bool HasConnectionOptions
    {
        get
        {
            if (Count(ResponseHeader.Connection) != 0)
            {
                foreach (HeaderLine line in this)
                {
                    if (HeaderLine.Known(line.Name) == ResponseHeader.Connection && !HeadRules.IsUsualConnection(line.Value))
                        return true;
                }
            }

            return false;
        }
    }

    /// <summary>The header lines in order.</summary>
    public Enumerator GetEnumerator() => new(_lines);

    /// <summary>Reads a head.</summary>
    /// <param name="head">From the first byte up to what <see cref="HeadEnd.Find"/> returned. Its size is the caller's to cap.</param>
    /// <param name="parsed">Meaningful only when the result is <see cref="ResponseFault.None"/>.</param>
    public static ResponseFault TryParse(ReadOnlySpan<byte> head, out ResponseHead parsed)
    {
        parsed = default;
        if (HeadEnd.Find(head, 0) != head.Length)
            return ResponseFault.NotWhole;
        if (!HeadRules.CrLfOnly(head))
            return ResponseFault.ControlByte;

        ReadOnlySpan<byte> rest = head[..^2];
        ResponseFault fault = ParseStatusLine(TakeLine(ref rest), out bool http11, out int status, out ReadOnlySpan<byte> reason);
        if (fault != ResponseFault.None)
            return fault;

        ReadOnlySpan<byte> lines = rest;
        ulong counts = 0;
        long contentLength = -1;
        while (!rest.IsEmpty)
        {
            fault = HeaderLine.TryParse(TakeLine(ref rest), out HeaderLine line);
            if (fault != ResponseFault.None)
                return fault;

            ResponseHeader known = HeaderLine.Known(line.Name);
            int shift = 8 * (int)known;
            bool again = (byte)(counts >> shift) != 0;
            if ((byte)(counts >> shift) != byte.MaxValue)
                counts += 1UL << shift;
            switch (known)
            {
                case ResponseHeader.ContentLength when again:
                    return ResponseFault.SeveralContentLengths;
                case ResponseHeader.ContentLength when !HeadRules.TryParseContentLength(line.Value, out contentLength):
                    return ResponseFault.ContentLength;
                case ResponseHeader.TransferEncoding when again || !http11 || !HeadRules.NameEquals(line.Value, "chunked"u8):
                    return ResponseFault.TransferEncoding;
            }
        }

        parsed = new ResponseHead(lines, counts, http11, status, reason, contentLength);
        return contentLength >= 0 && parsed.Count(ResponseHeader.TransferEncoding) != 0 ? ResponseFault.LengthAndEncoding : ResponseFault.None;
    }

    private static ResponseFault ParseStatusLine(ReadOnlySpan<byte> line, out bool http11, out int status, out ReadOnlySpan<byte> reason)
    {
        status = 0;
        reason = default;
        http11 = line.StartsWith("HTTP/1.1"u8);
        if (!http11 && !line.StartsWith("HTTP/1.0"u8))
            return ResponseFault.Version;

        const int statusAt = 9;
        const int reasonAt = statusAt + 4;
        if (line.Length == statusAt - 1)
            return ResponseFault.Status;
        if (line[statusAt - 1] != (byte)' ')
            return ResponseFault.Version;

        // The space after the status may be missing when the reason is: some servers leave it out, and nothing can be read two ways.
        ReadOnlySpan<byte> digits = line[statusAt..Math.Min(reasonAt - 1, line.Length)];
        if (digits.Length != 3
            || !HeadRules.TryParseContentLength(digits, out long number)
            || number < 100
            || (line.Length >= reasonAt && line[reasonAt - 1] != (byte)' '))
        {
            return ResponseFault.Status;
        }

        status = (int)number;
        reason = line.Length > reasonAt ? line[reasonAt..] : default;
        return ResponseFault.None;
    }

    private static ReadOnlySpan<byte> TakeLine(scoped ref ReadOnlySpan<byte> rest)
    {
        int end = rest.IndexOf((byte)'\r');
        ReadOnlySpan<byte> line = rest[..end];
        rest = rest[(end + 2)..];
        return line;
    }

    /// <summary>Walks the header lines.</summary>
    public ref struct Enumerator
    {
        private ReadOnlySpan<byte> _rest;

        internal Enumerator(ReadOnlySpan<byte> lines) => _rest = lines;

        public HeaderLine Current { get; private set; }

        public bool MoveNext()
        {
            if (_rest.IsEmpty)
                return false;
            HeaderLine.TryParse(TakeLine(ref _rest), out HeaderLine line);
            Current = line;
            return true;
        }
    }
}
