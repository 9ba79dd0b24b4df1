using System.Runtime.CompilerServices;

namespace Holdfast.Cli.Load;

/// <summary>
/// Checks one answer over whatever pieces it comes in, keeping only its header. A plain struct, one per connection.
/// </summary>
internal struct EchoReader
{
    private HeaderBytes _header;
    private long _length;
    private bool _knownHeader;
    private bool _differs;

    /// <summary>Sequence of the message that this answers; meaningful when <see cref="IsIdentified"/>.</summary>
    public uint Sequence { get; private set; }

    public long Due { get; private set; }

    /// <summary>The header is one that this connection has sent.</summary>
    public readonly bool IsIdentified => _knownHeader;

    /// <summary>Every byte so far is the expected one.</summary>
    public readonly bool IsIntact(int size) => _knownHeader && !_differs && _length == size;

    public void Begin()
    {
        _length = 0;
        _knownHeader = false;
        _differs = false;
    }

    public void Take(ReadOnlySpan<byte> piece, int connection, long sent, LoadSchedule schedule)
    {
        if (_length < EchoPayload.MinSize)
        {
            var taken = Math.Min(piece.Length, EchoPayload.MinSize - (int)_length);
            piece[..taken].CopyTo(((Span<byte>)_header)[(int)_length..]);
            piece = piece[taken..];
            _length += taken;
            if (_length < EchoPayload.MinSize)
                return;
            (var origin, Sequence, Due) = EchoPayload.ReadHeader(_header);
            _knownHeader = origin == (uint)connection && Sequence < sent && Due == schedule.DueOf(connection, Sequence);
        }

        if (_knownHeader && !_differs)
            _differs = !EchoPayload.IsFiller(piece, (uint)connection, Sequence, _length - EchoPayload.MinSize);
        _length += piece.Length;
    }

    [InlineArray(EchoPayload.MinSize)]
    private struct HeaderBytes
    {
        private byte _first;
    }
}
