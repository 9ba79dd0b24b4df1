using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Holdfast.Testing;

/// <summary>How a connection of a <see cref="Crowd"/> ended.</summary>
/// <param name="At">Since the crowd stood, by a steady clock.</param>
/// <param name="Code">Of the Close frame; 0: none came.</param>
/// <param name="Reason">The Close frame's.</param>
public sealed record Farewell(TimeSpan At, int Code, string Reason);

/// <summary>Thousands of clients that open a WebSocket, say nothing, answer pings, and note how they are closed. Async: no thread each.</summary>
public sealed class Crowd : IDisposable
{
    private readonly List<Socket> _sockets = [];
    private readonly List<Task<Farewell>> _farewells = [];
    private long _stoodAt;

    private Crowd()
    {
    }

    /// <summary>Those that are still open.</summary>
    public int Open => _farewells.Count(f => !f.IsCompleted);

    /// <summary>Opens them, some at a time; every handshake must end with 101.</summary>
    public static async Task<Crowd> GatherAsync(IPEndPoint gateway, int count, string path = "/")
    {
        const int AtOnce = 100;
        var crowd = new Crowd { _stoodAt = TimeProvider.System.GetTimestamp() };
        try
        {
            for (var from = 0; from < count; from += AtOnce)
                crowd._sockets.AddRange(await Task.WhenAll(Enumerable.Range(0, Math.Min(AtOnce, count - from)).Select(_ => OpenAsync(gateway, path))));
            crowd._stoodAt = TimeProvider.System.GetTimestamp();
            crowd._farewells.AddRange(crowd._sockets.Select(crowd.WaitAsync));
            return crowd;
        }
        catch
        {
            crowd.Dispose();
            throw;
        }
    }

    /// <summary>All of them, once each was closed.</summary>
    public Task<Farewell[]> FarewellsAsync() => Task.WhenAll(_farewells);

    public void Dispose() => _sockets.ForEach(static s => s.Dispose());

    private static async Task<Socket> OpenAsync(IPEndPoint gateway, string path)
    {
        var socket = new Socket(gateway.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(gateway);
        await socket.SendAsync(Encoding.ASCII.GetBytes(Upgrades.Request(path)));
        // To its last byte and no further: a frame may follow at once.
        var head = new byte[1024];
        var length = 0;
        while (!head.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
        {
            if (length == head.Length || await socket.ReceiveAsync(head.AsMemory(length++, 1)) == 0)
                throw new IOException("no 101: " + Encoding.ASCII.GetString(head, 0, Math.Max(0, length - 1)));
        }

        var text = Encoding.ASCII.GetString(head, 0, length);
        return Upgrades.Status(text) == 101 ? socket : throw new IOException("no 101: " + text);
    }

    private async Task<Farewell> WaitAsync(Socket socket)
    {
        var frame = new byte[127];
        try
        {
            while (await ReceiveAsync(socket, frame.AsMemory(0, 2)) && await ReceiveAsync(socket, frame.AsMemory(2, frame[1])))
            {
                var payload = frame.AsMemory(2, frame[1]);
                if ((frame[0] & 0x0F) == Frames.Ping)
                    await socket.SendAsync(Frames.FromClient(Frames.Pong, payload.Span));
                if ((frame[0] & 0x0F) != Frames.Close)
                    continue;
                var at = TimeProvider.System.GetElapsedTime(_stoodAt);
                await socket.SendAsync(Frames.FromClient(Frames.Close, payload.Span));
                var code = payload.Length < 2 ? 0 : (payload.Span[0] << 8) | payload.Span[1];
                var reason = payload.Length < 2 ? "" : Encoding.UTF8.GetString(payload.Span[2..]);
                socket.Dispose();
                return new Farewell(at, code, reason);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // A reset, or the crowd is gone.
        }

        return new Farewell(TimeProvider.System.GetElapsedTime(_stoodAt), 0, "");
    }

    private static async Task<bool> ReceiveAsync(Socket socket, Memory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var n = await socket.ReceiveAsync(bytes);
            if (n == 0)
                return false;
            bytes = bytes[n..];
        }

        return true;
    }
}
