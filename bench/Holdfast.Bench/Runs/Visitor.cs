using System.Net.WebSockets;

namespace Holdfast.Bench.Runs;

/// <summary>A client that opens a WebSocket and stays, answering pings, until it is closed. Beside the load, for connections that say nothing.</summary>
internal sealed class Visitor : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ClientWebSocket _socket;

    private Visitor(ClientWebSocket socket)
    {
        _socket = socket;
        Ended = WaitAsync();
    }

    public Task Ended { get; }

    /// <summary>The close code, once it has ended; 0 when there was no Close frame.</summary>
    public int Code { get; private set; }

    /// <summary>Null: the handshake was refused, or not answered for long.</summary>
    public static async Task<Visitor?> TryOpenAsync(int port, string path)
    {
        var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = TimeSpan.Zero;
        socket.Options.Proxy = null;
        try
        {
            using var patience = new CancellationTokenSource(Patience);
            await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}{path}"), patience.Token);
            return new Visitor(socket);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            socket.Dispose();
            return null;
        }
    }

    public void Dispose() => _socket.Dispose();

    private async Task WaitAsync()
    {
        try
        {
            var buffer = new byte[256];
            while (true)
            {
                var result = await _socket.ReceiveAsync(buffer, CancellationToken.None);
                if (result.MessageType != WebSocketMessageType.Close)
                    continue;
                Code = (int)(result.CloseStatus ?? 0);
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                return;
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Ended without a word, or we are done with it.
        }
    }
}
