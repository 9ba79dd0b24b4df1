using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Holdfast.Gateway.Listeners;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding;

/// <summary>
/// Decides what a request is, on an HTTP/1.1 connection that Kestrel serves, by the rules of the loops, and shows Kestrel's parser only what passed: one whole head, then
/// exactly the bytes of its body, and nothing of the next request before that one has been answered and Kestrel comes for it. So what Kestrel would make of a malformed head or
/// chunk, or of bytes behind a request, never matters. One reader at a time, as with every pipe.
/// </summary>
/// <param name="client">Whose connection it is.</param>
/// <param name="socket">Of a connection without TLS, where known: a refusal ends it in order.</param>
internal sealed partial class RequestGuard(RequestGuards guards, IDuplexPipe transport, ClientConnection client, Socket? socket) : PipeReader, IDisposable
{
    private readonly PipeReader _inner = transport.Input;
    private State _state;

    /// <summary>The request that Kestrel has been shown and that the application has not finished with.</summary>
    private RequestHead? _head;

    /// <summary>The application has taken it.</summary>
    private bool _isClaimed;

    /// <summary>It asks for an upgrade: no request may come behind it, whatever it is answered.</summary>
    private bool _isLast;

    /// <summary>Bytes of a head or of a body by length that Kestrel has not consumed.</summary>
    private long _left;

    private ChunkedScanner _chunks;
    private bool _drainsChunks;

    /// <summary>Bytes of a chunked body that were judged and that Kestrel has not consumed.</summary>
    private long _scanned;

    /// <summary>What Kestrel holds of the inner reader's buffer, if <see cref="_isHeld"/>.</summary>
    private ReadOnlySequence<byte> _given;
    private bool _isHeld;

    /// <summary>What it holds reaches to the end of the head or the body.</summary>
    private bool _isWhole;

    /// <summary>It has seen the whole, left some of it, and wants more.</summary>
    private bool _isStuck;

    private enum State : byte
    {
        /// <summary>Between requests.</summary>
        Boundary,

        /// <summary>A whole head is Kestrel's to take.</summary>
        Head,
        LengthBody,
        ChunkedBody,

        /// <summary>Behind the head of an upgrade: there may come no request, and nothing else before somebody approves.</summary>
        Upgrade,

        /// <summary>The bytes are no requests any more.</summary>
        Open,

        /// <summary>The application was done before the body was: what is left of it is read, so that a reset does not overtake the answer, and shown to nobody.</summary>
        Draining,

        /// <summary>There comes nothing any more.</summary>
        Ended,

        /// <summary>A chunk was malformed.</summary>
        Broken,
    }

