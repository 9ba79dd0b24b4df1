using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Cli.Load;
using Holdfast.Cli.Rehearse.Judging;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// One client: connects, says what is due, records what it hears, and comes back politely when it is disconnected. What falls due meanwhile waits, and
/// counts from when it was due. <see cref="RunAsync"/> runs once; the rest may be called by any thread. Receiving is in the other file.
/// </summary>
/// <param name="number">Of the connection, told to the gateway in the path.</param>
/// <param name="dialect">Of this connection alone.</param>
/// <param name="target">Where to connect.</param>
/// <param name="clock">For the records.</param>
/// <param name="random">Of this client alone.</param>
/// <param name="time">For the pauses.</param>
/// <param name="plan">Faults made on purpose; null: none.</param>
internal sealed partial class ClientConnection(
    int number, ClientDialect dialect, IPEndPoint target, RunClock clock, Random random, TimeProvider time, FaultPlan? plan = null)
{
    /// <summary>Before the number of the connection.</summary>
    public const string PathPrefix = "/rehearse/";

    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly FeedClock? _feed = dialect.Channel is { } channel ? FeedClock.Of(channel) : null;
    private readonly ClientRecorder _recorder = new(number, dialect.Channel is { } own ? FeedClock.Of(own) : null);
    private readonly ClientHandshake _handshake = new(
        new Uri($"ws://{target}{PathPrefix}{number}"), null, dialect.SubProtocol is { } offered ? [new("Sec-WebSocket-Protocol", offered)] : []);

    /// <summary>Null while there is no connection.</summary>
    private Socket? _open;
    private bool _isLeaving;
    private int _next;
    private string? _kept;

    public int Number => number;

    /// <summary>It has been connected, and its protocol has said that questions may come.</summary>
    public bool WasReady { get; private set; }

    /// <summary>Everything due has been written and answered, and the feed has come up to a time.</summary>
    public bool IsSettled(long until)
    {
        lock (_lock)
        {
            return _next == _recorder.Sent.Count && _recorder.Answers.Count >= _recorder.Sent.Count + (plan?.MoreAnswers ?? 0)
                && (_feed is not { } feed || _lastTick >= feed.SequenceAt(until) - 1);
        }
    }

    /// <summary>For the judge, when <see cref="RunAsync"/> has returned.</summary>
    public ConnectionRecord Record() => _recorder.Record();

    /// <summary>Another message has fallen due.</summary>
    public void SendDue(long due)
    {
        lock (_lock)
        {
            _recorder.Sent.Add(new SentMessage(due, 0));
            Flush();
        }
    }

    /// <summary>Ends the connection in order; <see cref="RunAsync"/> then returns.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            _isLeaving = true;
            if (_open is { } socket)
                WriteControl(socket, CloseCode.Normal);
        }
    }

    /// <summary>Connected, and again, until it leaves or is stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var attempt = 0;
        while (!stop.IsCancellationRequested && !IsLeaving())
        {
            var (end, reason) = await ConnectOnceAsync(stop);
            if (stop.IsCancellationRequested || IsLeaving())
                return;
            if (end is { } code)
            {
                _recorder.Disconnects.Add(new Disconnect(clock.Now, code));
                attempt = 0;
            }
            else
            {
                _recorder.Refused++;
            }

            await Task.Delay(ReconnectPause.Next(attempt++, reason, random.NextDouble()), time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>How a connection ended; no code when it did not come about.</summary>
    private async Task<(int? Code, byte[] Reason)> ConnectOnceAsync(CancellationToken stop)
    {
        using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        int surplus;
        try
        {
            using var limit = new CancellationTokenSource(HandshakeTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
            surplus = await HandshakeAsync(socket, either.Token);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return (null, []);
        }

        if (surplus < 0)
            return (null, []);
        Open(socket);
        try
        {
            return await ReceiveAsync(socket, surplus, stop);
        }
        finally
        {
            lock (_lock)
                _open = null;
        }
    }

    /// <summary>The bytes that came behind the head, in the buffer; negative: refused.</summary>
    private async Task<int> HandshakeAsync(Socket socket, CancellationToken stop)
    {
        await socket.ConnectAsync(target, stop);
        var key = new byte[AcceptKey.KeyLength];
        await socket.SendAsync(_handshake.NewRequest(key).ToArray(), stop);
        var length = 0;
        while (true)
        {
            var n = await socket.ReceiveAsync(_buffer.AsMemory(length), stop);
            if (n == 0)
                return -1;
            length += n;
            var end = HeadEnd.Find(_buffer.AsSpan(0, length), 0);
            if (end < 0 && length < _buffer.Length)
                continue;
            if (end < 0 || ClientHandshake.Judge(_buffer.AsSpan(0, end), key, dialect.SubProtocol) is not null)
                return -1;
            _buffer.AsSpan(end, length - end).CopyTo(_buffer);
            return length - end;
        }
    }

    private void Open(Socket socket)
    {
        lock (_lock)
        {
            if (_recorder.OpenedAt == 0)
                _recorder.OpenedAt = clock.Now;
            foreach (var message in dialect.Greet())
                Write(socket, message);
            _open = socket;
            if (_isLeaving)
                WriteControl(socket, CloseCode.Normal);
            else if (dialect.IsReady)
                BecomeReady(socket);
        }
    }

    /// <summary>Under the lock.</summary>
    private void BecomeReady(Socket socket)
    {
        WasReady = true;
        foreach (var message in dialect.Prepare())
            Write(socket, message);
        Flush();
    }

    /// <summary>Under the lock: writes what is due, when somebody is there.</summary>
    private void Flush()
    {
        while (_open is { } socket && !_isLeaving && dialect.IsReady && _next < _recorder.Sent.Count)
        {
            var sequence = _next++;
            var now = clock.Now;
            _recorder.Sent[sequence] = _recorder.Sent[sequence] with { At = now };
            var message = dialect.Question(sequence, again: false, now);
            var fault = plan?.Flow == Flow.ToServer ? plan.Next(sequence) : null;
            if (fault == FaultKind.Reordered)
            {
                _kept = message;
                continue;
            }

            if (fault != FaultKind.Lost)
                Write(socket, message);
            if (fault == FaultKind.Duplicated)
                Write(socket, dialect.Question(sequence, again: true, now));
            if (_kept is { } kept)
                Write(socket, kept);
            _kept = null;
        }
    }

    private static void Write(Socket socket, string message)
    {
        var payload = Encoding.UTF8.GetBytes(message);
        var frame = new byte[FrameWriter.MaxHeader + payload.Length];
        var key = NewKey();
        var header = FrameWriter.WriteHeader(frame, Opcode.Text, fin: true, (ulong)payload.Length, key);
        payload.CopyTo(frame, header);
        Masking.Apply(frame.AsSpan(header, payload.Length), key, offset: 0);
        Send(socket, frame.AsSpan(0, header + payload.Length));
    }

    private static void WriteControl(Socket socket, CloseCode code)
    {
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        Send(socket, frame[..FrameWriter.WriteClose(frame, code, [], NewKey())]);
    }

    private static void WriteControl(Socket socket, Opcode opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        Send(socket, frame[..FrameWriter.WriteControl(frame, opcode, payload, NewKey())]);
    }

    /// <summary>A socket that has ended is told by its receiving side, which first hears what was said before.</summary>
    private static void Send(Socket socket, ReadOnlySpan<byte> frame)
    {
        try
        {
            socket.Send(frame);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // See above.
        }
    }

    private static uint NewKey()
    {
        Span<byte> key = stackalloc byte[sizeof(uint)];
        RandomNumberGenerator.Fill(key);
        return BitConverter.ToUInt32(key);
    }

    private bool IsLeaving()
    {
        lock (_lock)
            return _isLeaving;
    }
}
