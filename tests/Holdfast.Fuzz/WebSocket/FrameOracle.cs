using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>A frame as seen on the wire; <paramref name="Seen"/> is how much of its payload has come.</summary>
internal sealed record SeenFrame(int Opcode, bool Fin, bool Rsv1, ulong PayloadLength, uint MaskKey, int HeaderLength, ulong Seen);

/// <summary>
/// RFC 6455 section 5 one byte at a time, slow and plain: what the frame scanner must agree with. Shares no code with it.
/// </summary>
internal sealed class FrameOracle(FrameSender sender, ReservedBits reservedBits)
{
    private readonly List<byte> _header = [];
    private bool _messageUnderWay;
    private ulong _payloadLeft;

    /// <summary>Data frames from their whole header on, control frames when whole.</summary>
    public List<SeenFrame> Frames { get; } = [];

    public FrameError Error { get; private set; }

    /// <summary>How many bytes had been fed when the error became certain.</summary>
    public int ErrorAt { get; private set; }

    public int Fed { get; private set; }

    /// <summary>Bytes that may be passed on: all but an unfinished header or control frame.</summary>
    public int Passable { get; private set; }

    public int MessagesEnded { get; private set; }

    public bool AtFrameBoundary => _payloadLeft == 0 || IsControl;

    public bool AtMessageBoundary => AtFrameBoundary && !_messageUnderWay;

    private bool Fin => (_header[0] & 0b1000_0000) != 0;

    private bool Rsv1 => (_header[0] & 0b0100_0000) != 0;

    private bool Rsv2Or3 => (_header[0] & 0b0011_0000) != 0;

    private int Opcode => _header[0] & 0b0000_1111;

    private bool IsControl => _header.Count > 0 && Opcode >= 8;

    private bool Masked => (_header[1] & 0b1000_0000) != 0;

    private int ShortLength => _header[1] & 0b0111_1111;

    private int LengthBytes => ShortLength switch { 126 => 2, 127 => 8, _ => 0 };

    private int HeaderLength => 2 + LengthBytes + (Masked ? 4 : 0);

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        foreach (byte next in bytes)
        {
            if (Error == FrameError.None)
                Feed(next);
        }
    }

    private void Feed(byte next)
    {
        Fed++;
        if (_payloadLeft > 0)
        {
            _payloadLeft--;
            if (!IsControl)
                Frames[^1] = Frames[^1] with { Seen = Frames[^1].Seen + 1 };
        }
        else
        {
            _header.Add(next);
            Error = JudgeLastHeaderByte();
            if (Error != FrameError.None)
            {
                ErrorAt = Fed;
                return;
            }

            if (_header.Count < 2 || _header.Count < HeaderLength)
                return;
            _payloadLeft = PayloadLength();
            if (!IsControl)
                Frames.Add(Describe(seen: 0));
        }

        if (!IsControl)
        {
            Passable = Fed;
            _messageUnderWay = true;
        }

        if (_payloadLeft == 0)
            EndFrame();
    }

    private void EndFrame()
    {
        if (IsControl)
        {
            Frames.Add(Describe(seen: PayloadLength()));
        }
        else if (Fin)
        {
            _messageUnderWay = false;
            MessagesEnded++;
        }

        Passable = Fed;
        _header.Clear();
    }

    private FrameError JudgeLastHeaderByte()
    {
        if (_header.Count == 1)
            return JudgeFirstByte();
        if (_header.Count == 2)
        {
            if (sender == FrameSender.Client && !Masked)
                return FrameError.MaskMissing;
            if (sender == FrameSender.Server && Masked)
                return FrameError.MaskForbidden;
            return IsControl && ShortLength > 125 ? FrameError.ControlTooLong : FrameError.None;
        }

        if (_header.Count > 2 + LengthBytes)
            return FrameError.None;
        if (LengthBytes == 8 && _header[2] >= 0x80)
            return FrameError.LengthTopBitSet;

        // The greatest length the bytes still to come could make of it.
        ulong greatest = 0;
        for (int i = 0; i < LengthBytes; i++)
            greatest = (greatest * 256) + (2 + i < _header.Count ? _header[2 + i] : 255u);
        return greatest < (LengthBytes == 2 ? 126u : 65536u) ? FrameError.LengthNotShortest : FrameError.None;
    }

    private FrameError JudgeFirstByte()
    {
        bool mayCompress = reservedBits == ReservedBits.CompressionOnly && Opcode is 1 or 2;
        if (reservedBits == ReservedBits.NotJudged)
            mayCompress = true;
        if (Rsv1 && !mayCompress)
            return FrameError.ReservedBitsSet;
        if (Rsv2Or3 && reservedBits != ReservedBits.NotJudged)
            return FrameError.ReservedBitsSet;
        if (Opcode is (>= 3 and <= 7) or >= 11)
            return FrameError.ReservedOpcode;
        if (Opcode >= 8 && !Fin)
            return FrameError.ControlFragmented;
        if (Opcode == 0 && !_messageUnderWay)
            return FrameError.UnexpectedContinuation;
        if (Opcode is 1 or 2 && _messageUnderWay)
            return FrameError.UnfinishedMessage;
        return FrameError.None;
    }

    private ulong PayloadLength()
    {
        if (LengthBytes == 0)
            return (ulong)ShortLength;
        ulong length = 0;
        for (int i = 0; i < LengthBytes; i++)
            length = (length * 256) + _header[2 + i];
        return length;
    }

    private SeenFrame Describe(ulong seen)
    {
        uint key = 0;
        for (int i = 3; Masked && i >= 0; i--)
            key = (key << 8) | _header[2 + LengthBytes + i];
        return new SeenFrame(Opcode, Fin, Rsv1, PayloadLength(), key, HeaderLength, seen);
    }
}
