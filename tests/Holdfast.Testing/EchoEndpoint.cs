using System.Net;
using System.Net.Sockets;

namespace Holdfast.Testing;

/// <summary>An endpoint that sends every message frame back, answers pings and closes; a thread for each connection.</summary>
public sealed class EchoEndpoint : IDisposable
{
    private readonly Socket _listener;
    private readonly List<RawPeer> _peers = [];
    private int _connections;

    /// <param name="address">Null: a free port of 127.0.0.1.</param>
    public EchoEndpoint(IPEndPoint? address = null)
    {
        _listener = RawPeer.Listen(address: address);
        new Thread(Accept) { IsBackground = true, Name = "echo-endpoint" }.Start();
    }

    /// <summary>One on each address, all on one port, as the pods of a Service are.</summary>
    public static EchoEndpoint[] OnOnePort(params string[] addresses)
    {
        while (true)
        {
            var endpoints = new List<EchoEndpoint> { new(new IPEndPoint(IPAddress.Parse(addresses[0]), 0)) };
            try
            {
                foreach (var address in addresses[1..])
                    endpoints.Add(new EchoEndpoint(new IPEndPoint(IPAddress.Parse(address), endpoints[0].Port)));
                return [.. endpoints];
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Taken on another address: another port is tried.
                endpoints.ForEach(static endpoint => endpoint.Dispose());
            }
        }
    }

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
                var head = peer.ReceiveHead();
                Interlocked.Increment(ref _connections);
                peer.Send(Upgrades.Switching(head));
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
