using System.Buffers;
using System.Net.Sockets;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Links;

/// <summary>The far end of a client's link: one request of Kestrel's, from the loop's answer to the end of its WebSocket.</summary>
internal sealed class ClientLink(int fd, PlainRequest request, OpenLinks links) : FarEnd(fd, links)
{
    /// <summary>
    /// How long a client may take to answer the loop's Close frame before its connection ends. Kestrel cannot end one direction alone as the loop does; what the client sends
    /// after the end makes the system reset the connection, and the reset could overtake the Close frame.
    /// </summary>
    private static readonly TimeSpan CloseWait = TimeSpan.FromSeconds(1);

    private readonly HttpContext _context = request.Context;
    private readonly CancellationToken _gone = request.Context.RequestAborted;
    private readonly Socket? _socket = request.Context.Features.Get<IConnectionSocketFeature>()?.Socket;
    private readonly Lock _gate = new();
    private TaskCompletionSource? _answered;
    private volatile bool _hasAnswered;
    private bool _isOver;

    public bool IsHttp1 => !HttpProtocol.IsHttp2(_context.Request.Protocol);

    /// <summary>Ends with the WebSocket, or with the refusal. False: the loop has given no answer, and none has been begun.</summary>
    public async Task<bool> RunAsync()
    {
        Open();
        try
        {
            _ = await ReceiveAsync(Memory<byte>.Empty, _gone).ConfigureAwait(false);
            if (await ReadAnswerAsync().ConfigureAwait(false) is not { } answer)
                return _gone.IsCancellationRequested;
            if (answer.Status != StatusCodes.Status101SwitchingProtocols)
                await RefuseAsync(answer).ConfigureAwait(false);
            else
                await RelayAsync(answer).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (IsEnd(e))
        {
            Abort();        // The client has gone, or cannot be told any more what it was about to be.
            return true;
        }
        finally
        {
            lock (_gate)
                _isOver = true;     // The context is Kestrel's again, and soon another request's.
        }
    }

    /// <summary>Kestrel ends no direction alone; HTTP/2 has its own word for a stream's reset, and its connection's ends the read with an error.</summary>
    protected override bool WasReset => IsHttp1 && _socket is not null && IsClosed(_socket);

    protected override void Abort()
    {
        lock (_gate)
        {
            if (!_isOver)
                _context.Abort();
        }
    }

    protected override void OnMoved(ReadOnlySpan<byte> bytes)
    {
        // A client's Close frame comes alone, as a rule. One that is not recognized, or other bytes that look like one, cost or save a moment, and nothing else.
        _hasAnswered = bytes.Length is >= 6 and <= 131 && bytes[0] == 0x88 && bytes[1] == (0x80 | (bytes.Length - 6));
        if (_hasAnswered)
            Volatile.Read(ref _answered)?.TrySetResult();
    }

    /// <summary>Null: it has ended without one.</summary>
    private async Task<LinkAnswer?> ReadAnswerAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(LinkAnswer.MaxHead);
        try
        {
            for (var length = 0; length < LinkAnswer.MaxHead;)
            {
                var read = await ReceiveAsync(buffer.AsMemory(length, LinkAnswer.MaxHead - length), _gone).ConfigureAwait(false);
                if (read == 0)
                    return null;
                var end = HeadEnd.Find(buffer.AsSpan(0, length + read), length);
                length += read;
                if (end >= 0)
                    return LinkAnswer.Parse(buffer.AsSpan(0, length), end);
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task RelayAsync(LinkAnswer answer)
    {
        var client = await AcceptAsync(answer).ConfigureAwait(false);
        await using (client.ConfigureAwait(false))
        {
            if (answer.Rest.Length > 0)
                await WriteAsync(client, answer.Rest, _gone).ConfigureAwait(false);
            var toLoop = ToLoopAsync(client);
            await FromLoopAsync(client, _gone).ConfigureAwait(false);
            if (!IsPeerDone && !toLoop.IsCompleted)
                await AwaitCloseAsync(toLoop).ConfigureAwait(false);
            Close();
            await toLoop.ConfigureAwait(false);
        }
    }

    private async Task AwaitCloseAsync(Task toLoop)
    {
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _answered, answered);
        if (!_hasAnswered)
            _ = await Task.WhenAny(toLoop, answered.Task, Task.Delay(CloseWait, Links.Time, Over)).ConfigureAwait(false);
    }

    /// <summary>Tells the client of the WebSocket, and gives what its bytes come and go by.</summary>
    private async ValueTask<Stream> AcceptAsync(LinkAnswer answer)
    {
        var headers = _context.Response.Headers;
        var connect = UpgradeBridge.ConnectOf(_context);
        foreach (var (name, value) in answer.Headers)
        {
            // HTTP/2 has its own way to say these (RFC 8441 5).
            if (!IsOfHop(name) && (connect is null || !Is(name, "Sec-WebSocket-Accept")))
                headers.Append(name, value);
        }

        BeginWrite();
        try
        {
            if (connect is not null)
                return await connect.AcceptAsync().ConfigureAwait(false);
            headers.Upgrade = "websocket";
            if (!request.TryApproveUpgrade())
                throw new InvalidOperationException("The request cannot be upgraded.");
            return await _context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync().ConfigureAwait(false);
        }
        finally
        {
            EndWrite();
        }
    }

    /// <summary>Gives the client the answer as it is, and ends an HTTP/1.1 connection with it: what else came on it belongs to a WebSocket that is none.</summary>
    private async Task RefuseAsync(LinkAnswer answer)
    {
        var response = _context.Response;
        response.StatusCode = answer.Status;
        _context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = answer.Reason;
        var isHttp1 = IsHttp1;
        foreach (var (name, value) in answer.Headers)
        {
            // HTTP/1.1 gets the connection's own headers and the body's coding as they are; whoever has no body only its length, as a 304 tells it.
            if ((isHttp1 || !IsOfHop(name)) && (answer.Framing != BodyFraming.None || !Is(name, "Transfer-Encoding"))
                && (answer.Status != StatusCodes.Status204NoContent || !Is(name, "Content-Length")))
                response.Headers.Append(name, value);
        }

        if (isHttp1 && !HeadRules.ContainsToken(System.Text.Encoding.Latin1.GetBytes(response.Headers.Connection.ToString()), "close"u8))
            response.Headers.Append("Connection", "close");
        if (answer.Framing == BodyFraming.None)
            return;
        _context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
        if (!await CopyBodyAsync(new AnswerBody(answer, isDecoded: !isHttp1), answer.Rest, response.Body).ConfigureAwait(false))
            Abort();
    }

    /// <summary>False: it is cut short.</summary>
    private async Task<bool> CopyBodyAsync(AnswerBody body, ReadOnlyMemory<byte> received, Stream client)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceSize);
        try
        {
            while (true)
            {
                while (!received.IsEmpty && !body.IsDone)
                {
                    var taken = body.Take(received.Span, out var content);
                    if (content > 0)
                        await WriteAsync(client, received[..content], _gone).ConfigureAwait(false);
                    if (body.IsBroken)
                        return false;
                    received = received[taken..];
                }

                if (body.IsDone)
                    return true;
                var read = await ReceiveAsync(buffer.AsMemory(0, PieceSize), _gone).ConfigureAwait(false);
                if (read == 0)
                    return body.EndsWithConnection;
                received = buffer.AsMemory(0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static bool IsOfHop(string name) => UpgradeHeads.IsHopByHop(System.Text.Encoding.ASCII.GetBytes(name));

    private static bool Is(string name, string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);
}
