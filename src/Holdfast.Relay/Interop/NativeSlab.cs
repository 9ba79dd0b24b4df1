using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Holdfast.Relay.Interop;

/// <summary>
/// Plain structs by index in one reserved region: addresses never move, and a page costs memory only once touched. One thread.
/// A rented item is zeroed. Pages stay when items are returned: a gateway that held N pairs will hold N again.
/// </summary>
internal sealed unsafe class NativeSlab<T> : IDisposable
    where T : unmanaged
{
    private const int ReadWrite = 3, PrivateAnonymousNoReserve = 0x4022;
    private readonly byte* _base;
    private readonly nuint _length;
    private readonly Stack<int> _free = new();
    private int _used;

    public NativeSlab(int capacity)
    {
        Capacity = capacity;
        _length = (nuint)capacity * (nuint)sizeof(T);
        var p = Libc.mmap(null, _length, ReadWrite, PrivateAnonymousNoReserve, -1, 0);
        if ((nint)p == -1)
            throw new InvalidOperationException($"mmap of {_length} bytes failed with errno {Marshal.GetLastSystemError()}");
        _base = (byte*)p;
    }

    public int Capacity { get; }

    public int Count => _used - _free.Count;

    /// <summary>Indexes at or above this were never rented.</summary>
    public int HighWater => _used;

    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref Unsafe.AsRef<T>(_base + ((nint)index * sizeof(T)));
    }

    /// <summary>A zeroed item's index, or -1 when the slab is full.</summary>
    public int Rent()
    {
        if (!_free.TryPop(out var index))
        {
            if (_used == Capacity)
                return -1;
            return _used++;     // Fresh pages are zero already.
        }

        this[index] = default;
        return index;
    }

    public void Return(int index) => _free.Push(index);

    public void Dispose() => _ = Libc.munmap(_base, _length);
}
