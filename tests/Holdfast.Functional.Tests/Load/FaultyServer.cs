using System.Net;
using System.Net.Sockets;

namespace Holdfast.Functional.Tests.Load;

/// <summary>What the server does to one message.</summary>
internal enum Fault
{
    None,
    Lose,
    Double,

    /// <summary>Sent after the next message that is sent, instead of before it.</summary>
    Delay,

    /// <summary>One bit of the last payload byte turned.</summary>
    CorruptBody,

    /// <summary>One bit of the sequence number turned.</summary>
    CorruptHeader,

    /// <summary>Answered, then Close 1001.</summary>
    Close,

    /// <summary>Answered, then Close without a code.</summary>
    CloseEmpty,

    /// <summary>Answered, then FIN without a Close.</summary>
    Hang,
}

/// <summary>
/// A WebSocket server that answers each message with itself, or with <c>?sequence=1&amp;rate=R</c> sends a numbered stream, and does to
/// message n of connection c (both from 0) exactly what its plan says. It counts what it did. Small and slow on purpose.
/// </summary>
internal sealed class FaultyServer : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Func<int, int, Fault> _plan;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];
    private readonly Task _accepting;
    private int _lost, _doubled, _delayed, _corrupted, _closed, _pongs;

    public FaultyServer(Func<int, int, Fault> plan)
    {
        _plan = plan;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public Uri Url => new($"ws://127.0.0.1:{Port}/echo");

    /// <summary>When set, handshakes get this status instead of a 101.</summary>
    public int RefuseWith { get; init; }

    public bool WrongAcceptKey { get; init; }

    /// <summary>A server's ping in front of every message, and every answer in two fragments.</summary>
    public bool PingAndFragment { get; init; }

    public int Lost => _lost;

    public int Doubled => _doubled;

    public int Delayed => _delayed;

    public int Corrupted => _corrupted;

    public int Closed => _closed;

    public int Pongs => _pongs;

    public void Count(Fault fault)
    {
        switch (fault)
        {
            case Fault.Lose:
                Interlocked.Increment(ref _lost);
                break;
            case Fault.Double:
                Interlocked.Increment(ref _doubled);
                break;
            case Fault.Delay:
                Interlocked.Increment(ref _delayed);
                break;
            case Fault.CorruptBody or Fault.CorruptHeader:
                Interlocked.Increment(ref _corrupted);
                break;
            case Fault.Close or Fault.CloseEmpty or Fault.Hang:
                Interlocked.Increment(ref _closed);
                break;
        }
    }

    public void CountPong() => Interlocked.Increment(ref _pongs);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_running);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            for (var index = 0; ; index++)
            {
                var socket = await _listener.AcceptAsync(_stop.Token);
                socket.NoDelay = true;
                var number = index;
                var connection = new FaultyConnection(this, socket, n => _plan(number, n));
                _running.Add(Task.Run(() => connection.ServeAsync(_stop.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }
}
