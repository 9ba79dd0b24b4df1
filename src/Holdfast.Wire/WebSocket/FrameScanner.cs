using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Holdfast.Wire.WebSocket;

/// <summary>
/// Walks the frames of one direction of one connection over arbitrary splits, looking at headers only (RFC 6455 section 5).
/// A plain 32-byte struct without references: its bytes may be saved, and restored in another process of the same build.
/// Not safe for concurrent use. Never throws, never allocates. <c>default</c> is a client's direction with every reserved bit refused.
/// </summary>
/// <remarks>What a frame after a Close means, and how long a frame or message may be, is for the caller to judge.</remarks>
[StructLayout(LayoutKind.Sequential)]
public struct FrameScanner
{
    /// <summary>The most bytes <see cref="ScanStatus.NeedMore"/> can leave unconsumed: a masked control frame but its last byte.</summary>
    public const int MaxHeld = FrameWriter.MaxControlFrame - 1;

    private const uint FinBit = 0x80;
    private const uint Rsv1Bit = 0x40;
    private const uint ReservedBitsMask = 0x70;
    private const uint ControlBit = 0x08;
    private const uint OpcodeMask = 0x0F;
    private const uint MaskBit = 0x80;
    private const uint LengthMask = 0x7F;
    private const uint LengthIn16Bits = 126;

    // Bit (FIN << 4 | opcode) is set for each pair that may come next.
    private const uint LegalControls = (1u << (16 + 8)) | (1u << (16 + 9)) | (1u << (16 + 10));
    private const uint LegalInMessage = LegalControls | (1u << 0) | (1u << 16);
    private const uint LegalBetweenMessages = LegalControls | (1u << 1) | (1u << 2) | (1u << (16 + 1)) | (1u << (16 + 2));

    private ulong _remaining;
    private ulong _payloadLength;
    private uint _maskKey;
    private readonly FrameSender _sender;
    private readonly ReservedBits _reservedBits;
    private FrameError _error;
    private Progress _progress;
    private byte _first;
    private byte _headerLength;

    /// <summary>A scanner at the start of a direction, right after the 101.</summary>
    public FrameScanner(FrameSender sender, ReservedBits reservedBits)
    {
        _sender = sender;
        _reservedBits = reservedBits;
    }

    [Flags]
    private enum Progress : byte
    {
        None = 0,
        InMessage = 1,
        FrameStarted = 2,
        MessageEnded = 4,
    }

    /// <summary>Why <see cref="Next"/> returned <see cref="ScanStatus.Error"/>; it stays.</summary>
    public readonly FrameError Error => _error;

    /// <summary>No payload remains of a data frame that has started: a control frame may be put in here (RFC 6455 section 5.5).</summary>
    public readonly bool AtFrameBoundary => _remaining == 0;

    /// <summary>At a frame boundary, and not between the fragments of a message: a message may be put in here (RFC 6455 section 5.4).</summary>
    public readonly bool AtMessageBoundary => _remaining == 0 && (_progress & Progress.InMessage) == Progress.None;

    /// <summary>Payload bytes still to come of the current data frame.</summary>
    public readonly ulong Remaining => _remaining;

    /// <summary>The last Data or Control result contained the frame's header.</summary>
    public readonly bool FrameStarted => (_progress & Progress.FrameStarted) != Progress.None;

    /// <summary>The last Data result completed the final frame of a message. False after a Control result.</summary>
    public readonly bool MessageEnded => (_progress & Progress.MessageEnded) != Progress.None;

    /// <summary>Of the frame of the last Data or Control result, as are the properties below.</summary>
    public readonly Opcode Opcode => (Opcode)(_first & OpcodeMask);

    public readonly bool Fin => (_first & FinBit) != 0;

    public readonly bool Rsv1 => (_first & Rsv1Bit) != 0;

    /// <summary>2 to 14 bytes. After a Control result the payload is the consumed bytes from here on, still masked.</summary>
    public readonly int HeaderLength => _headerLength;

    /// <summary>The four key bytes read as little-endian; 0 for a server's frame. Fits <see cref="Masking.Apply"/>.</summary>
    public readonly uint MaskKey => _maskKey;

