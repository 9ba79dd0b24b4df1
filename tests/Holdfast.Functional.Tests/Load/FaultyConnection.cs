using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Functional.Tests.Load;

/// <summary>One connection of a <see cref="FaultyServer"/>.</summary>
internal sealed class FaultyConnection(FaultyServer server, Socket socket, Func<int, Fault> plan)
{
    private readonly ArrayBufferWriter<byte> _out = new();
    private readonly List<byte> _message = [];
    private readonly byte[] _input = new byte[256 * 1024];
    private FrameScanner _scanner = new(FrameSender.Client, ReservedBits.Refused);
    private byte[]? _delayed;
    private int _number;
    private int _pieceOffset;
    private bool _ended;

    public async Task ServeAsync(CancellationToken stop)
    {
        using (socket)
        {
            try
            {
                var (target, rest) = await UpgradeAsync(stop);
                if (target.Contains("sequence=1", StringComparison.Ordinal))
                    await Task.WhenAny(StreamAsync(target, stop), EchoAsync(rest, stop));
                else if (target.Length > 0)
                    await EchoAsync(rest, stop);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The client left, or the test is over.
            }
        }
    }

    private async Task<(string Target, byte[] Extra)> UpgradeAsync(CancellationToken stop)
    {
        var length = 0;
        while (true)
        {
            var n = await socket.ReceiveAsync(_input.AsMemory(length), stop);
            if (n == 0)
                return ("", []);
            length += n;
            var text = Encoding.Latin1.GetString(_input, 0, length);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0)
                continue;
            const string name = "Sec-WebSocket-Key: ";
            var key = Encoding.ASCII.GetBytes(text.Substring(text.IndexOf(name, StringComparison.Ordinal) + name.Length, AcceptKey.KeyLength));
            var accept = new byte[AcceptKey.Length];
            AcceptKey.Compute(key, accept);
            if (server.WrongAcceptKey)
                accept[0] ^= 1;
            var answer = server.RefuseWith != 0
                ? $"HTTP/1.1 {server.RefuseWith} No\r\nContent-Length: 0\r\n\r\n"
                : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + $"Sec-WebSocket-Accept: {Encoding.ASCII.GetString(accept)}\r\n\r\n";
            await socket.SendAsync(Encoding.ASCII.GetBytes(answer), stop);
            return (server.RefuseWith == 0 ? text.Split(' ')[1] : "", _input[(end + 4)..length]);
        }
    }

    private async Task EchoAsync(byte[] rest, CancellationToken stop)
    {
        rest.CopyTo(_input, 0);
        var length = rest.Length;
        while (true)
        {
            length = TakeFrames(length);
            if (_out.WrittenCount > 0)
            {
                await socket.SendAsync(_out.WrittenMemory, stop);
                _out.ResetWrittenCount();
            }

            if (_ended)
                socket.Shutdown(SocketShutdown.Send);
            var n = await socket.ReceiveAsync(_input.AsMemory(length), stop);
            if (n == 0)
                return;
            length = _ended ? 0 : length + n;
        }
    }

    /// <summary>Takes what is whole, moves the rest to the front, returns its length.</summary>
    private int TakeFrames(int length)
    {
        var input = _input.AsSpan(0, length);
        while (!input.IsEmpty && !_ended)
        {
            var status = _scanner.Next(input, out var consumed);
            if (status == ScanStatus.NeedMore)
                break;
            if (status == ScanStatus.Error)
                throw new InvalidOperationException("The client sent " + _scanner.Error);
            if (status == ScanStatus.Data)
                TakeData(input[..consumed]);
            else
                TakeControl(input[_scanner.HeaderLength..consumed]);
            input = input[consumed..];
        }

        if (_ended)
            return 0;
        input.CopyTo(_input);
        return input.Length;
    }

    private void TakeData(Span<byte> piece)
    {
        if (_scanner.FrameStarted)
        {
            piece = piece[_scanner.HeaderLength..];
            _pieceOffset = 0;
        }

        Masking.Apply(piece, _scanner.MaskKey, _pieceOffset);
        _pieceOffset += piece.Length;
        _message.AddRange(piece);
        if (!_scanner.MessageEnded)
            return;
        Answer([.. _message]);
        _message.Clear();
    }

    private void TakeControl(Span<byte> payload)
    {
        Masking.Apply(payload, _scanner.MaskKey, 0);
        if (_scanner.Opcode == Opcode.Pong)
            server.CountPong();
        if (_scanner.Opcode != Opcode.Close)
            return;
        if (_delayed is not null)
            Send(_delayed);
        _delayed = null;
        Control(Opcode.Close, payload);
        _ended = true;
    }

    private void Answer(byte[] message)
    {
        var fault = plan(_number++);
        if (fault == Fault.Delay && _delayed is null)
        {
            _delayed = message;
            return;
        }

        if (fault is not (Fault.None or Fault.Delay))
            server.Count(fault);
        if (fault == Fault.Lose)
            return;
        if (fault == Fault.CorruptBody)
            message[^1] ^= 4;
        if (fault == Fault.CorruptHeader)
            message[6] ^= 4;
        if (server.PingAndFragment)
            Control(Opcode.Ping, "are you there"u8);
        Send(message);
        if (fault == Fault.Double)
            Send(message);
        if (_delayed is { } late)
        {
            _delayed = null;
            server.Count(Fault.Delay);
            Send(late);
        }

        if (fault is Fault.Close or Fault.CloseEmpty)
            Control(Opcode.Close, fault == Fault.Close ? [3, 0xE9] : []);
        _ended |= fault is Fault.Close or Fault.CloseEmpty or Fault.Hang;
    }

    private void Send(ReadOnlySpan<byte> message, Opcode opcode = Opcode.Binary)
    {
        if (!server.PingAndFragment)
        {
            Frame(opcode, fin: true, message);
            return;
        }

        Frame(opcode, fin: false, message[..5]);
        Control(Opcode.Ping, "between"u8);
        Frame(Opcode.Continuation, fin: true, message[5..]);
    }

    private void Frame(Opcode opcode, bool fin, ReadOnlySpan<byte> payload)
    {
        _out.Advance(FrameWriter.WriteHeader(_out.GetSpan(FrameWriter.MaxHeader), opcode, fin, (ulong)payload.Length, null));
        _out.Write(payload);
    }

    private void Control(Opcode opcode, ReadOnlySpan<byte> payload) =>
        _out.Advance(FrameWriter.WriteControl(_out.GetSpan(FrameWriter.MaxControlFrame), opcode, payload, null));

    /// <summary>Numbers from 7 on, as JSON and bare in turn; EchoAsync beside it answers the Close.</summary>
    private async Task StreamAsync(string target, CancellationToken stop)
    {
        var rate = double.Parse(target.Split("rate=")[1].Split('&')[0], CultureInfo.InvariantCulture);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        var perTick = Math.Max(1, (int)(rate / 100));
        for (var number = 7; await timer.WaitForNextTickAsync(stop) && !_ended;)
        {
            var bytes = new ArrayBufferWriter<byte>();
            for (var i = 0; i < perTick; i++, number++)
                AppendNumbered(bytes, number);
            await socket.SendAsync(bytes.WrittenMemory, stop);
        }

        await Task.Delay(Timeout.Infinite, stop);
    }

    private void AppendNumbered(ArrayBufferWriter<byte> bytes, int number)
    {
        var message = Encoding.ASCII.GetBytes(number % 2 == 0 ? $"{{\"kind\":\"price\",\"seq\":{number},\"x\":1}}" : number + " is the number");
        var fault = plan(_number++);
        if (fault == Fault.Delay)
        {
            _delayed = message;
            return;
        }

        server.Count(fault);
        if (fault == Fault.Lose)
            return;
        if (fault == Fault.CorruptBody)
            message = "no number"u8.ToArray();
        Append(bytes, message);
        if (fault == Fault.Double)
            Append(bytes, message);
        if (_delayed is not { } late)
            return;
        _delayed = null;
        server.Count(Fault.Delay);
        Append(bytes, late);
    }

    private static void Append(ArrayBufferWriter<byte> bytes, byte[] message)
    {
        bytes.Advance(FrameWriter.WriteHeader(bytes.GetSpan(FrameWriter.MaxHeader), Opcode.Text, true, (ulong)message.Length, null));
        bytes.Write(message);
    }
}
