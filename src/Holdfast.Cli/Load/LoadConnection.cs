using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Load;

/// <summary>One client connection, owned by its lane's thread: dial, handshake, and what arrives. Sending is in the other file.</summary>
internal sealed partial class LoadConnection
{
    private readonly LoadLane _lane;
    private readonly byte[] _key = new byte[AcceptKey.KeyLength];
    private FrameScanner _scanner = new(FrameSender.Server, ReservedBits.Refused);
    private int _fd = -1;

    // The start of a head or frame that came cut; kept in front of the next receive.
    private byte[] _held = [];
    private int _heldLength;

    public LoadConnection(int index, LoadLane lane)
    {
        Index = index;
        _lane = lane;
        _tally = new MessageTally(index, lane);
    }

    internal enum Phase
    {
        Waiting,
        Dialing,

        /// <summary>The answer to the request before the upgrade is awaited.</summary>
        Preceding,
        Upgrading,
        Open,

        /// <summary>Our Close is out; messages before the peer's still count.</summary>
        Closing,

        /// <summary>The peer's Close has come; only its FIN is waited for, so that the TIME_WAIT state is the server's.</summary>
        Ending,
        Gone,
    }

    /// <summary>Among all connections of the run, from 0.</summary>
    public int Index { get; }

    public Phase At { get; private set; }

    /// <summary>Ended by the peer before our Close.</summary>
    public bool WasDisconnected { get; private set; }

    public long DialedAt { get; private set; }

    /// <summary>False when the dial failed at once (counted).</summary>
    public bool Dial(Epoll epoll, ulong token, in NativeAddress target, in NativeAddress source)
    {
        DialedAt = _lane.Clock.Now;
        At = Phase.Dialing;
        _lane.InHandshake++;
        _fd = Sys.OpenStream(target);
        var result = _fd < 0 ? _fd : source.IsEmpty ? 0 : Sys.BindSource(_fd, source);
        if (result >= 0)
            result = epoll.Register(_fd, EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered, token);
        if (result >= 0)
            result = Sys.Connect(_fd, target);
        if (result is >= 0 or -(int)Errno.InProgress)
            return true;
        Fail(NameOf((Errno)(-result)));
        return false;
    }

    public void OnEvents(EpollEvents events)
    {
        if (At == Phase.Gone)
            return;
        if (At == Phase.Dialing && !FinishDial())
            return;
        if ((events & EpollEvents.Out) != EpollEvents.None && _unsentLength > 0)
            Flush();
        const EpollEvents ended = EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error;
        if ((events & (EpollEvents.In | ended)) != EpollEvents.None)
            Receive(untilEnd: (events & ended) != EpollEvents.None);
    }

    /// <summary>Gives up a handshake that takes too long.</summary>
    public void TimeOut()
    {
        if (At is Phase.Dialing or Phase.Preceding or Phase.Upgrading)
            Fail(At == Phase.Dialing ? "connect timed out" : "no answer to the handshake");
    }

    /// <summary>Closes the socket whatever is outstanding.</summary>
    public void Drop()
    {
        if (At is not (Phase.Waiting or Phase.Gone))
            End();
    }

    private static string NameOf(Errno error) => error switch
    {
        Errno.ConnectionRefused => "refused",
        Errno.ConnectionReset => "reset",
        Errno.TimedOut => "connect timed out",
        Errno.CannotAssignAddress => "no free local port (see --source)",
        Errno.TooManyOpenFiles or Errno.TooManyOpenFilesInSystem => "out of file descriptors",
        Errno.HostUnreachable => "host unreachable",
        _ => "errno " + (int)error,
    };

    private bool FinishDial()
    {
        var error = Sys.TakeError(_fd);
        if (error != 0)
        {
            Fail(NameOf((Errno)error));
            return false;
        }

        if (!_lane.Options.KeptAlive)
            return Upgrade();
        At = Phase.Preceding;
        Write(_lane.Handshake.RequestBefore);
        return At == Phase.Preceding;
    }

    private bool Upgrade()
    {
        At = Phase.Upgrading;
        Write(_lane.Handshake.NewRequest(_key));
        return At == Phase.Upgrading;
    }

