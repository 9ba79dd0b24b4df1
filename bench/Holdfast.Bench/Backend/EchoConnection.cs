using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Bench.Backend;

/// <summary>What all connections of the backend's thread share: one input and one output buffer.</summary>
internal sealed class EchoBuffers
{
    public byte[] Input { get; } = GC.AllocateUninitializedArray<byte>(256 * 1024, pinned: true);

    /// <summary>An answer is never longer than its question: the frame header loses its key.</summary>
    public byte[] Output { get; } = GC.AllocateUninitializedArray<byte>(256 * 1024, pinned: true);
}

/// <summary>One connection of the backend: a frame's payload is unmasked and sent back as it comes, one send per receive.</summary>
/// <param name="desk">Decides when handshakes are answered; null: at once.</param>
internal sealed partial class EchoConnection(int fd, EchoBuffers buffers, UpgradeDesk? desk = null)
{
    private FrameScanner _scanner = new(FrameSender.Client, ReservedBits.Refused);
    private byte[] _held = [];
    private int _heldLength;
    private byte[] _unsent = [];
    private int _unsentLength;
    private int _pieceOffset;
    private int _outputLength;
    private readonly byte[] _accept = desk is null ? [] : new byte[AcceptKey.Length];
    private bool _upgraded;
    private bool _waits;
    private bool _ending;

    /// <summary>False when the connection is over and its descriptor closed.</summary>
    public bool OnEvents(EpollEvents events)
    {
        if ((events & EpollEvents.Out) != EpollEvents.None && _unsentLength > 0)
            Flush();
        if (_pageLeft > 0)
            SendPage();
        const EpollEvents ended = EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error;
        if ((events & (EpollEvents.In | ended)) == EpollEvents.None || Receive((events & ended) != EpollEvents.None))
            return true;
        Drop();
        return false;
    }

    public void Drop()
    {
        _waits = false;
        Sys.Close(fd);
    }

    /// <summary>The desk's turn has come: sends the 101. False: the client has left meanwhile.</summary>
    public bool Serve()
    {
        if (!_waits)
            return false;
        _waits = false;
        _outputLength = 0;
        AppendUpgrade(_accept);
        Send(buffers.Output.AsSpan(0, _outputLength));
        _upgraded = true;
        return true;
    }

    private bool Receive(bool untilEnd)
    {
        while (true)
        {
            var held = _heldLength;
            _held.AsSpan(0, held).CopyTo(buffers.Input);
            var n = Sys.Receive(fd, buffers.Input.AsSpan(held));
            if (n == -(int)Errno.Again)
                return true;
            if (n <= 0)
                return false;
            _heldLength = 0;
            var input = buffers.Input.AsSpan(0, held + n);
            _outputLength = 0;
            if ((!_upgraded && !Upgrade(ref input)) || (_upgraded && !Echo(input)))
                return false;
            if (_outputLength > 0)
                Send(buffers.Output.AsSpan(0, _outputLength));
            SendPage();
            if (_ending && _unsentLength == 0)
                return false;
            if (held + n < buffers.Input.Length && !untilEnd)
                return true;
        }
    }

    /// <summary>False for a head that is neither an upgrade nor asks for a page.</summary>
    private bool Upgrade(ref Span<byte> input)
    {
        var end = HeadEnd.Find(input, 0);
        if (end < 0)
        {
            Hold(input);
            input = default;
            return true;
        }

        // The bench's own client and proxies: the key's value is all that is asked of the head.
        var head = input[..end];
        var name = IndexOfIgnoringCase(head, "\r\nsec-websocket-key:"u8);
        if (name < 0)
        {
            input = default;
            return TryAnswerPage(head);
        }

        var value = head[(name + 20)..];
        var key = value[..value.IndexOf((byte)'\r')].Trim((byte)' ');
        if (!AcceptKey.IsValidKey(key))
            return false;
        Span<byte> accept = stackalloc byte[AcceptKey.Length];
        AcceptKey.Compute(key, accept);
        input = input[end..];
        if (desk is not null)
        {
            accept.CopyTo(_accept);
            _waits = desk.TryEnter(this);
            if (!_waits)
                Sys.Send(fd, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8);
            return _waits;
        }

        AppendUpgrade(accept);
        _upgraded = true;
        return true;
    }

    private void AppendUpgrade(ReadOnlySpan<byte> accept)
    {
        Append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "u8);
        Append(accept);
        Append("\r\n\r\n"u8);
    }

    private static int IndexOfIgnoringCase(ReadOnlySpan<byte> head, ReadOnlySpan<byte> lowerCase)
    {
        for (var i = 0; i + lowerCase.Length <= head.Length; i++)
        {
            if (System.Text.Ascii.EqualsIgnoreCase(head.Slice(i, lowerCase.Length), lowerCase))
                return i;
        }

        return -1;
    }

    private bool Echo(Span<byte> input)
    {
        while (!input.IsEmpty && !_ending)
        {
            var status = _scanner.Next(input, out var consumed);
            if (status == ScanStatus.Error)
                return false;
            if (status == ScanStatus.NeedMore)
            {
                Hold(input);
                return true;
            }

            var piece = input[..consumed];
            if (status == ScanStatus.Data || _scanner.Opcode is Opcode.Ping or Opcode.Close)
                Answer(piece, status == ScanStatus.Control);
            input = input[consumed..];
        }

        return true;
    }

    private void Answer(Span<byte> piece, bool control)
    {
        if (_scanner.FrameStarted)
        {
            var opcode = _scanner.Opcode == Opcode.Ping ? Opcode.Pong : _scanner.Opcode;
            _ending = opcode == Opcode.Close;
            var output = buffers.Output.AsSpan(_outputLength);
            _outputLength += FrameWriter.WriteHeader(output, opcode, _scanner.Fin, _scanner.PayloadLength, maskKey: null);
            piece = piece[_scanner.HeaderLength..];
            if (!control)
                _pieceOffset = 0;
        }

        var answer = buffers.Output.AsSpan(_outputLength, piece.Length);
        piece.CopyTo(answer);
        Masking.Apply(answer, _scanner.MaskKey, control ? 0 : _pieceOffset);
        _outputLength += piece.Length;
        if (!control)
            _pieceOffset = (_pieceOffset + piece.Length) & 3;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(buffers.Output.AsSpan(_outputLength));
        _outputLength += bytes.Length;
    }

    private void Hold(ReadOnlySpan<byte> rest)
    {
        if (_held.Length < rest.Length)
            _held = new byte[Math.Max(rest.Length, FrameScanner.MaxHeld)];
        rest.CopyTo(_held);
        _heldLength = rest.Length;
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        if (_unsentLength == 0)
        {
            var n = Sys.Send(fd, bytes);
            if (n == bytes.Length || (n < 0 && n != -(int)Errno.Again))
                return;
            bytes = bytes[Math.Max(n, 0)..];
        }

        if (_unsentLength + bytes.Length > _unsent.Length)
            Array.Resize(ref _unsent, Math.Max(2 * _unsent.Length, _unsentLength + bytes.Length));
        bytes.CopyTo(_unsent.AsSpan(_unsentLength));
        _unsentLength += bytes.Length;
    }

    private void Flush()
    {
        var n = Sys.Send(fd, _unsent.AsSpan(0, _unsentLength));
        if (n <= 0)
            return;
        _unsentLength -= n;
        _unsent.AsSpan(n, _unsentLength).CopyTo(_unsent);
    }
}
