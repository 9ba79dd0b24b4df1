using System.Buffers;
using System.IO.Pipelines;
using Holdfast.Gateway.Hosting;

namespace Holdfast.Gateway.Forwarding;

internal sealed class DuplexPipe(PipeReader input, PipeWriter output) : IDuplexPipe
{
    public PipeReader Input { get; } = input;

    public PipeWriter Output { get; } = output;
}

/// <summary>
/// A reader that gives some bytes first, then what the inner reader has, and goes on elsewhere after every <see cref="SocketCompletions.PiecesPerTurn"/>th read: who receives for
/// the pipe runs its reader, too, for as long as there is something to receive. One reader at a time, as with every pipe.
/// </summary>
internal sealed class PrefixedPipeReader(PipeReader inner, byte[] prefix) : PipeReader
{
    private ReadOnlyMemory<byte> _prefix = prefix;
    private int _reads;

    /// <summary>The reader has looked at all of the prefix and wants more behind it.</summary>
    private bool _prefixExamined;
    private ReadOnlySequence<byte> _given;
    private ReadOnlySequence<byte> _fromInner;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (_prefix.IsEmpty)
            return ++_reads % SocketCompletions.PiecesPerTurn == 0 ? ReadElsewhereAsync(cancellationToken) : inner.ReadAsync(cancellationToken);
        return _prefixExamined ? JoinAsync(inner.ReadAsync(cancellationToken)) : new ValueTask<ReadResult>(GivePrefix());
    }

    public override bool TryRead(out ReadResult result)
    {
        if (_prefix.IsEmpty)
            return inner.TryRead(out result);
        if (!_prefixExamined)
        {
            result = GivePrefix();
            return true;
        }

        if (!inner.TryRead(out result))
            return false;
        result = Join(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_prefix.IsEmpty)
        {
            inner.AdvanceTo(consumed, examined);
            return;
        }

        var consumedBytes = _given.Slice(0, consumed).Length;
        var examinedBytes = _given.Slice(0, examined).Length;
        var ofPrefix = (int)Math.Min(consumedBytes, _prefix.Length);
        if (_prefixExamined)
        {
            // Inner bytes were given too, and must be handed back in the same terms.
            inner.AdvanceTo(
                _fromInner.GetPosition(Math.Max(0, consumedBytes - _prefix.Length)),
                _fromInner.GetPosition(Math.Max(0, examinedBytes - _prefix.Length)));
        }

        _prefixExamined = examinedBytes >= _prefix.Length;
        _prefix = _prefix[ofPrefix..];
        _given = _fromInner = default;
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    private async ValueTask<ReadResult> ReadElsewhereAsync(CancellationToken cancel)
    {
        var result = await inner.ReadAsync(cancel).ConfigureAwait(false);
        await Task.Yield();
        return result;
    }

    private ReadResult GivePrefix()
    {
        _given = new ReadOnlySequence<byte>(_prefix);
        return new ReadResult(_given, isCanceled: false, isCompleted: false);
    }

    private async ValueTask<ReadResult> JoinAsync(ValueTask<ReadResult> read) => Join(await read.ConfigureAwait(false));

    private ReadResult Join(ReadResult result)
    {
        _fromInner = result.Buffer;
        var first = new Segment(_prefix, 0);
        var last = first;
        foreach (var memory in result.Buffer)
            last = last.Append(memory);
        _given = new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        return new ReadResult(_given, result.IsCanceled, result.IsCompleted);
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