    /// <summary>The whole frame's payload in bytes, at most 2^63 - 1.</summary>
    public readonly ulong PayloadLength => _payloadLength;

    /// <summary>
    /// Looks at <paramref name="input"/> from its start and takes at most one frame, or a piece of one.
    /// Data: <paramref name="consumed"/> covers the header, if the frame starts here, and as much payload as there is; a data frame of any
    /// size flows through piece by piece. Control: it covers the whole frame, header and payload, and never a piece of one.
    /// NeedMore: 0; the caller keeps those bytes, at most <see cref="MaxHeld"/>, and offers them again, first, with more.
    /// Error: 0, as soon as the bytes present decide it.
    /// </summary>
    public ScanStatus Next(ReadOnlySpan<byte> input, out int consumed)
    {
        if (_remaining != 0)
            return NextPayload(input.Length, out consumed);

        // Eight bytes hold every header whose length is of 7 or 16 bits, key included: one read, one bounds check.
        if (input.Length >= sizeof(ulong) && _error == FrameError.None)
        {
            ulong head = BinaryPrimitives.ReadUInt64LittleEndian(input);
            uint first = (byte)head;
            uint second = (byte)(head >> 8);
            uint length = second & LengthMask;
            bool masked = _sender == FrameSender.Client;
            bool legal = JudgeFirst(first) && ((second & MaskBit) != 0) == masked;
            int headerLength = 2;
            if (length >= LengthIn16Bits)
            {
                legal &= length == LengthIn16Bits && (first & ControlBit) == 0;
                length = BinaryPrimitives.ReverseEndianness((ushort)(head >> 16));
                legal &= length >= LengthIn16Bits;
                headerLength = 4;
            }

            if (legal)
            {
                uint key = 0;
                if (masked)
                {
                    key = (uint)(head >> (8 * headerLength));
                    headerLength += sizeof(uint);
                }

                return Accept(first, headerLength, length, key, input.Length, out consumed);
            }
        }

        return NextByParts(input, out consumed);
    }

    /// <summary>
    /// After a Data result with <see cref="FrameStarted"/>: that frame was not taken. The stream stands before its header again, at a frame boundary.
    /// </summary>
    public void TakeBack()
    {
        _remaining = 0;
        _progress = Opcode == Opcode.Continuation ? Progress.InMessage : Progress.None;
    }

    /// <summary>Whether the first header byte may come now.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool JudgeFirst(uint first)
    {
        uint legal = (_progress & Progress.InMessage) != Progress.None ? LegalInMessage : LegalBetweenMessages;
        uint pair = ((first & FinBit) >> 3) | (first & OpcodeMask);
        return ((legal >> (int)pair) & 1) != 0 && ((first & ReservedBitsMask) == 0 || AllowsReservedBits(first));
    }