    /// <summary>A chunk of the request under way was malformed.</summary>
    public bool IsBroken => _state == State.Broken;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        switch (_state)
        {
            case State.Open:
                return _inner.ReadAsync(cancellationToken);
            case State.Boundary when _head is null:
                return ReadHeadAsync(cancellationToken);
            case State.Head or State.LengthBody or State.ChunkedBody when !_isStuck:
                var read = _inner.ReadAsync(cancellationToken);
                return read.IsCompletedSuccessfully ? new ValueTask<ReadResult>(Show(read.Result)) : ShowAsync(read);
            case State.Draining:
                return DrainAsync(cancellationToken);
            default:
                return new ValueTask<ReadResult>(ShowEnd());
        }
    }

    public override bool TryRead(out ReadResult result)
    {
        switch (_state)
        {
            case State.Open:
                return _inner.TryRead(out result);
            case State.Boundary when _head is null:
                result = default;
                return false;       // A head may need to wait, or an answer.
            case State.Draining:
                result = default;
                return false;
            case State.Head or State.LengthBody or State.ChunkedBody when !_isStuck:
                if (!_inner.TryRead(out result))
                    return false;
                result = Show(result);
                return true;
            default:
                result = ShowEnd();
                return true;
        }
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_state == State.Open)
        {
            _inner.AdvanceTo(consumed, examined);
            return;
        }

        if (!_isHeld)
            return;
        var count = _given.Slice(0, consumed).Length;
        var isAllSeen = _given.Slice(examined).IsEmpty;
        _isHeld = false;
        _given = default;
        _inner.AdvanceTo(consumed, examined);
        if (_state == State.ChunkedBody || _drainsChunks)
            _scanned -= count;
        else
            _left -= count;
        if (_state == State.Draining)
            return;
        var isTaken = _isWhole && (_state == State.ChunkedBody ? _scanned : _left) == 0;
        _isStuck = _isWhole && isAllSeen && !isTaken;
        if (isTaken)
            _state = _state == State.Head ? AfterHead() : _isLast ? State.Ended : State.Boundary;
    }

    public override void CancelPendingRead() => _inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    /// <summary>
    /// The head of the request that Kestrel has just given to the application. Null: Kestrel has made another request of the bytes than the guard, which cannot be; whatever it
    /// is, nobody may serve it.
    /// </summary>
    public RequestHead? Claim(string method, string rawTarget)
    {
        if (_head is not { } head || _isClaimed || _state is State.Head or State.Ended
            || !System.Text.Ascii.Equals(head.Method, method) || !System.Text.Ascii.Equals(head.RawTarget, rawTarget))
        {
            _state = State.Ended;
            return null;
        }

        _isClaimed = true;
        return head;
    }

    /// <summary>The application has done with the request, and with its head: Kestrel may come for the next.</summary>
    public void Release()
    {
        if (!_isClaimed)
            return;
        RequestHeads.Return(_head!);
        (_head, _isClaimed) = (null, false);
        // Kestrel may take a client's FIN within a body for the body's end, and look for a request behind it.
        if (_state is State.LengthBody or State.ChunkedBody)
            (_drainsChunks, _state) = (_state == State.ChunkedBody, State.Draining);
    }

    /// <summary>The request under way has been upgraded: what follows is passed as it is. False: it is no upgrade, or has a body.</summary>
    public bool TryApprove()
    {
        if (_state != State.Upgrade)
            return false;
        _state = State.Open;
        return true;
    }

    public void Dispose()
    {
        _timer?.Dispose();
        if (_head is not null)
            RequestHeads.Return(_head);
        _head = null;
    }

    private async ValueTask<ReadResult> DrainAsync(CancellationToken cancel)
    {
        while (true)
        {
            var result = await _inner.ReadAsync(cancel).ConfigureAwait(false);
            var isOver = TryDrain(result.Buffer, out var taken) || result.IsCompleted;
            _inner.AdvanceTo(result.Buffer.GetPosition(taken), result.Buffer.End);
            if (isOver)
                _state = State.Ended;
            if (isOver || result.IsCanceled)
                return Nothing(result.IsCanceled && !isOver, isOver);
        }
    }

    /// <summary>True: the body has come to its end, or is malformed.</summary>
    private bool TryDrain(in ReadOnlySequence<byte> buffer, out long taken)
    {
        if (!_drainsChunks)
        {
            taken = Math.Min(_left, buffer.Length);
            _left -= taken;
            return _left == 0;
        }

        var isMalformed = !TryScan(buffer);
        taken = _scanned;
        _scanned = 0;
        return isMalformed || _chunks.IsDone;
    }

    private State AfterHead()
    {
        _left = _head!.ContentLength;
        _isLast = _head.IsUpgrade;
        (_chunks, _scanned) = (new ChunkedScanner { IsStrict = true }, 0);
        return _head.Framing switch
        {
            BodyFraming.Length => State.LengthBody,
            BodyFraming.Chunked => State.ChunkedBody,
            _ => _isLast ? State.Upgrade : State.Boundary,
        };
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ShowAsync(ValueTask<ReadResult> read) => Show(await read.ConfigureAwait(false));

    private ReadResult Show(ReadResult result)
    {
        var buffer = result.Buffer;
        if (_state == State.ChunkedBody)
            Scan(buffer);
        var length = _state == State.ChunkedBody ? _scanned : Math.Min(_left, buffer.Length);
        _isWhole = _state == State.ChunkedBody ? _chunks.IsDone : length == _left;
        _given = buffer.Slice(0, length);
        _isHeld = true;
        // A client that ends its direction behind a whole request has sent a whole request.
        return new ReadResult(_given, result.IsCanceled, result.IsCompleted && !_isWhole);
    }

    private void Scan(in ReadOnlySequence<byte> buffer)
    {
        if (TryScan(buffer))
            return;
        _state = State.Broken;
        _inner.AdvanceTo(buffer.Start, buffer.End);
        throw Malformed();
    }

    /// <summary>Judges the chunks that have come since the last time. False: one is malformed.</summary>
    private bool TryScan(in ReadOnlySequence<byte> buffer)
    {
        if (_chunks.IsDone)
            return true;
        foreach (var piece in buffer.Slice(_scanned))
        {
            var status = _chunks.Next(piece.Span, out var consumed);
            _scanned += consumed;
            if (status == ChunkStatus.Done)
                return true;
            if (status == ChunkStatus.Error)
                return false;
        }

        return true;
    }

    /// <summary>Kestrel wants more than there is: for a reader of bodies that is an error, between requests the end of the connection.</summary>
    private ReadResult ShowEnd()
    {
        if (_state == State.Broken)
            throw Malformed();
        _state = State.Ended;
        return Nothing(isCanceled: false, isCompleted: true);
    }

    private static BadHttpRequestException Malformed() => new("A chunk of the request's body is malformed.", StatusCodes.Status400BadRequest);

    private static ReadResult Nothing(bool isCanceled, bool isCompleted) => new(default, isCanceled, isCompleted);
}
