using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>
/// An auth service that answers as the test says at the time; a thread for each connection. What is sent is its business alone, so an answer may be anything. It counts.
/// </summary>
internal sealed class AuthService : IDisposable
{
    private readonly ConcurrentBag<RawPeer> _peers = [];
    private readonly ConcurrentQueue<string> _heads = new();
    private readonly Socket _listener = RawPeer.Listen();
    private volatile Action<RawPeer, string>? _act;
    private volatile Func<string, string> _answer = _ => "";
    private int _connections;
    private int _open;
    private int _underWay;
    private int _mostUnderWay;

    /// <param name="answer">To the head of a question; what it takes to make it counts as under way.</param>
    public AuthService(Func<string, string> answer)
    {
        _answer = answer;
        new Thread(Accept) { IsBackground = true, Name = "auth-service" }.Start();
    }

    public AuthService(string answer)
        : this(_ => answer)
    {
    }

    public Func<string, string> Answer { set => _answer = value; }

    /// <summary>Done after the answer is sent; the connection is closed when it returns.</summary>
    public Action<RawPeer, string>? Act { set => _act = value; }

    public Uri Url => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}/verify?by=holdfast");

    /// <summary>Heads of the questions so far.</summary>
    public IReadOnlyList<string> Heads => [.. _heads];

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Connections that have not ended.</summary>
    public int Open => Volatile.Read(ref _open);

    public int UnderWay => Volatile.Read(ref _underWay);

    /// <summary>Questions that were answered at one time, at most.</summary>
    public int MostUnderWay => Volatile.Read(ref _mostUnderWay);

    public void Dispose()
    {
        _listener.Dispose();
        foreach (var peer in _peers)
            peer.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var peer = new RawPeer(_listener.Accept());
                peer.Socket.ReceiveTimeout = 0;
                _peers.Add(peer);
                Interlocked.Increment(ref _connections);
                Interlocked.Increment(ref _open);
                new Thread(() => Serve(peer)) { IsBackground = true, Name = "auth-connection" }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private void Serve(RawPeer peer)
    {
        try
        {
            while (true)
            {
                var head = peer.ReceiveHead();
                _heads.Enqueue(head);
                var now = Interlocked.Increment(ref _underWay);
                for (int most; now > (most = Volatile.Read(ref _mostUnderWay));)
                    Interlocked.CompareExchange(ref _mostUnderWay, now, most);
                // As the test has it when the question comes: it may change its mind the moment that it has the answer.
                var act = _act;
                string answer;
                try
                {
                    answer = _answer(head);
                }
                finally
                {
                    // Before the answer goes: the next question may come the moment that it has arrived.
                    Interlocked.Decrement(ref _underWay);
                }

                peer.Send(answer);
                act?.Invoke(peer, head);
                if (act is not null)
                    return;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The peer left, or the test is over.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
            peer.Dispose();
        }
    }
}
