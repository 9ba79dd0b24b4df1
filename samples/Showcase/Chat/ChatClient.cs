using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;

namespace Showcase.Chat;

/// <summary>
/// One connected person. <see cref="Send(byte[])"/> may be called by any thread and never waits; one writer empties the outbox, one reader
/// reads, and the socket belongs to <see cref="RunAsync"/>.
/// </summary>
internal sealed class ChatClient(long id, string name, WebSocket socket, TimeProvider time) : IDisposable
{
    /// <summary>How long the other side may take to answer a close, and a write to finish once the end has come.</summary>
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly Channel<byte[]> _outbox = Channel.CreateBounded<byte[]>(
        new BoundedChannelOptions(ChatLimits.Outbox) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    // Never cancelled in place: its callbacks would run under the room's lock.
    private readonly CancellationTokenSource _tooSlow = new();
    private Closing? _closing;

    private sealed record Closing(WebSocketCloseStatus Status, string Why);

    public long Id { get; } = id;

    public string Name { get; } = name;

    public static byte[] Serialize(ServerMessage message) => JsonSerializer.SerializeToUtf8Bytes(message, ChatJson.Default.ServerMessage);

    public void Send(ServerMessage message) => Send(Serialize(message));

    /// <summary>Queues a message. A client whose outbox is full reads too slowly: it is dropped, so that it costs the others nothing.</summary>
    public void Send(byte[] message)
    {
        // A completed outbox refuses too, and then the end is on its way already.
        if (!_outbox.Writer.TryWrite(message) && Volatile.Read(ref _closing) is null)
            _ = _tooSlow.CancelAsync();
    }

    /// <summary>Sends what is queued, then a close frame. The first cause wins.</summary>
    public void Close(WebSocketCloseStatus status, string why)
    {
        if (Interlocked.CompareExchange(ref _closing, new Closing(status, why), null) is null)
            _outbox.Writer.TryComplete();
    }

    /// <summary>Only when no room knows the client any more.</summary>
    public void Dispose() => _tooSlow.Dispose();

    /// <summary>Serves the connection until it ends, however it ends.</summary>
    /// <param name="onMessage">Called by the reader with each whole message.</param>
    /// <param name="aborted">The transport is gone.</param>
    public async Task RunAsync(Action<ReadOnlyMemory<byte>> onMessage, CancellationToken aborted)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(aborted, _tooSlow.Token);
        var writer = WriteAsync(ended.Token);
        var reader = ReadAsync(onMessage, ended.Token);

        // After either side's end the other gets a moment for the close handshake; a dead peer does not hold the process.
        await Task.WhenAny(writer, reader);
        using var patience = new CancellationTokenSource(CloseTimeout, time);
        await using var giveUp = patience.Token.Register(ended.Cancel);
        await Task.WhenAll(writer, reader);
    }

    private async Task WriteAsync(CancellationToken ended)
    {
        try
        {
            await foreach (var message in _outbox.Reader.ReadAllAsync(ended))
                await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, ended);
            var closing = Volatile.Read(ref _closing) ?? new Closing(WebSocketCloseStatus.NormalClosure, "");
            await socket.CloseOutputAsync(closing.Status, closing.Why, ended);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The peer is gone or too slow; the socket is in no state to say more.
            socket.Abort();
        }
    }

    private async Task ReadAsync(Action<ReadOnlyMemory<byte>> onMessage, CancellationToken ended)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChatLimits.FrameBytes);
        try
        {
            var filled = 0;
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(filled, ChatLimits.FrameBytes - filled), ended);
                filled += part.Count;
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    Close(WebSocketCloseStatus.NormalClosure, "");
                    return;
                }

                if (part.MessageType == WebSocketMessageType.Binary)
                    Close(WebSocketCloseStatus.InvalidMessageType, "text only");
                else if (!part.EndOfMessage && filled == ChatLimits.FrameBytes)
                    Close(WebSocketCloseStatus.MessageTooBig, $"at most {ChatLimits.FrameBytes} bytes");
                else if (!part.EndOfMessage)
                    continue;
                else if (Volatile.Read(ref _closing) is null)
                    onMessage(buffer.AsMemory(0, filled));

                // After our close only the peer's is waited for; what else it says is read and forgotten.
                filled = 0;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Ended without a close handshake.
            Close(WebSocketCloseStatus.NormalClosure, "");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
