using System.Runtime.InteropServices;

namespace Holdfast.Wire.Http1;

/// <summary>What one call of <see cref="ChunkedScanner.Next"/> found.</summary>
public enum ChunkStatus : byte
{
    /// <summary>All input belongs to the body, and more is to come.</summary>
    NeedMore,

    /// <summary>The body ends after the consumed bytes; what follows is not its own.</summary>
    Done,

    /// <summary>The byte after the consumed ones is not allowed there.</summary>
    Error,
}

/// <summary>What the bytes that <see cref="ChunkedScanner.NextPart"/> consumed are.</summary>
public enum ChunkPart : byte
{
    /// <summary>Size lines and line ends.</summary>
    Framing,

    /// <summary>A part of a chunk's data.</summary>
    Data,

    /// <summary>What follows the last chunk's line, the empty line included.</summary>
    Trailers,
}

/// <summary>How a body broke the chunked coding.</summary>
public enum ChunkError : byte
{
    None,

    /// <summary>A size that is not hexadecimal digits alone.</summary>
    Size,

    /// <summary>A size over 2^63 - 1.</summary>
    SizeOverflow,

    /// <summary>A control byte in a chunk extension.</summary>
    Extension,

    /// <summary>A size line of more than <see cref="ChunkedScanner.MaxLine"/> bytes.</summary>
    LineTooLong,

    /// <summary>Anything but CR LF where a line or a chunk's data ends.</summary>
    LineEnd,

    /// <summary>A trailer line that is no header line.</summary>
    Trailer,

    /// <summary>Trailers of more than <see cref="ChunkedScanner.MaxTrailers"/> bytes, or, in a strict body, too many.</summary>
    TrailersTooLong,
}