    private void Receive(bool untilEnd)
    {
        var buffer = _lane.ReceiveBuffer.AsSpan();
        while (At != Phase.Gone)
        {
            var held = _heldLength;
            _held.AsSpan(0, held).CopyTo(buffer);
            var n = Sys.Receive(_fd, buffer[held..]);
            if (n == -(int)Errno.Again)
                return;
            if (n <= 0)
            {
                OnPeerGone(n);
                return;
            }

            _heldLength = 0;
            var input = buffer[..(held + n)];
            if (At is not (Phase.Preceding or Phase.Upgrading) || TakeHead(ref input))
                TakeFrames(input);

            // Edge-triggered: a short receive has emptied the socket, and what comes next is another edge.
            if (held + n < buffer.Length && !untilEnd)
                return;
        }
    }

    private void OnPeerGone(int result)
    {
        if (At is Phase.Preceding or Phase.Upgrading)
        {
            Fail(result == 0 ? "closed during the handshake" : NameOf((Errno)(-result)));
            return;
        }

        if (At == Phase.Open)
            CountDisconnect((int)CloseCode.Abnormal);
        End();
    }

    private bool TakeHead(ref Span<byte> input)
    {
        var end = HeadEnd.Find(input, 0);
        if (end < 0)
        {
            if (input.Length > ClientHandshake.MaxHead)
                Fail("malformed answer");
            else
                Hold(input);
            return false;
        }

        if (At == Phase.Preceding)
        {
            if (end != input.Length)
                Fail("more than a head answered to HEAD");
            else
                _ = Upgrade();
            return false;
        }

        if (ClientHandshake.Judge(input[..end], _key) is { } fault)
        {
            Fail(fault);
            return false;
        }

        input = input[end..];
        At = Phase.Open;
        _lane.InHandshake--;
        _lane.Open++;
        _lane.Opened++;
        return true;
    }

    private void TakeFrames(ReadOnlySpan<byte> input)
    {
        while (!input.IsEmpty && At is Phase.Open or Phase.Closing)
        {
            var status = _scanner.Next(input, out var consumed);
            switch (status)
            {
                case ScanStatus.NeedMore:
                    Hold(input);
                    return;
                case ScanStatus.Data:
                    _tally.Take(in _scanner, input[..consumed], _sent);
                    break;
                case ScanStatus.Control:
                    OnControl(input[_scanner.HeaderLength..consumed]);
                    break;
                default:
                    if (At == Phase.Open)
                        CountDisconnect((int)CloseCode.ProtocolError);
                    SendClose(CloseCode.ProtocolError);
                    End();
                    return;
            }

            input = input[consumed..];
        }
    }

    private void OnControl(ReadOnlySpan<byte> payload)
    {
        if (_scanner.Opcode == Opcode.Pong)
            return;
        if (_scanner.Opcode == Opcode.Ping)
        {
            WriteControl(Opcode.Pong, payload);
            return;
        }

        if (At == Phase.Open)
        {
            CountDisconnect(!ClosePayload.TryParse(payload, out var code, out _) ? (int)CloseCode.ProtocolError
                : code == 0 ? (int)CloseCode.NoStatus : code);
            WriteControl(Opcode.Close, payload[..Math.Min(payload.Length, 2)]);
        }

        if (At != Phase.Gone)
            At = Phase.Ending;
    }

    private void CountDisconnect(int code)
    {
        WasDisconnected = true;
        _lane.CountDisconnect(code);
    }

    private void Hold(ReadOnlySpan<byte> rest)
    {
        if (_held.Length < rest.Length)
            _held = new byte[Math.Max(rest.Length, FrameScanner.MaxHeld)];
        rest.CopyTo(_held);
        _heldLength = rest.Length;
    }

    private void Fail(string why)
    {
        _lane.CountFailure(why);
        End();
    }

    private void End()
    {
        if (At is Phase.Dialing or Phase.Preceding or Phase.Upgrading)
            _lane.InHandshake--;
        else if (At != Phase.Gone)
            _lane.Open--;
        At = Phase.Gone;
        if (_fd >= 0)
            Sys.Close(_fd);
        _fd = -1;
    }
}
