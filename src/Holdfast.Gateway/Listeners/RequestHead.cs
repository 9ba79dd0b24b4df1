using System.Buffers;
using Holdfast.Gateway.Routing;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http;

namespace Holdfast.Gateway.Listeners;

/// <summary>Why a request head is refused with 400 (431 for <see cref="TooManyHeaders"/> and <see cref="TooLarge"/>).</summary>
internal enum HeadFault
{
    None,
    ControlByte,
    Malformed,
    Target,
    HeaderName,
    Host,
    ContentLength,
    TransferEncoding,
    TooManyHeaders,

    /// <summary>Over 32 KiB: found by who gathers a head, before it is parsed.</summary>
    TooLarge,
}

/// <summary>
/// A parsed and strictly checked request head (DESIGN section 3.2): the server framework's parser finds the parts, and what it lets
/// pass is refused here. One per loop, used again for each request; spans are valid until the next one. Allocates nothing for
/// good heads.
/// </summary>
/// <param name="maxHeaders">Lines at most.</param>
internal sealed class RequestHead(int maxHeaders = RequestHead.MaxHeaders) : IHeaderLookup, IHttpRequestLineHandler, IHttpHeadersHandler
{
    /// <summary>Header lines at most (Kestrel's and Apache's default).</summary>
    public const int MaxHeaders = 100;

    /// <summary>Of a Content-Length: 2^63 - 1 has as many. With more, zeros lead, which other parsers count or drop.</summary>
    private const int MostDigits = 19;

    private readonly HttpParser<RequestHead> _parser = new(showErrorDetails: false);
    private readonly Line[] _lines = new Line[maxHeaders];
    private byte[] _bytes = new byte[4096];
    private int _length;
    private Slice _method, _target, _rawTarget, _path, _query, _host;
    private HeadFault _fault;
    private int _hosts, _contentLengths, _transferEncodings;

    /// <summary>As given to the last <see cref="Parse(ReadOnlySpan{byte})"/>.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    public int HeaderCount { get; private set; }

    public bool IsHttp11 { get; private set; }

    public ReadOnlySpan<byte> Method => At(_method);

    /// <summary>In origin form: an absolute form has lost its scheme and authority, which equal Host.</summary>
    public ReadOnlySpan<byte> Target => At(_target);

    /// <summary>As it was sent.</summary>
    public ReadOnlySpan<byte> RawTarget => At(_rawTarget);

    public ReadOnlySpan<byte> Path => At(_path);

    public ReadOnlySpan<byte> Query => At(_query);

    /// <summary>Empty only for HTTP/1.0 without one.</summary>
    public ReadOnlySpan<byte> Host => At(_host);

    /// <summary>-1: none.</summary>
    public long ContentLength { get; private set; }

    public bool IsChunked => _transferEncodings > 0;

    /// <summary>How the bytes of its body are told from those of the next request.</summary>
    public BodyFraming Framing => IsChunked ? BodyFraming.Chunked : ContentLength > 0 ? BodyFraming.Length : BodyFraming.None;

    /// <summary>Whether it asks for a WebSocket. Whether it may have one is another question.</summary>
    public bool IsUpgrade => Lists("connection"u8, "upgrade"u8) && Lists("upgrade"u8, "websocket"u8);

    /// <summary>Bytes that this object holds for heads.</summary>
    internal int Capacity => _bytes.Length;

    public RequestView View => new() { Method = Method, Host = Host, Path = Path, Query = Query, Headers = this };

    public ReadOnlySpan<byte> Name(int index) => At(_lines[index].Name);