/// <summary>
/// Finds the end of a chunked body (RFC 9112 section 7.1) while its bytes pass through untouched, over arbitrary splits.
/// A plain 16-byte struct without references: it may be saved as bytes. Never throws, never allocates. <c>default</c> is the start of a body.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct ChunkedScanner
{
    /// <summary>The longest size line, extensions and CR LF included, in bytes.</summary>
    public const int MaxLine = 4096;

    /// <summary>The most bytes after the last chunk's line: trailers and the empty line.</summary>
    public const int MaxTrailers = 16 * 1024;

    /// <summary>Digits of a size in a strict body.</summary>
    public const int MostDigits = 8;

    /// <summary>Trailer lines of a strict body.</summary>
    public const int MostTrailers = 100;

    // Once the sizes are over, the number of trailer lines.
    private ulong _size;
    private int _length;
    private State _state;
    private ChunkError _error;

    private enum State : byte
    {
        SizeStart,
        Size,
        BeforeExtension,
        Extension,
        SizeLineFeed,
        Data,
        DataReturn,
        DataLineFeed,
        TrailerStart,
        TrailerName,
        TrailerValue,
        TrailerLineFeed,
        LastLineFeed,
        Done,
    }

    /// <summary>
    /// For bodies of requests, which another parser reads too: a size has at most <see cref="MostDigits"/> digits and is at most 2^31 - 1, no white space stands between a size and
    /// its extensions, and there are at most <see cref="MostTrailers"/> trailer lines.
    /// </summary>
    public bool IsStrict { readonly get; init; }

    /// <summary>Why <see cref="Next"/> returned <see cref="ChunkStatus.Error"/>; it stays.</summary>
    public readonly ChunkError Error => _error;

    /// <summary>The end of the body has been seen.</summary>
    public readonly bool IsDone => _state == State.Done;

    /// <summary>Takes as much of the input as belongs to the body; <see cref="ChunkStatus"/> says what <paramref name="consumed"/> means.</summary>
    public ChunkStatus Next(ReadOnlySpan<byte> input, out int consumed)
    {
        int i = 0;
        while (i < input.Length && _error == ChunkError.None && _state != State.Done)
        {
            if (_state == State.Data)
            {
                ulong taken = Math.Min(_size, (uint)(input.Length - i));
                _size -= taken;
                i += (int)taken;
                if (_size == 0)
                    _state = State.DataReturn;
                continue;
            }

            _error = Step(input[i]);
            if (_error == ChunkError.None)
                i++;
        }

        consumed = i;
        if (_error != ChunkError.None)
            return ChunkStatus.Error;
        return _state == State.Done ? ChunkStatus.Done : ChunkStatus.NeedMore;
    }

    /// <summary>As <see cref="Next"/>, but stops where bytes of another kind begin: call it again for what is left of the input.</summary>
    public ChunkStatus NextPart(ReadOnlySpan<byte> input, out int consumed, out ChunkPart part)
    {
        part = Part;
        if (part == ChunkPart.Data)
            return Next(input[..(int)Math.Min(_size, (uint)input.Length)], out consumed);
        int i = 0;
        while (i < input.Length && _error == ChunkError.None && _state != State.Done && Part == part)
        {
            _error = Step(input[i]);
            if (_error == ChunkError.None)
                i++;
        }

        consumed = i;
        if (_error != ChunkError.None)
            return ChunkStatus.Error;
        return _state == State.Done ? ChunkStatus.Done : ChunkStatus.NeedMore;
    }

    private readonly ChunkPart Part => _state switch
    {
        State.Data => ChunkPart.Data,
        >= State.TrailerStart => ChunkPart.Trailers,
        _ => ChunkPart.Framing,
    };

    private ChunkError Step(byte next)
    {
        if (_state < State.Data && ++_length > MaxLine)
            return ChunkError.LineTooLong;
        if (_state > State.DataLineFeed && ++_length > MaxTrailers)
            return ChunkError.TrailersTooLong;

        switch (_state)
        {
            case State.SizeStart:
                _size = 0;
                return char.IsAsciiHexDigit((char)next) ? AddDigit(next) : ChunkError.Size;
            case State.Size when char.IsAsciiHexDigit((char)next):
                return AddDigit(next);
            case State.Size or State.BeforeExtension when next is (byte)' ' or (byte)'\t' && !IsStrict:
                return To(State.BeforeExtension);
            case State.Size or State.BeforeExtension when next == (byte)';':
                return To(State.Extension);
            case State.Size or State.Extension when next == (byte)'\r':
                return To(State.SizeLineFeed);
            case State.Size or State.BeforeExtension:
                return ChunkError.Size;
            case State.Extension:
                return IsText(next) ? ChunkError.None : ChunkError.Extension;
            case State.SizeLineFeed:
                _length = 0;
                return ExpectLineFeed(next, _size == 0 ? State.TrailerStart : State.Data);
            case State.DataReturn:
                return next == (byte)'\r' ? To(State.DataLineFeed) : ChunkError.LineEnd;
            case State.DataLineFeed:
                return ExpectLineFeed(next, State.SizeStart);
            case State.TrailerStart when next == (byte)'\r':
                return To(State.LastLineFeed);
            case State.TrailerName when next == (byte)':':
                return To(State.TrailerValue);
            case State.TrailerStart when IsStrict && ++_size > MostTrailers:
                return ChunkError.TrailersTooLong;
            case State.TrailerStart or State.TrailerName:
                return HeadRules.IsToken([next]) ? To(State.TrailerName) : ChunkError.Trailer;
            case State.TrailerValue when next == (byte)'\r':
                return To(State.TrailerLineFeed);
            case State.TrailerValue:
                return IsText(next) ? ChunkError.None : ChunkError.Trailer;
            case State.TrailerLineFeed:
                return ExpectLineFeed(next, State.TrailerStart);
            default:
                return ExpectLineFeed(next, State.Done);
        }
    }

    private ChunkError AddDigit(byte digit)
    {
        if (_size > (IsStrict ? int.MaxValue : (ulong)long.MaxValue) >> 4 || (IsStrict && _length > MostDigits))
            return ChunkError.SizeOverflow;
        _size = (_size << 4) | (uint)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        return To(State.Size);
    }

    private ChunkError ExpectLineFeed(byte next, State then) => next == (byte)'\n' ? To(then) : ChunkError.LineEnd;

    private ChunkError To(State state)
    {
        _state = state;
        return ChunkError.None;
    }

    private static bool IsText(byte next) => next is (byte)'\t' or (>= (byte)' ' and not 127);
}
