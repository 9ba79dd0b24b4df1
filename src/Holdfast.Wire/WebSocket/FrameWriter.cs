using System.Buffers.Binary;

namespace Holdfast.Wire.WebSocket;

/// <summary>
/// Writes frame headers and whole control frames, in the shortest form (RFC 6455 section 5.2).
/// A mask key makes the frame a client's; it must be fresh and unpredictable (section 5.3). Thread-safe: no state.
/// A destination that is too small is an <see cref="ArgumentException"/>.
/// </summary>
public static class FrameWriter
{
    /// <summary>The longest header, in bytes: two, a 64-bit length and a key.</summary>
    public const int MaxHeader = 2 + sizeof(ulong) + sizeof(uint);

    /// <summary>The longest payload of a control frame, in bytes (RFC 6455 section 5.5).</summary>
    public const int MaxControlPayload = 125;

    /// <summary>The longest control frame, in bytes, masked.</summary>
    public const int MaxControlFrame = 2 + sizeof(uint) + MaxControlPayload;

    /// <summary>Writes a header and returns its length; the caller writes (and masks) the payload behind it.</summary>
    /// <param name="destination"><see cref="MaxHeader"/> bytes always suffice.</param>
    /// <param name="payloadLength">At most 2^63 - 1; of a control frame at most <see cref="MaxControlPayload"/>.</param>
    /// <param name="maskKey">The key as read little-endian from its four bytes; null for a server's frame.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is too great, or a control frame is fragmented or compressed.</exception>
    public static int WriteHeader(Span<byte> destination, Opcode opcode, bool fin, ulong payloadLength, uint? maskKey, bool rsv1 = false)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadLength, (ulong)long.MaxValue);
        if (opcode >= Opcode.Close)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadLength, (ulong)MaxControlPayload);
            ArgumentOutOfRangeException.ThrowIfNotEqual(fin, true);
            ArgumentOutOfRangeException.ThrowIfNotEqual(rsv1, false);
        }

        destination[0] = (byte)((fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | (int)opcode);
        int maskBit = maskKey is null ? 0 : 0x80;
        int length;
        if (payloadLength <= 125)
        {
            destination[1] = (byte)(maskBit | (int)payloadLength);
            length = 2;
        }
        else if (payloadLength <= ushort.MaxValue)
        {
            destination[1] = (byte)(maskBit | 126);
            BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)payloadLength);
            length = 2 + sizeof(ushort);
        }
        else
        {
            destination[1] = (byte)(maskBit | 127);
            BinaryPrimitives.WriteUInt64BigEndian(destination[2..], payloadLength);
            length = 2 + sizeof(ulong);
        }

        if (maskKey is not { } key)
            return length;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[length..], key);
        return length + sizeof(uint);
    }

    /// <summary>Writes a whole control frame, its payload masked when there is a key, and returns its length.</summary>
    /// <param name="destination"><see cref="MaxControlFrame"/> bytes always suffice. May not overlap the payload.</param>
    /// <param name="opcode">Close, Ping or Pong.</param>
    /// <param name="payload">Unmasked, at most <see cref="MaxControlPayload"/> bytes.</param>
    public static int WriteControl(Span<byte> destination, Opcode opcode, ReadOnlySpan<byte> payload, uint? maskKey)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan((byte)opcode, (byte)Opcode.Close, nameof(opcode));
        int header = WriteHeader(destination, opcode, fin: true, (ulong)payload.Length, maskKey);
        Span<byte> body = destination.Slice(header, payload.Length);
        payload.CopyTo(body);
        if (maskKey is { } key)
            Masking.Apply(body, key, offset: 0);
        return header + payload.Length;
    }

    /// <summary>Writes a whole Close frame (RFC 6455 section 5.5.1) and returns its length.</summary>
    /// <param name="code">One that may be sent, or <see cref="CloseCode.NoStatus"/> for a Close with an empty payload.</param>
    /// <param name="reasonUtf8">At most 123 bytes; none with <see cref="CloseCode.NoStatus"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The code may not be sent, or the reason is too long.</exception>
    public static int WriteClose(Span<byte> destination, CloseCode code, ReadOnlySpan<byte> reasonUtf8, uint? maskKey)
    {
        if (code == CloseCode.NoStatus)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(reasonUtf8.Length, 0, nameof(reasonUtf8));
            return WriteControl(destination, Opcode.Close, [], maskKey);
        }

        if (!CloseCodes.MayBeSent((ushort)code))
            throw new ArgumentOutOfRangeException(nameof(code), code, "Not a close code that may be sent.");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(reasonUtf8.Length, MaxControlPayload - sizeof(ushort), nameof(reasonUtf8));
        Span<byte> payload = stackalloc byte[MaxControlPayload];
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)code);
        reasonUtf8.CopyTo(payload[sizeof(ushort)..]);
        return WriteControl(destination, Opcode.Close, payload[..(sizeof(ushort) + reasonUtf8.Length)], maskKey);
    }
}
