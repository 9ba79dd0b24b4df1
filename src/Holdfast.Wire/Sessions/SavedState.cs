using System.Buffers;
using System.Buffers.Binary;

namespace Holdfast.Wire.Sessions;

/// <summary>Reads what <see cref="SavedStateWriter"/> wrote. Once something is missing or out of range, everything further fails too.</summary>
internal ref struct SavedState(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public bool TryReadByte(out byte value)
    {
        value = 0;
        if (_rest.IsEmpty)
            return false;
        value = _rest[0];
        _rest = _rest[1..];
        return true;
    }

    public bool TryReadCount(int max, out int value)
    {
        value = 0;
        if (_rest.Length < sizeof(int))
            return false;
        value = BinaryPrimitives.ReadInt32LittleEndian(_rest);
        _rest = _rest[sizeof(int)..];
        return (uint)value <= (uint)max;
    }

    public bool TryReadBytes(int max, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!TryReadCount(Math.Min(max, _rest.Length), out var length) || length > _rest.Length)
            return false;
        value = _rest[..length];
        _rest = _rest[length..];
        return true;
    }
}

internal static class SavedStateWriter
{
    public static void Write(this IBufferWriter<byte> destination, byte value)
    {
        destination.GetSpan(1)[0] = value;
        destination.Advance(1);
    }

    public static void WriteCount(this IBufferWriter<byte> destination, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination.GetSpan(sizeof(int)), value);
        destination.Advance(sizeof(int));
    }

    public static void WriteBytes(this IBufferWriter<byte> destination, ReadOnlySpan<byte> value)
    {
        destination.WriteCount(value.Length);
        destination.Write(value);
    }
}
