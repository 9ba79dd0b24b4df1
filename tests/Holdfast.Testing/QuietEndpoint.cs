using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Holdfast.Testing;

/// <summary>An endpoint that upgrades whoever comes and then reads until the end: for connections by the thousand.</summary>
public sealed class QuietEndpoint : IDisposable
{
    private readonly Socket _listener = RawPeer.Listen();
    private readonly List<Socket> _sockets = [];
    private int _open;

    public QuietEndpoint() => _ = AcceptAsync();

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Upgraded connections that have not ended.</summary>
    public int Open => Volatile.Read(ref _open);

    public void Dispose() => _listener.Dispose();

    /// <summary>Ends as a killed process does: every connection is reset.</summary>
    public void Kill()
    {
        _listener.Dispose();
        lock (_sockets)
            _sockets.ForEach(static s => s.Close(0));
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                lock (_sockets)
                    _sockets.Add(socket);
                _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            var upgraded = false;
            try
            {
                var buffer = new byte[2048];
                var length = 0;
                while (!buffer.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
                {
                    var n = await socket.ReceiveAsync(buffer.AsMemory(length));
                    if (n == 0)
                        return;
                    length += n;
                }

                await socket.SendAsync(Encoding.ASCII.GetBytes(Upgrades.Switching(Encoding.ASCII.GetString(buffer, 0, length))));
                Interlocked.Increment(ref _open);
                upgraded = true;
                while (await socket.ReceiveAsync(buffer) > 0)
                {
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It left without a word.
            }
            finally
            {
                if (upgraded)
                    Interlocked.Decrement(ref _open);
            }
        }
    }
}