    public ReadOnlySpan<byte> Value(int index) => At(_lines[index].Value);

    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) => TryGet(name, 0, out value);

    public bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < HeaderCount; i++)
        {
            if (!HeadRules.NameEquals(At(_lines[i].Name), name) || index-- > 0)
                continue;
            value = At(_lines[i].Value);
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>How many lines have this name.</summary>
    public int Count(ReadOnlySpan<byte> name)
    {
        var count = 0;
        for (var i = 0; i < HeaderCount; i++)
        {
            if (HeadRules.NameEquals(At(_lines[i].Name), name))
                count++;
        }

        return count;
    }

    /// <summary>Whether any line of this name lists the token.</summary>
    public bool Lists(ReadOnlySpan<byte> name, ReadOnlySpan<byte> token)
    {
        for (var i = 0; i < HeaderCount; i++)
        {
            if (HeadRules.NameEquals(At(_lines[i].Name), name) && HeadRules.ContainsToken(At(_lines[i].Value), token))
                return true;
        }

        return false;
    }

    /// <summary>Whether a Connection line says anything but one of the usual words: it may name headers then.</summary>
    public bool HasConnectionOptions
    {
        get
        {
            for (var i = 0; i < HeaderCount; i++)
            {
                if (HeadRules.NameEquals(Name(i), "connection"u8) && !HeadRules.IsUsualConnection(Value(i)))
                    return true;
            }

            return false;
        }
    }

    /// <summary>Takes a whole head, its empty line included.</summary>
    public HeadFault Parse(ReadOnlySpan<byte> head)
    {
        head.CopyTo(Reserve(head.Length));
        return ParseCopied();
    }

    /// <summary>Takes a whole head, its empty line included.</summary>
    public HeadFault Parse(in ReadOnlySequence<byte> head)
    {
        head.CopyTo(Reserve((int)head.Length));
        return ParseCopied();
    }

    private Span<byte> Reserve(int length)
    {
        if (_bytes.Length < length)
            _bytes = new byte[length];
        _length = length;
        return _bytes.AsSpan(0, length);
    }

    private HeadFault ParseCopied()
    {
        _method = _target = _rawTarget = _path = _query = _host = default;
        _fault = HeadFault.None;
        _hosts = _contentLengths = _transferEncodings = HeaderCount = 0;
        ContentLength = -1;
        if (!HeadRules.CrLfOnly(_bytes.AsSpan(0, _length)))
            return HeadFault.ControlByte;

        var reader = new SequenceReader<byte>(new ReadOnlySequence<byte>(_bytes, 0, _length));
        try
        {
            if (!_parser.ParseRequestLine(this, ref reader) || !_parser.ParseHeaders(this, ref reader) || reader.Remaining > 0)
                return HeadFault.Malformed;
        }
        catch (BadHttpRequestException)
        {
            return _fault == HeadFault.None ? HeadFault.Malformed : _fault;
        }

        return _fault != HeadFault.None ? _fault : CheckWhole();
    }

    void IHttpRequestLineHandler.OnStartLine(HttpVersionAndMethod versionAndMethod, TargetOffsetPathLength targetPath, Span<byte> startLine)
    {
        IsHttp11 = versionAndMethod.Version == HttpVersion.Http11;
        var line = SliceOf(startLine);
        var methodEnd = startLine.IndexOf((byte)' ');
        _method = new Slice(line.Start, methodEnd);
        _target = _rawTarget = new Slice(line.Start + targetPath.Offset, line.Length - targetPath.Offset);     // The line is given without its version.
        // The parser cuts the version off at its length, and takes any byte before it for the space, or two spaces for one.
        if (!HeadRules.IsToken(At(_method)) || targetPath.Offset != methodEnd + 1 || !IsVersionNext(line.Start + line.Length))
            _fault = HeadFault.Malformed;
        else if (!HeadRules.IsRequestTarget(At(_target)))
            _fault = HeadFault.Target;
        else if (!_bytes.AsSpan(_target.Start + _target.Length).StartsWith(" HTTP/"u8))
            _fault = HeadFault.Malformed;       // The parser passes over further spaces.
    }

    void IHttpHeadersHandler.OnHeader(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (_fault != HeadFault.None)
            return;
        if (HeaderCount == _lines.Length)
        {
            _fault = HeadFault.TooManyHeaders;
            return;
        }

        if (!HeadRules.IsToken(name))
        {
            _fault = HeadFault.HeaderName;
            return;
        }

        var slice = value.IsEmpty ? default : SliceOf(value);
        _lines[HeaderCount++] = new Line(SliceOf(name), slice);
        switch (name.Length)
        {
            case 4 when HeadRules.NameEquals(name, "host"u8):
                _host = slice;
                if (++_hosts > 1 || !HeadRules.IsHost(value))
                    _fault = HeadFault.Host;
                break;
            case 14 when HeadRules.NameEquals(name, "content-length"u8):
                if (++_contentLengths > 1 || value.Length > MostDigits || !HeadRules.TryParseContentLength(value, out var length))
                    _fault = HeadFault.ContentLength;
                else
                    ContentLength = length;
                break;
            case 17 when HeadRules.NameEquals(name, "transfer-encoding"u8):
                if (++_transferEncodings > 1 || !IsHttp11 || !HeadRules.NameEquals(value, "chunked"u8))
                    _fault = HeadFault.TransferEncoding;
                break;
        }
    }

    void IHttpHeadersHandler.OnStaticIndexedHeader(int index) => throw new InvalidOperationException("HTTP/1 has no indexed headers.");

    void IHttpHeadersHandler.OnStaticIndexedHeader(int index, ReadOnlySpan<byte> value) =>
        throw new InvalidOperationException("HTTP/1 has no indexed headers.");

    void IHttpHeadersHandler.OnHeadersComplete(bool endStream)
    {
    }

    private HeadFault CheckWhole()
    {
        if (_hosts == 0 && IsHttp11)
            return HeadFault.Host;
        if (_transferEncodings > 0 && _contentLengths > 0)
            return HeadFault.TransferEncoding;
        if (!TakeOriginForm())
            return HeadFault.Target;
        var target = At(_target);
        var question = target.IndexOf((byte)'?');
        _path = question < 0 ? _target : new Slice(_target.Start, question);
        _query = question < 0 ? default : new Slice(_target.Start + question + 1, target.Length - question - 1);
        return HeadFault.None;
    }

    private bool IsVersionNext(int at) => _length - at > 10 && _bytes.AsSpan(at, 8).SequenceEqual(" HTTP/1."u8) && _bytes[at + 9] == (byte)'\r';

    /// <summary>Absolute form (RFC 9112 3.2.2) becomes origin form if its authority is Host's; `*` is for OPTIONS; other forms are refused.</summary>
    private bool TakeOriginForm()
    {
        var target = At(_target);
        if (target[0] == '/')
            return true;
        if (target is [(byte)'*'])
            return Method.SequenceEqual("OPTIONS"u8);
        // In lower case, as everybody writes it: Kestrel takes no other.
        var scheme = target.StartsWith("http://"u8) ? 7 : target.StartsWith("https://"u8) ? 8 : 0;
        if (scheme == 0)
            return false;
        var authority = target[scheme..].IndexOfAny((byte)'/', (byte)'?');
        // Without a path there is no slash in the bytes to start from: nobody sends it, so it is not worth a copy.
        if (authority < 0 || target[scheme + authority] != '/' || !HeadRules.NameEquals(target.Slice(scheme, authority), Host))
            return false;
        _target = new Slice(_target.Start + scheme + authority, _target.Length - scheme - authority);
        return true;
    }

    private ReadOnlySpan<byte> At(Slice slice) => _bytes.AsSpan(slice.Start, slice.Length);

    /// <summary>The parser hands out parts of our one buffer.</summary>
    private Slice SliceOf(ReadOnlySpan<byte> part) => _bytes.AsSpan(0, _length).Overlaps(part, out var offset)
        ? new Slice(offset, part.Length)
        : throw new InvalidOperationException("The parser copied a part of the head.");

    private readonly record struct Slice(int Start, int Length);

    private readonly record struct Line(Slice Name, Slice Value);
}
