using System.Buffers;
using System.Globalization;
using System.Text;
using Holdfast.Gateway.Handshakes;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>The request's body: a piece is taken from the client when the one before has been given to the kernel.</summary>
internal sealed partial class Exchange
{
    /// <summary>Bytes of a body sent at once at most.</summary>
    private const int MostPiece = 64 * 1024;

    /// <summary>What may stand around a piece: its size line before it, a line end and the last chunk behind it.</summary>
    private const int Framing = 64;

    /// <summary>How long the last piece of a body may take to reach the kernel once the answer is whole.</summary>
    private static readonly TimeSpan LastPiecePatience = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether the endpoint wants the body; null: nobody asked. False: it has answered instead.</summary>
    private TaskCompletionSource<bool>? _continue;
    private volatile bool _isBodyTaken;
    private volatile bool _isStopped;

    /// <summary>The endpoint stopped taking the body: it may have answered.</summary>
    private volatile bool _isUploadBroken;

    /// <summary>Never throws: what goes wrong ends the exchange, or is seen where the answer is read.</summary>
    private async Task UploadAsync(UpstreamConnection connection)
    {
        try
        {
            if (_request.Head.TryGet("expect"u8, out _) && !await IsWantedAsync().ConfigureAwait(false))
                return;
            await PassBodyAsync(connection).ConfigureAwait(false);
        }
        catch (BadHttpRequestException e)
        {
            BodyFault = e.StatusCode;
            Abort(ExchangeEnd.BadBody);
        }
        catch (Exception e) when (IsInputOutput(e))
        {
            Abort(ExchangeEnd.ClientGone);
        }
        catch (Exception e)
        {
            Bug = e;
            Abort(ExchangeEnd.Bug);
        }
    }

    private async Task<bool> IsWantedAsync()
    {
        _continue = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            return await _continue.Task.WaitAsync(ContinuePatience, _settings.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return Status == 0;
        }
    }

    private async Task PassBodyAsync(UpstreamConnection connection)
    {
        var reader = _context.Request.BodyReader;
        while (!_isBodyTaken && !_isStopped)
        {
            var result = await reader.ReadAsync().ConfigureAwait(false);
            var data = result.Buffer;
            if (result.IsCanceled && _isStopped)
            {
                reader.AdvanceTo(data.Start);
                return;
            }

            var piece = data.Slice(0, Math.Min(data.Length, MostPiece));
            var isLast = _request.Head.IsChunked ? result.IsCompleted && piece.Length == data.Length : BytesFromClient + piece.Length >= _request.Head.ContentLength;
            if (piece.IsEmpty && !isLast)
            {
                reader.AdvanceTo(data.Start, data.End);
                if (result.IsCompleted)
                    throw new BadHttpRequestException("The body breaks off.");
                continue;
            }

            var buffer = ArrayPool<byte>.Shared.Rent((int)piece.Length + Framing);
            try
            {
                var length = Write(buffer, in piece);
                BytesFromClient += piece.Length;
                reader.AdvanceTo(piece.End);
                _isBodyTaken = isLast;
                if (isLast && _request.Head.IsChunked)
                    (buffer, length) = WithLastChunk(buffer, length);
                if (!await TryWriteAsync(connection, buffer.AsMemory(0, length)).ConfigureAwait(false))
                    return;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    /// <summary>A piece as it goes to the endpoint. An empty one has no chunk: that would be the last.</summary>
    private int Write(Span<byte> buffer, in ReadOnlySequence<byte> piece)
    {
        if (!_request.Head.IsChunked || piece.IsEmpty)
        {
            piece.CopyTo(buffer);
            return (int)piece.Length;
        }

        _ = ((int)piece.Length).TryFormat(buffer, out var length, "x", CultureInfo.InvariantCulture);
        "\r\n"u8.CopyTo(buffer[length..]);
        length += 2;
        piece.CopyTo(buffer[length..]);
        length += (int)piece.Length;
        "\r\n"u8.CopyTo(buffer[length..]);
        return length + 2;
    }

    /// <summary>With the end of the body, and the trailers that may pass.</summary>
    private (byte[] Buffer, int Length) WithLastChunk(byte[] buffer, int length)
    {
        "0\r\n"u8.CopyTo(buffer.AsSpan(length));
        length += 3;
        if (_context.Request.SupportsTrailers() && _context.Request.CheckTrailersAvailable() && Trailers() is { Length: > 0 } trailers)
        {
            var larger = ArrayPool<byte>.Shared.Rent(length + trailers.Length + Framing);
            buffer.AsSpan(0, length).CopyTo(larger);
            trailers.CopyTo(larger, length);
            length += trailers.Length;
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }

        "\r\n"u8.CopyTo(buffer.AsSpan(length));
        return (buffer, length + 2);
    }

    private byte[] Trailers()
    {
        var lines = new StringBuilder();
        foreach (var (name, values) in _context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestTrailersFeature>()!.Trailers)
        {
            var bytes = Encoding.Latin1.GetBytes(name);
            if (!TrailerRules.MayPass(bytes) || UpgradeHeads.IsStripped(bytes, trusted: false) || _request.Auth?.IsCopied(bytes) == true || _route.Filters.DropsRequestHeader(bytes))
                continue;
            foreach (var value in values)
            {
                if (value is not null && HeadRules.IsToken(bytes) && HeadRules.IsFieldValue(Encoding.Latin1.GetBytes(value)))
                    lines.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }

        return Encoding.Latin1.GetBytes(lines.ToString());
    }

    /// <summary>False: the endpoint takes no more. Its answer, or the end of the connection, says why.</summary>
    private async ValueTask<bool> TryWriteAsync(UpstreamConnection connection, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await connection.WriteAsync(bytes).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (IsInputOutput(e))
        {
            _isUploadBroken = true;
            return false;
        }
    }

    /// <summary>
    /// The answer is whole. It may overtake the end of the write that it answers, and the connection is none the worse for that; whoever has not taken the last piece after a
    /// while has not read it.
    /// </summary>
    private async ValueTask<bool> IsUploadedAsync(Task uploading)
    {
        if (!_isBodyTaken)
            return false;
        await uploading.WaitAsync(LastPiecePatience, _settings.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return uploading.IsCompleted;
    }

    /// <summary>The answer is whole, or there will be none: the rest of the body is nobody's.</summary>
    private async Task StopUploadAsync(UpstreamConnection connection, Task uploading)
    {
        _isStopped = true;
        connection.Abort();
        _continue?.TrySetResult(false);
        try
        {
            _context.Request.BodyReader.CancelPendingRead();
        }
        catch (Exception e) when (IsInputOutput(e))
        {
            // The client has left, and so is told who reads.
        }

        await uploading.ConfigureAwait(false);
    }
}
