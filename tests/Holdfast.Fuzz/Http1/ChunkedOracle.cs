using System.Globalization;
using System.Numerics;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>RFC 9112 section 7.1 read top down over a whole buffer: what the chunked scanner must agree with. Shares no code with it.</summary>
internal sealed class ChunkedOracle
{
    private readonly byte[] _body;
    private readonly bool _isStrict;
    private int _at;
    private int _limit;
    private ChunkError _overLimit;
    private readonly List<byte> _data = [];
    private int _trailersAt = -1;

    private ChunkedOracle(byte[] body, bool isStrict) => (_body, _isStrict) = (body, isStrict);

    /// <summary>The verdict on a buffer, how much of it belongs to the body (up to the bad byte, on an error), and the error.</summary>
    public static (ChunkStatus Status, int Consumed, ChunkError Error) Run(byte[] body, bool isStrict = false)
    {
        var oracle = new ChunkedOracle(body, isStrict);
        try
        {
            oracle.Body();
            return (ChunkStatus.Done, oracle._at, ChunkError.None);
        }
        catch (EndOfStreamException)
        {
            return (ChunkStatus.NeedMore, body.Length, ChunkError.None);
        }
        catch (BadByteException bad)
        {
            return (ChunkStatus.Error, oracle._at, bad.Error);
        }
    }

    /// <summary>Of a buffer: the chunks' data in it, and what belongs to the body behind the last chunk's line.</summary>
    public static (byte[] Data, byte[] Trailers) Parts(byte[] body, bool isStrict = false)
    {
        var oracle = new ChunkedOracle(body, isStrict);
        var consumed = body.Length;
        try
        {
            oracle.Body();
            consumed = oracle._at;
        }
        catch (EndOfStreamException)
        {
            // All of the buffer is the body's.
        }
        catch (BadByteException)
        {
            consumed = oracle._at;
        }

        return ([.. oracle._data], oracle._trailersAt < 0 ? [] : body[oracle._trailersAt..consumed]);
    }

    private void Body()
    {
        while (true)
        {
            Limit(ChunkedScanner.MaxLine, ChunkError.LineTooLong);
            BigInteger size = SizeLine();
            if (size == 0)
                break;
            _limit = int.MaxValue;
            _data.AddRange(_body.AsSpan(_at, (int)BigInteger.Min(size, _body.Length - _at)));
            if (size > _body.Length - _at)
                throw new EndOfStreamException();
            _at += (int)size;
            Take('\r', ChunkError.LineEnd);
            Take('\n', ChunkError.LineEnd);
        }

        _trailersAt = _at;
        Limit(ChunkedScanner.MaxTrailers, ChunkError.TrailersTooLong);
        for (int trailers = 1; Peek() != '\r'; trailers++)
        {
            if (_isStrict && trailers > ChunkedScanner.MostTrailers)
                throw new BadByteException(ChunkError.TrailersTooLong);
            Trailer();
        }

        Take('\r', ChunkError.LineEnd);
        Take('\n', ChunkError.LineEnd);
    }

    private BigInteger SizeLine()
    {
        string digits = "";
        while (char.IsAsciiHexDigit(Peek()))
        {
            if (Value(digits + Peek()) > (_isStrict ? int.MaxValue : long.MaxValue) || (_isStrict && digits.Length == ChunkedScanner.MostDigits))
                throw new BadByteException(ChunkError.SizeOverflow);
            digits += Peek();
            _at++;
        }

        if (digits.Length == 0)
            throw new BadByteException(ChunkError.Size);
        bool space = false;
        for (; Peek() is ' ' or '\t' && !_isStrict; _at++)
            space = true;
        if (Peek() == ';')
        {
            for (_at++; Peek() != '\r'; _at++)
            {
                if (!IsText(Peek()))
                    throw new BadByteException(ChunkError.Extension);
            }
        }
        else if (space)
        {
            throw new BadByteException(ChunkError.Size);
        }

        Take('\r', ChunkError.Size);
        Take('\n', ChunkError.LineEnd);
        return Value(digits);
    }

    private void Trailer()
    {
        int start = _at;
        for (; char.IsAsciiLetterOrDigit(Peek()) || "!#$%&'*+-.^_`|~".Contains(Peek(), StringComparison.Ordinal); _at++)
        {
        }

        if (_at == start)
            throw new BadByteException(ChunkError.Trailer);
        Take(':', ChunkError.Trailer);
        for (; Peek() != '\r'; _at++)
        {
            if (!IsText(Peek()))
                throw new BadByteException(ChunkError.Trailer);
        }

        Take('\r', ChunkError.Trailer);
        Take('\n', ChunkError.LineEnd);
    }

    private void Limit(int bytes, ChunkError error)
    {
        _limit = _at + bytes;
        _overLimit = error;
    }

    /// <summary>The byte to be judged now; looking at one over the limit is the limit's error.</summary>
    private char Peek()
    {
        if (_at >= _body.Length)
            throw new EndOfStreamException();
        return _at < _limit ? (char)_body[_at] : throw new BadByteException(_overLimit);
    }

    private void Take(char wanted, ChunkError otherwise)
    {
        if (Peek() != wanted)
            throw new BadByteException(otherwise);
        _at++;
    }

    private static BigInteger Value(string digits) => BigInteger.Parse("0" + digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static bool IsText(char c) => c == '\t' || (c >= ' ' && c != 127);

    private sealed class BadByteException(ChunkError error) : Exception
    {
        public ChunkError Error { get; } = error;
    }
}
