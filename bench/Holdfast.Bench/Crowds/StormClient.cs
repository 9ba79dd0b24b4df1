using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Bench.Crowds;

/// <summary>One client of a storm: one dial, one request, one answer; then it stays and answers pings. Times in microseconds of the system's monotonic clock.</summary>
internal sealed class StormClient(int address)
{
    private readonly byte[] _key = new byte[AcceptKey.KeyLength];
    private byte[] _held = [];
    private FrameScanner _scanner = new(FrameSender.Server, ReservedBits.Refused);
    private int _fd = -1;

    public int Address => address;

    public long DialedAt { get; private set; }

    /// <summary>When the request was sent; 0: never.</summary>
    public long SentAt { get; private set; }

    /// <summary>When it was answered, or given up; 0: not yet.</summary>
    public long DecidedAt { get; private set; }

    /// <summary>"101", or what else came; null: nothing yet.</summary>
    public string? Outcome { get; private set; }

    /// <summary>Its connection ended, or was misused, after the 101.</summary>
    public bool IsLost { get; private set; }

    private static long Now => TimeProvider.System.GetTimestamp() / (TimeProvider.System.TimestampFrequency / 1_000_000);

    public void Dial(Epoll epoll, ulong token, in NativeAddress target)
    {
        DialedAt = Now;
        _fd = Sys.OpenStream(target);
        var result = _fd < 0 ? _fd : Sys.BindSource(_fd, CrowdPlan.SourceOf(address));
        if (result >= 0)
            result = epoll.Register(_fd, EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered, token);
        if (result >= 0)
            result = Sys.Connect(_fd, target);
        if (result is < 0 and not -(int)Errno.InProgress)
            Decide("connect: errno " + -result);
    }

    public void OnEvents(EpollEvents events, ClientHandshake handshake, byte[] buffer)
    {
        if (_fd < 0)
            return;
        if (SentAt == 0 && Outcome is null && (events & (EpollEvents.Out | EpollEvents.Error | EpollEvents.HangUp)) != EpollEvents.None)
            Ask(handshake);
        const EpollEvents readable = EpollEvents.In | EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error;
        while (_fd >= 0 && (events & readable) != EpollEvents.None)
        {
            _held.CopyTo(buffer, 0);
            var n = Sys.Receive(_fd, buffer.AsSpan(_held.Length));
            if (n == -(int)Errno.Again)
                return;
            if (n <= 0)
                End(n == 0 ? "closed without an answer" : "errno " + -n);
            else
                Take(buffer.AsSpan(0, _held.Length + n));
        }
    }

    public void GiveUp()
    {
        if (Outcome is null)
            Decide("no answer");
    }

    public void Drop()
    {
        if (_fd >= 0)
            Sys.Close(_fd);
        _fd = -1;
    }

    private void Ask(ClientHandshake handshake)
    {
        var error = Sys.TakeError(_fd);
        if (error != 0)
        {
            Decide("connect: errno " + error);
            return;
        }

        var request = handshake.NewRequest(_key);
        if (Sys.Send(_fd, request) == request.Length)
            SentAt = Now;
        else
            Decide("the request could not be sent");
    }

    private void Take(Span<byte> input)
    {
        _held = [];
        if (Outcome is null)
        {
            var end = HeadEnd.Find(input, 0);
            if (end < 0)
            {
                _held = input.ToArray();
                return;
            }

            if (ClientHandshake.Judge(input[..end], _key) is { } fault)
            {
                Decide(fault);
                return;
            }

            Outcome = "101";
            DecidedAt = Now;
            input = input[end..];
        }

        Span<byte> pong = stackalloc byte[FrameWriter.MaxControlFrame];
        while (!input.IsEmpty)
        {
            var status = _scanner.Next(input, out var consumed);
            if (status == ScanStatus.NeedMore)
            {
                _held = input.ToArray();
                return;
            }

            if (status != ScanStatus.Control || _scanner.Opcode != Opcode.Ping)
            {
                End("unexpected frame");
                return;
            }

            _ = Sys.Send(_fd, pong[..FrameWriter.WriteControl(pong, Opcode.Pong, input[_scanner.HeaderLength..consumed], 0x5A17C0DE)]);
            input = input[consumed..];
        }
    }

    private void End(string why)
    {
        if (Outcome is null)
        {
            Decide(why);
            return;
        }

        IsLost = true;
        Drop();
    }

    private void Decide(string outcome)
    {
        Outcome = outcome;
        DecidedAt = Now;
        Drop();
    }
}
