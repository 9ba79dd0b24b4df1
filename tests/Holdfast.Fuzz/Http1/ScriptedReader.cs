using System.Buffers;
using System.IO.Pipelines;

namespace Holdfast.Fuzz.Http1;

/// <summary>
/// A pipe's reader whose bytes arrive as scripted: the next piece comes when the reader has examined all there is and asks for more. Every buffer has a segment for each piece, so
/// that each split of the bytes is also a split of the memory. Holds its user to the rules of pipes.
/// </summary>
internal sealed class ScriptedReader(byte[] stream, IEnumerable<int> pieces) : PipeReader
{
    private readonly Queue<int> _pieces = new(pieces);
    private readonly List<(int Start, int Length)> _segments = [];
    private ReadOnlySequence<byte> _buffer;
    private int _arrived;
    private int _consumed;
    private int _examined;
    private bool _isReading;

    /// <summary>Bytes of the stream that were consumed.</summary>
    public int Consumed => _consumed;

    /// <summary>Bytes that have been given to the reader.</summary>
    public int Arrived => _arrived;

    public override bool TryRead(out ReadResult result)
    {
        FuzzFailure.Unless(!_isReading, "a read while another's bytes are held");
        while (_examined >= _arrived && _pieces.TryDequeue(out var piece))
        {
            if (piece > 0)
                _segments.Add((_arrived, piece));
            _arrived += piece;
        }

        _isReading = true;
        _buffer = Build();
        result = new ReadResult(_buffer, isCanceled: false, isCompleted: _arrived == stream.Length && _pieces.Count == 0);
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        _ = TryRead(out var result);
        return new ValueTask<ReadResult>(result);
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        FuzzFailure.Unless(_isReading, "an advance without a read");
        _isReading = false;
        var seen = _consumed + (int)_buffer.Slice(0, examined).Length;
        _consumed += (int)_buffer.Slice(0, consumed).Length;
        FuzzFailure.Unless(seen >= _examined && seen >= _consumed, "examined less than before, or less than consumed");
        _examined = seen;
    }

    public override void CancelPendingRead()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    private ReadOnlySequence<byte> Build()
    {
        Segment? first = null, last = null;
        foreach (var (start, length) in _segments)
        {
            if (start + length <= _consumed)
                continue;
            var from = Math.Max(start, _consumed);
            var memory = stream.AsMemory(from, start + length - from);
            last = last is null ? first = new Segment(memory, 0) : last.Append(memory);
        }

        return first is null ? default : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
