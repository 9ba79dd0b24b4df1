using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Health;

/// <summary>What an endpoint does with a connection, once the request's head has come.</summary>
internal delegate void Answer(RawPeer peer, string head);

/// <summary>
/// An endpoint that answers users and health checks as the test says at the time; a thread for each connection, which is closed when the answer
/// returns.
/// </summary>
internal sealed class ScriptedEndpoint : IDisposable
{
    private readonly ConcurrentBag<RawPeer> _peers = [];
    private readonly ConcurrentQueue<string> _checks = new();
    private Socket? _listener;
    private volatile Answer _toUsers;
    private volatile Answer _toChecks;
    private int _users;
    private int _accepted;

    /// <param name="listens">False: connects are refused until <see cref="Listen"/>.</param>
    public ScriptedEndpoint(Answer toUsers, Answer? toChecks = null, bool listens = true)
    {
        (_toUsers, _toChecks) = (toUsers, toChecks ?? toUsers);
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        if (listens)
            Listen();
    }

    public int Port { get; }

    public Answer ToUsers { set => _toUsers = value; }

    public Answer ToChecks { set => _toChecks = value; }

    /// <summary>Requests of users so far.</summary>
    public int Users => Volatile.Read(ref _users);

    /// <summary>Connections of anyone so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Heads of checks so far.</summary>
    public IReadOnlyCollection<string> Checks => _checks;

    public void Listen()
    {
        if (_listener is null)
        {
            _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        }

        var listener = _listener;
        listener.Listen(512);
        new Thread(() => Accept(listener)) { IsBackground = true, Name = "scripted-endpoint" }.Start();
    }

    /// <summary>From here on connects are refused; open connections stay.</summary>
    public void StopListening()
    {
        _listener?.Dispose();
        _listener = null;
    }

    public void Dispose()
    {
        StopListening();
        foreach (var peer in _peers)
            peer.Dispose();
    }

    private void Accept(Socket listener)
    {
        try
        {
            while (true)
            {
                var peer = new RawPeer(listener.Accept());
                peer.Socket.ReceiveTimeout = 0;
                _peers.Add(peer);
                Interlocked.Increment(ref _accepted);
                new Thread(() => Serve(peer)) { IsBackground = true, Name = "scripted-connection" }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Listens no more.
        }
    }

    private void Serve(RawPeer peer)
    {
        using (peer)
        {
            try
            {
                var head = peer.ReceiveHead();
                if (Upgrades.Value(head, "User-Agent")?.StartsWith("holdfast-health/", StringComparison.Ordinal) == true)
                {
                    _checks.Enqueue(head);
                    _toChecks(peer, head);
                }
                else
                {
                    Interlocked.Increment(ref _users);
                    _toUsers(peer, head);
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // The peer left, or the test is over.
            }
        }
    }
}

/// <summary>Answers good and bad.</summary>
internal static class Answers
{
    /// <summary>Upgrades, sends messages back, answers pings and closes; any request that is no upgrade gets 200.</summary>
    public static void Well(RawPeer peer, string head)
    {
        if (Upgrades.Value(head, "Upgrade") is null)
        {
            peer.Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
            return;
        }

        peer.Send(Upgrades.Switching(head));
        Echo(peer, pongs: true);
    }

    /// <summary>Upgrades, and then answers everything but pings.</summary>
    public static void WithoutPongs(RawPeer peer, string head)
    {
        peer.Send(Upgrades.Switching(head));
        Echo(peer, pongs: false);
    }

    /// <summary>Reads, says nothing, and keeps the connection.</summary>
    public static void Nothing(RawPeer peer, string head) => _ = peer.ReceiveToEnd();

    public static void Garbage(RawPeer peer, string head) => peer.Send("SSH-2.0-OpenSSH_9.9\r\n\r\n");

    public static void WrongAccept(RawPeer peer, string head) => peer.Send(Upgrades.Switching(head.Replace("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x", StringComparison.OrdinalIgnoreCase)));

    public static void End(RawPeer peer, string head) => peer.Finish();

    public static void Reset(RawPeer peer, string head) => peer.Reset();

    public static Answer Status(string status, string more = "Content-Length: 0\r\n") => (peer, _) => peer.Send($"HTTP/1.1 {status}\r\n{more}\r\n");

    public static Answer Named(string name) => name switch
    {
        nameof(Well) => Well,
        nameof(WithoutPongs) => WithoutPongs,
        nameof(Nothing) => Nothing,
        nameof(Garbage) => Garbage,
        nameof(WrongAccept) => WrongAccept,
        nameof(End) => End,
        nameof(Reset) => Reset,
        _ => Status(name),
    };

    /// <summary>Until the peer closes or leaves.</summary>
    public static void Echo(RawPeer peer, bool pongs)
    {
        while (true)
        {
            var frame = peer.ReceiveFrame();
            if (frame.Opcode == Frames.Close)
            {
                peer.Send(Frames.FromServer(Frames.Close, frame.Payload));
                peer.Finish();
                return;
            }

            if (frame.Opcode == Frames.Ping ? pongs : frame.Opcode != Frames.Pong)
                peer.Send(Frames.FromServer(frame.Opcode == Frames.Ping ? Frames.Pong : frame.Opcode, frame.Payload, frame.Fin));
        }
    }
}
