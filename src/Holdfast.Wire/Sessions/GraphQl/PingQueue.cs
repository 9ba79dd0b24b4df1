using System.Buffers.Binary;

namespace Holdfast.Wire.Sessions.GraphQl;

/// <summary>The client's pings that an endpoint has not answered, oldest first: their payloads, each behind its leg and length.</summary>
internal struct PingQueue
{
    /// <summary>Bytes of all payloads. A client waits for its pong before it pings again, and sends a word or nothing in it.</summary>
    public const int Capacity = 1024;
    private const int Head = 3;

    private byte[]? _bytes;
    private int _length;

    public readonly ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <returns>False: there is no room.</returns>
    public bool TryAdd(SessionLeg leg, ReadOnlySpan<byte> payload)
    {
        if (_length + Head + payload.Length > Capacity)
            return false;
        if (_bytes is null || _length + Head + payload.Length > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_length + Head + payload.Length, _length * 2));
        _bytes[_length] = (byte)leg;
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(_length + 1), (ushort)payload.Length);
        payload.CopyTo(_bytes.AsSpan(_length + Head));
        _length += Head + payload.Length;
        return true;
    }

    /// <summary>Takes out the oldest of a leg.</summary>
    /// <param name="payload">Of <see cref="Capacity"/> bytes.</param>
    /// <returns>False: there is none.</returns>
    public bool TryTake(SessionLeg leg, Span<byte> payload, out int payloadLength)
    {
        for (var at = 0; at < _length;)
        {
            var length = LengthAt(at);
            if (_bytes![at] != (byte)leg)
            {
                at += Head + length;
                continue;
            }

            _bytes.AsSpan(at + Head, length).CopyTo(payload);
            _bytes.AsSpan(at + Head + length, _length - at - Head - length).CopyTo(_bytes.AsSpan(at));
            _length -= Head + length;
            payloadLength = length;
            return true;
        }

        payloadLength = 0;
        return false;
    }

    /// <summary>What was sent to one leg is on another.</summary>
    public readonly void Rename(SessionLeg from, SessionLeg to)
    {
        for (var at = 0; at < _length; at += Head + LengthAt(at))
        {
            if (_bytes![at] == (byte)from)
                _bytes[at] = (byte)to;
        }
    }

    /// <summary>Takes over what <see cref="Bytes"/> of another was, if it can have been.</summary>
    public bool TryRestore(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Capacity)
            return false;
        var at = 0;
        while (at + Head <= bytes.Length && bytes[at] == (byte)SessionLeg.Current)
            at += Head + BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 1)..]);
        if (at != bytes.Length)
            return false;
        _bytes = bytes.IsEmpty ? null : bytes.ToArray();
        _length = bytes.Length;
        return true;
    }

    private readonly int LengthAt(int at) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(at + 1));
}
