using System.Net;
using System.Net.Sockets;

namespace Holdfast.Testing;

/// <summary>An endpoint that sends every message frame back, answers pings and closes; a thread for each connection.</summary>
public sealed class EchoEndpoint : IDisposable
{
    private readonly Socket _listener = RawPeer.Listen();
    private readonly List<RawPeer> _peers = [];
    private int _connections;

    public EchoEndpoint() => new Thread(Accept) { IsBackground = true, Name = "echo-endpoint" }.Start();

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Connections upgraded so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public void Dispose()
    {
        _listener.Dispose();
        lock (_peers)
        {
            foreach (var peer in _peers)
                peer.Dispose();
        }
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var peer = new RawPeer(_listener.Accept());
                peer.Socket.ReceiveTimeout = 0;
                lock (_peers)
                    _peers.Add(peer);
                new Thread(() => Serve(peer)) { IsBackground = true, Name = "echo-connection" }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private void Serve(RawPeer peer)
    {
        using (peer)
        {
            try
            {
                _ = peer.AnswerUpgrade();
                Interlocked.Increment(ref _connections);
                while (true)
                {
                    var frame = peer.ReceiveFrame();
                    if (frame.Opcode == Frames.Close)
                    {
                        peer.Send(Frames.FromServer(Frames.Close, frame.Payload));
                        peer.Finish();
                        return;
                    }

                    if (frame.Opcode != Frames.Pong)
                        peer.Send(Frames.FromServer(frame.Opcode == Frames.Ping ? Frames.Pong : frame.Opcode, frame.Payload, frame.Fin));
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or ArgumentNullException)
            {
                // The peer left, or the test is over.
            }
        }
    }
}
