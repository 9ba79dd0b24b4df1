namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// A bounded queue from many threads to one: fixed memory, no lock, no allocation (Vyukov's bounded MPMC queue with one consumer). Pages of
/// the ring cost memory only once they were used.
/// </summary>
internal sealed class RecordRing<T>
    where T : struct
{
    private readonly Slot[] _slots;
    private readonly int _mask;
    private long _tail;
    private long _head;

    /// <param name="capacity">A power of two.</param>
    public RecordRing(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(int.IsPow2(capacity), true, nameof(capacity));
        _slots = new Slot[capacity];
        _mask = capacity - 1;
    }

    public int Capacity => _slots.Length;

    /// <summary>About how many wait; any thread.</summary>
    public int Count => (int)Math.Max(0, Volatile.Read(ref _tail) - Volatile.Read(ref _head));

    /// <summary>Any thread. False: full.</summary>
    public bool TryEnqueue(in T value)
    {
        for (var position = Volatile.Read(ref _tail); ;)
        {
            var index = (int)position & _mask;
            ref var slot = ref _slots[index];
            // A slot's turn counts from its own index, so that a fresh array of zeros is an empty ring.
            var difference = Volatile.Read(ref slot.Turn) + index - position;
            if (difference < 0)
                return false;
            if (difference > 0)
            {
                position = Volatile.Read(ref _tail);
                continue;
            }

            var seen = Interlocked.CompareExchange(ref _tail, position + 1, position);
            if (seen == position)
            {
                slot.Value = value;
                Volatile.Write(ref slot.Turn, position + 1 - index);
                return true;
            }

            position = seen;
        }
    }

    /// <summary>The consumer's thread only. False: empty.</summary>
    public bool TryDequeue(out T value)
    {
        var index = (int)_head & _mask;
        ref var slot = ref _slots[index];
        if (Volatile.Read(ref slot.Turn) + index != _head + 1)
        {
            value = default;
            return false;
        }

        value = slot.Value;
        slot.Value = default;
        Volatile.Write(ref slot.Turn, _head + _slots.Length - index);
        Volatile.Write(ref _head, _head + 1);
        return true;
    }

    private struct Slot
    {
        public long Turn;
        public T Value;
    }
}
