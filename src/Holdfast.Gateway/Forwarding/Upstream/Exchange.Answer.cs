using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.Buffers;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>The answer: what one read brings is written and flushed before the next, so that events and long polls are not held back and a slow client slows the endpoint.</summary>
internal sealed partial class Exchange
{
    private BodyFraming _framing;
    private long _left;
    private ChunkedScanner _chunks;
    private ByteBuffer? _trailers;
    private TimeSpan _idle;

    /// <summary>The connection may serve another request after this answer.</summary>
    private bool _mayKeep;

    /// <summary>Chunks are written here, not by Kestrel, which sends no trailers over HTTP/1.1.</summary>
    private bool _writesChunks;

    /// <summary>True: the connection is good for another request.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> RelayAsync(UpstreamConnection connection, RequestRun run, Action<RequestRun> answered)
    {
        var length = await connection.ReadHeadAsync().ConfigureAwait(false);
        for (var interim = 0; !TakeHead(connection.Window[..length]); length = await connection.ReadHeadAsync().ConfigureAwait(false))
        {
            connection.Consume(length);
            if (++interim > MostInterim)
                throw new UpstreamException(UpstreamFault.TooManyInterim);
        }

        connection.Consume(length);
        AnsweredAt = _settings.Time.GetTimestamp();
        _continue?.TrySetResult(false);
        answered(run);
        if (_framing == BodyFraming.None)
            return IsReusable(connection);

        await _context.Response.StartAsync().ConfigureAwait(false);
        var writer = _context.Response.BodyWriter;
        for (var pieces = 1; !TakeBody(connection, writer); pieces++)
        {
            await FlushAsync(writer).ConfigureAwait(false);
            if (pieces % SocketCompletions.PiecesPerTurn == 0)
                await Task.Yield();
            if (await connection.FillAsync().ConfigureAwait(false) > 0)
                continue;
            if (_framing != BodyFraming.UntilEnd)
                throw new UpstreamException(UpstreamFault.BodyCut);
            break;
        }

        if (_trailers is not null || _writesChunks)
            WriteTrailers(writer);
        return IsReusable(connection);
    }

    private bool IsReusable(UpstreamConnection connection) => _mayKeep && connection.Window.IsEmpty;

    /// <summary>False: an informational answer, which Kestrel cannot pass on.</summary>
    private bool TakeHead(ReadOnlySpan<byte> bytes)
    {
        if (ResponseHead.TryParse(bytes, out var head) != ResponseFault.None)
            throw new UpstreamException(UpstreamFault.MalformedHead);
        if (head.Status == 101)
            throw new UpstreamException(UpstreamFault.Switched);
        if (head.Status < 200)
        {
            if (head.Status == 100)
                _continue?.TrySetResult(true);
            return false;
        }

        var isHead = _request.Head.Method.SequenceEqual("HEAD"u8);
        _framing = isHead ? BodyFraming.None : head.Framing;
        if (_framing == BodyFraming.Length && head.ContentLength == 0)
            _framing = BodyFraming.None;
        _left = head.ContentLength;
        _mayKeep = head.IsHttp11 && !head.Lists(ResponseHeader.Connection, "close"u8) && _framing != BodyFraming.UntilEnd
            && !(head.Status == 204 && (head.ContentLength > 0 || head.Count(ResponseHeader.TransferEncoding) > 0));
        _idle = UpstreamPool.UsualIdle;
        AnswerHeaders.Write(in head, _context.Response, _route.Filters, ref _idle);
        Status = head.Status;
        if (_framing == BodyFraming.Chunked && _request.Head.IsHttp11 && _request.Head.Lists("te"u8, "trailers"u8) && !_context.Response.SupportsTrailers())
        {
            _writesChunks = true;
            _context.Response.Headers.TransferEncoding = "chunked";
        }

        // A client that is still sending could not say where its next request begins, unless it sends all of this one.
        if (!IsBodyTaken || _settings.IsLeaving())
            AnswerHeaders.SayClose(_context);
        return true;
    }

    /// <summary>Writes what was read of the body. True: that was its end.</summary>
    private bool TakeBody(UpstreamConnection connection, PipeWriter writer)
    {
        var window = connection.Window;
        switch (_framing)
        {
            case BodyFraming.Length:
                var taken = (int)Math.Min(_left, window.Length);
                Write(writer, window[..taken]);
                _left -= taken;
                connection.Consume(taken);
                return _left == 0;

            case BodyFraming.Chunked:
                return TakeChunks(connection, writer);

            default:
                Write(writer, window);
                connection.Consume(window.Length);
                return false;
        }
    }

