using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Holdfast.Relay.Interop;

/// <summary>
/// Bytes that wait, first in first out, in native memory that exists only while there are any. A plain struct: whoever holds it owns
/// the memory and must empty or <see cref="Release"/> it; a copy is not a second owner.
/// </summary>
internal unsafe struct NativeBuffer
{
    private const int Smallest = 256;
    private byte* _memory;
    private int _start;
    private int _length;
    private int _capacity;

    public readonly int Length => _length;

    public readonly bool IsEmpty => _length == 0;

    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes => new(_memory + _start, _length);

    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        if (_start + _length + bytes.Length > _capacity)
            MakeRoom(bytes.Length);
        bytes.CopyTo(new Span<byte>(_memory + _start + _length, bytes.Length));
        _length += bytes.Length;
    }

    /// <summary>Forgets the first bytes; the memory goes back with the last of them.</summary>
    public void Consume(int count)
    {
        _start += count;
        _length -= count;
        if (_length == 0)
            Release();
    }

    /// <summary>Forgets the last bytes.</summary>
    public void RemoveLast(int count)
    {
        _length -= count;
        if (_length == 0)
            Release();
    }

    public void Release()
    {
        NativeMemory.Free(_memory);
        this = default;
    }

    private void MakeRoom(int more)
    {
        if (_length + more <= _capacity)
        {
            Bytes.CopyTo(new Span<byte>(_memory, _length));     // Span.CopyTo allows overlap.
            _start = 0;
            return;
        }

        var capacity = (int)Math.Min(Math.Max((long)Math.Max(_capacity, Smallest / 2) * 2, _length + (long)more), int.MaxValue);
        var memory = (byte*)NativeMemory.Alloc((nuint)capacity);
        Bytes.CopyTo(new Span<byte>(memory, _length));
        NativeMemory.Free(_memory);
        _memory = memory;
        _capacity = capacity;
        _start = 0;
    }
}