    private readonly bool AllowsReservedBits(uint first) => _reservedBits switch
    {
        ReservedBits.Refused => (first & ReservedBitsMask) == 0,
        ReservedBits.CompressionOnly =>
            (first & ReservedBitsMask) == 0
            || ((first & ReservedBitsMask) == Rsv1Bit && (Opcode)(first & OpcodeMask) is Opcode.Text or Opcode.Binary),
        _ => true,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ScanStatus NextPayload(int available, out int consumed)
    {
        if (available == 0)
        {
            consumed = 0;
            return ScanStatus.NeedMore;
        }

        ulong taken = Math.Min(_remaining, (uint)available);
        _remaining -= taken;
        Progress progress = _progress & Progress.InMessage;
        if (_remaining == 0 && Fin)
            progress |= Progress.MessageEnded;
        _progress = progress;
        consumed = (int)taken;
        return ScanStatus.Data;
    }

    /// <summary>Takes a frame whose header is whole and legal; a control frame only when all of it is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ScanStatus Accept(uint first, int headerLength, ulong length, uint key, int available, out int consumed)
    {
        ScanStatus status;
        if ((first & ControlBit) != 0)
        {
            int whole = headerLength + (int)length;
            if (available < whole)
            {
                consumed = 0;
                return ScanStatus.NeedMore;
            }

            _progress = (_progress & Progress.InMessage) | Progress.FrameStarted;
            consumed = whole;
            status = ScanStatus.Control;
        }
        else
        {
            ulong taken = Math.Min(length, (uint)(available - headerLength));
            ulong remaining = length - taken;
            Progress ended = remaining == 0 ? Progress.MessageEnded : Progress.None;
            _progress = Progress.FrameStarted | ((first & FinBit) != 0 ? ended : Progress.InMessage);
            _remaining = remaining;
            consumed = headerLength + (int)taken;
            status = ScanStatus.Data;
        }

        _payloadLength = length;
        _maskKey = key;
        _first = (byte)first;
        _headerLength = (byte)headerLength;
        return status;
    }

    /// <summary>The same grammar for what <see cref="Next"/> does not take in one read: short input, 64-bit lengths, all that is illegal.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ScanStatus NextByParts(ReadOnlySpan<byte> input, out int consumed)
    {
        consumed = 0;
        if (_error != FrameError.None)
            return ScanStatus.Error;
        if (input.IsEmpty)
            return ScanStatus.NeedMore;

        uint first = input[0];
        if (!JudgeFirst(first))
            return Refuse(FaultOfFirst(first));
        if (input.Length < 2)
            return ScanStatus.NeedMore;

        uint second = input[1];
        bool masked = _sender == FrameSender.Client;
        if (((second & MaskBit) != 0) != masked)
            return Refuse(masked ? FrameError.MaskMissing : FrameError.MaskForbidden);
        ulong length = second & LengthMask;
        if ((first & ControlBit) != 0 && length >= LengthIn16Bits)
            return Refuse(FrameError.ControlTooLong);

        int lengthBytes = length < LengthIn16Bits ? 0 : length == LengthIn16Bits ? sizeof(ushort) : sizeof(ulong);
        ReadOnlySpan<byte> extended = input.Slice(2, Math.Min(lengthBytes, input.Length - 2));
        FrameError fault = FaultOfLength(extended, lengthBytes);
        if (fault != FrameError.None)
            return Refuse(fault);

        int headerLength = 2 + lengthBytes + (masked ? sizeof(uint) : 0);
        if (input.Length < headerLength)
            return ScanStatus.NeedMore;
        if (lengthBytes == sizeof(ushort))
            length = BinaryPrimitives.ReadUInt16BigEndian(extended);
        else if (lengthBytes == sizeof(ulong))
            length = BinaryPrimitives.ReadUInt64BigEndian(extended);
        uint key = masked ? BinaryPrimitives.ReadUInt32LittleEndian(input[(2 + lengthBytes)..]) : 0;
        return Accept(first, headerLength, length, key, input.Length, out consumed);
    }

    private readonly FrameError FaultOfFirst(uint first)
    {
        if (!AllowsReservedBits(first))
            return FrameError.ReservedBitsSet;
        switch ((Opcode)(first & OpcodeMask))
        {
            case Opcode.Continuation:
                return FrameError.UnexpectedContinuation;
            case Opcode.Text or Opcode.Binary:
                return FrameError.UnfinishedMessage;
            case Opcode.Close or Opcode.Ping or Opcode.Pong:
                return FrameError.ControlFragmented;
            default:
                return FrameError.ReservedOpcode;
        }
    }

    /// <summary>What is wrong with an extended length, of which the first bytes are there.</summary>
    private static FrameError FaultOfLength(ReadOnlySpan<byte> extended, int lengthBytes)
    {
        if (lengthBytes == sizeof(ushort))
        {
            return extended.Length == sizeof(ushort) && BinaryPrimitives.ReadUInt16BigEndian(extended) < LengthIn16Bits
                ? FrameError.LengthNotShortest
                : FrameError.None;
        }

        if (extended.IsEmpty)
            return FrameError.None;
        if (extended[0] >= 0x80)
            return FrameError.LengthTopBitSet;
        const int leadingZeros = sizeof(ulong) - sizeof(ushort);
        return extended.Length >= leadingZeros && !extended[..leadingZeros].ContainsAnyExcept((byte)0)
            ? FrameError.LengthNotShortest
            : FrameError.None;
    }

    private ScanStatus Refuse(FrameError error)
    {
        _error = error;
        return ScanStatus.Error;
    }
}