    private bool TakeChunks(UpstreamConnection connection, PipeWriter writer)
    {
        while (true)
        {
            var window = connection.Window;
            if (window.IsEmpty)
                return false;
            var status = _chunks.NextPart(window, out var consumed, out var part);
            var bytes = window[..consumed];
            if (part == ChunkPart.Data)
                Write(writer, bytes);
            else if (part == ChunkPart.Trailers)
                (_trailers ??= new ByteBuffer()).Append(bytes);
            connection.Consume(consumed);
            if (status == ChunkStatus.Error)
                throw new UpstreamException(UpstreamFault.MalformedBody);
            if (status == ChunkStatus.Done)
                return true;
        }
    }

    private void Write(PipeWriter writer, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        BytesFromEndpoint += bytes.Length;
        if (!_writesChunks)
        {
            Copy(writer, bytes);
            return;
        }

        var size = writer.GetSpan(16);
        _ = bytes.Length.TryFormat(size, out var digits, "x", CultureInfo.InvariantCulture);
        writer.Advance(digits);
        writer.Write("\r\n"u8);
        writer.Write(bytes);
        writer.Write("\r\n"u8);
    }

    /// <summary>As <c>BuffersExtensions.Write</c>, which takes it for a fault when there is no room: so it is once the client has left its HTTP/2 stream.</summary>
    private void Copy(PipeWriter writer, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var room = writer.GetSpan();
            if (room.IsEmpty)
            {
                Abort(ExchangeEnd.ClientGone);
                ThrowIfEnded();
            }

            var length = Math.Min(room.Length, bytes.Length);
            bytes[..length].CopyTo(room);
            writer.Advance(length);
            bytes = bytes[length..];
        }
    }

    /// <summary>Those that may pass, to a client that takes them; and the end of chunks that were written here.</summary>
    private void WriteTrailers(PipeWriter writer)
    {
        if (_writesChunks)
            writer.Write("0\r\n"u8);
        var rest = _trailers is null ? default : _trailers.Bytes;
        var supports = _context.Response.SupportsTrailers();
        while (rest.IndexOf("\r\n"u8) is var end and > 0)
        {
            var line = rest[..end];
            rest = rest[(end + 2)..];
            var colon = line.IndexOf((byte)':');
            var name = line[..colon];
            if (!TrailerRules.MayPass(name) || _route.Filters.DropsResponseHeader(name))
                continue;
            if (_writesChunks)
            {
                writer.Write(line);
                writer.Write("\r\n"u8);
            }
            else if (supports)
            {
                _context.Response.AppendTrailer(Encoding.Latin1.GetString(name), Encoding.Latin1.GetString(line[(colon + 1)..].Trim(" \t"u8)));
            }
        }

        if (_writesChunks)
            writer.Write("\r\n"u8);
    }

    /// <summary>Returns when everything has left for the client, who may take <see cref="ExchangeSettings.LongestPiece"/> over it.</summary>
    private ValueTask FlushAsync(PipeWriter writer)
    {
        var flushing = writer.FlushAsync();
        if (!flushing.IsCompletedSuccessfully)
            return AwaitAsync(flushing);
        Check(flushing.Result);
        return default;
    }

    private async ValueTask AwaitAsync(ValueTask<FlushResult> flushing)
    {
        WatchPiece(_settings.LongestPiece);
        Check(await flushing.ConfigureAwait(false));
        WatchPiece(Timeout.InfiniteTimeSpan);
    }

    /// <summary>The last chunk too: once the request is done nobody measures any more.</summary>
    private async ValueTask CompleteAsync()
    {
        // Completing alone does not flush what was written into the body's writer.
        await FlushAsync(_context.Response.BodyWriter).ConfigureAwait(false);
        var completing = _context.Response.CompleteAsync();
        if (!completing.IsCompletedSuccessfully)
        {
            WatchPiece(_settings.LongestPiece);
            await completing.ConfigureAwait(false);
            WatchPiece(Timeout.InfiniteTimeSpan);
        }

        ThrowIfEnded();
    }

    private void Check(FlushResult result)
    {
        if (result.IsCompleted || result.IsCanceled)
            Abort(ExchangeEnd.ClientGone);
        ThrowIfEnded();
    }

    private void WatchPiece(TimeSpan time)
    {
        if (_pieceTimer is null)
            _pieceTimer = _settings.Time.CreateTimer(static state => ((Exchange)state!).Abort(ExchangeEnd.ClientStalled), this, time, Timeout.InfiniteTimeSpan);
        else
            _pieceTimer.Change(time, Timeout.InfiniteTimeSpan);
    }
}
