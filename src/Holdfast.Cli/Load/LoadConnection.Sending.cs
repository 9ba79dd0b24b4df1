using Holdfast.Relay.Interop;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Load;

/// <summary>
/// What leaves: messages when they are due, control frames, and the rest of what the kernel did not take. A message that is due while
/// the peer does not read is only counted; it is made when its turn comes, so a stalled peer costs one frame of memory, not a queue.
/// </summary>
internal sealed partial class LoadConnection
{
    private readonly MessageTally _tally;
    private long _due;
    private long _sent;
    private byte[] _unsent = [];
    private int _unsentStart;
    private int _unsentLength;

    /// <summary>The next message of this connection has fallen due.</summary>
    public void SendDue()
    {
        if (At != Phase.Open)
            return;
        _due++;
        if (_unsentLength == 0)
            SendNext(onTime: _sent + 1 == _due);
    }

    /// <summary>Every message sent has its answer.</summary>
    public bool IsAnswered => At != Phase.Open || (_unsentLength == 0 && _sent == _due && _tally.Missing(_sent) == 0);

    public void SendClose(CloseCode code)
    {
        if (At != Phase.Open)
            return;
        At = Phase.Closing;
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        Write(frame[..FrameWriter.WriteClose(frame, code, [], _lane.Keys.Next())]);
    }

    /// <summary>Adds what this connection found to a report; after its end.</summary>
    public void Settle(LoadTotals totals) => _tally.Settle(totals, _sent, _due - _sent, WasDisconnected);

    private void SendNext(bool onTime)
    {
        var options = _lane.Options;
        var buffer = _lane.SendBuffer;
        var due = _lane.Schedule.DueOf(Index, _sent);
        var key = _lane.Keys.Next();
        var header = FrameWriter.WriteHeader(buffer, Opcode.Binary, fin: true, (ulong)options.Size, key);
        var payload = buffer.AsSpan(header, options.Size);
        EchoPayload.Write(payload, (uint)Index, (uint)_sent, due);
        Masking.Apply(payload, key, offset: 0);
        if (onTime && due >= _lane.MeasuredFrom)
            _lane.Lag.Record(_lane.Elapsed() - due);
        _sent++;
        _lane.Sent++;
        Write(buffer.AsSpan(0, header + options.Size));
    }

    private void WriteControl(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        Write(frame[..FrameWriter.WriteControl(frame, opcode, payload, _lane.Keys.Next())]);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        if (_unsentLength == 0)
        {
            var n = Sys.Send(_fd, bytes);
            if (n == bytes.Length)
                return;

            // A broken pipe is told by the receive side, which first reads what the peer said before.
            if (n < 0 && n != -(int)Errno.Again)
                return;
            bytes = bytes[Math.Max(n, 0)..];
        }

        var end = _unsentStart + _unsentLength;
        if (end + bytes.Length > _unsent.Length)
        {
            var larger = new byte[Math.Max(_unsentLength + bytes.Length, 256)];
            _unsent.AsSpan(_unsentStart, _unsentLength).CopyTo(larger);
            _unsent = larger;
            _unsentStart = 0;
            end = _unsentLength;
        }

        bytes.CopyTo(_unsent.AsSpan(end));
        _unsentLength += bytes.Length;
    }

    private void Flush()
    {
        var n = Sys.Send(_fd, _unsent.AsSpan(_unsentStart, _unsentLength));
        if (n < 0)
        {
            if (n != -(int)Errno.Again)
                _unsentLength = 0;
            return;
        }

        _unsentLength -= n;
        _unsentStart = _unsentLength == 0 ? 0 : _unsentStart + n;
        while (_unsentLength == 0 && _sent < _due && At == Phase.Open)
            SendNext(onTime: false);
    }
}
