using System.Net.Sockets;
using Holdfast.Cli.Rehearse.Judging;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>What arrives: frames, messages, and the faults that are made of them on purpose.</summary>
internal sealed partial class ClientConnection
{
    private const int MaxMessage = 1 << 20;

    // Also holds the head of the answer to the handshake.
    private readonly byte[] _buffer = new byte[8 * 1024];
    private byte[] _message = new byte[512];
    private int _messageLength;
    private long _lastTick;
    private Action? _keptArrival;
    private (int Code, byte[] Reason)? _end;

    private async Task<(int? Code, byte[] Reason)> ReceiveAsync(Socket socket, int length, CancellationToken stop)
    {
        var scanner = new FrameScanner(FrameSender.Server, ReservedBits.Refused);
        (_messageLength, _end) = (0, null);
        try
        {
            while (true)
            {
                var rest = TakeFrames(socket, ref scanner, _buffer.AsSpan(0, length));
                if (_end is { } end)
                    return end;
                var n = await socket.ReceiveAsync(_buffer.AsMemory(rest), stop);
                if (n == 0)
                    return ((int)CloseCode.Abnormal, []);
                length = rest + n;
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return ((int)CloseCode.Abnormal, []);
        }
    }

    /// <summary>Takes what is whole, and moves the rest, of which the length is returned, to the front.</summary>
    private int TakeFrames(Socket socket, ref FrameScanner scanner, Span<byte> input)
    {
        var now = clock.Now;
        while (!input.IsEmpty && _end is null)
        {
            switch (scanner.Next(input, out var consumed))
            {
                case ScanStatus.NeedMore:
                    input.CopyTo(_buffer);
                    return input.Length;
                case ScanStatus.Data:
                    TakeData(socket, in scanner, input[..consumed], now);
                    break;
                case ScanStatus.Control:
                    TakeControl(socket, in scanner, input[scanner.HeaderLength..consumed]);
                    break;
                default:
                    Fail(socket, (ushort)CloseCode.ProtocolError);
                    break;
            }

            input = input[consumed..];
        }

        return 0;
    }

    private void TakeControl(Socket socket, in FrameScanner scanner, ReadOnlySpan<byte> payload)
    {
        if (scanner.Opcode == Opcode.Ping)
        {
            lock (_lock)
                WriteControl(socket, Opcode.Pong, payload);
        }
        else if (scanner.Opcode == Opcode.Close)
        {
            var isWhole = ClosePayload.TryParse(payload, out var code, out _);
            _end = (!isWhole ? (int)CloseCode.ProtocolError : code == 0 ? (int)CloseCode.NoStatus : code, isWhole && payload.Length > 2 ? payload[2..].ToArray() : []);
            lock (_lock)
            {
                if (!_isLeaving)
                    WriteControl(socket, Opcode.Close, payload[..Math.Min(payload.Length, 2)]);
            }
        }
    }

    private void TakeData(Socket socket, in FrameScanner scanner, ReadOnlySpan<byte> piece, long now)
    {
        if (scanner.FrameStarted)
        {
            piece = piece[scanner.HeaderLength..];
            if (scanner.Opcode != Opcode.Continuation)
                _messageLength = 0;
        }

        if (_messageLength + piece.Length > MaxMessage)
        {
            Fail(socket, (ushort)CloseCode.MessageTooBig);
            return;
        }

        if (_messageLength + piece.Length > _message.Length)
            Array.Resize(ref _message, Math.Max(2 * _message.Length, _messageLength + piece.Length));
        piece.CopyTo(_message.AsSpan(_messageLength));
        _messageLength += piece.Length;
        if (scanner.MessageEnded)
            TakeMessage(socket, now);
    }

    private void TakeMessage(Socket socket, long now)
    {
        var wasReady = dialect.IsReady;
        switch (dialect.Take(_message.AsSpan(0, _messageLength), now))
        {
            case Heard.Answer:
                var answer = dialect.Answer;
                Arrive(Flow.Answers, answer.Sequence, () =>
                {
                    lock (_lock)
                        _recorder.Answers.Add(answer);
                });
                break;
            case Heard.Tick:
                var tick = new Tick(dialect.Tick, now);
                Arrive(Flow.Feed, tick.Sequence, () =>
                {
                    lock (_lock)
                    {
                        _recorder.Ticks.Add(tick);
                        _lastTick = Math.Max(_lastTick, tick.Sequence);
                    }
                });
                break;
            case Heard.Ping:
                lock (_lock)
                    Write(socket, dialect.Pong);
                break;
            case Heard.Fatal:
                _recorder.Strange++;
                Fail(socket, dialect.FatalCode);
                break;
            default:
                break;
        }

        if (wasReady || !dialect.IsReady)
            return;
        lock (_lock)
            BecomeReady(socket);
    }

    /// <summary>Records an arrival, or what the plan makes of it.</summary>
    private void Arrive(Flow flow, long sequence, Action record)
    {
        var fault = plan?.Flow == flow ? plan.Next(sequence) : null;
        if (fault == FaultKind.Reordered)
        {
            _keptArrival = record;
            return;
        }

        if (fault != FaultKind.Lost)
            record();
        if (fault == FaultKind.Duplicated)
            record();
        if (plan?.Flow == flow && _keptArrival is { } kept)
        {
            kept();
            _keptArrival = null;
        }
    }

    private void Fail(Socket socket, ushort code)
    {
        _end = (code, []);
        lock (_lock)
            WriteControl(socket, (CloseCode)code);
    }
}
