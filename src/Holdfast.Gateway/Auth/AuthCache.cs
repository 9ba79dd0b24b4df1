using System.Diagnostics.CodeAnalysis;

namespace Holdfast.Gateway.Auth;

/// <summary>
/// Answers that may be used again, by the hash of all that the service was told: a key holds no secret. Bounded in number and in bytes; the oldest make room. Thread-safe.
/// </summary>
internal sealed class AuthCache(TimeProvider time)
{
    public const int MostEntries = 4096, MostBytes = 4 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<Key, LinkedListNode<Entry>> _byKey = [];
    private readonly LinkedList<Entry> _inOrder = new();
    private int _bytes;

    public int Count
    {
        get
        {
            lock (_lock)
                return _byKey.Count;
        }
    }

    public bool TryGet(ReadOnlySpan<byte> hash, [NotNullWhen(true)] out AuthAnswer? answer)
    {
        lock (_lock)
        {
            answer = null;
            if (!_byKey.TryGetValue(new Key(hash), out var node))
                return false;
            if (time.GetTimestamp() >= node.Value.Until)
                Remove(node);
            else
                answer = node.Value.Answer;
            return answer is not null;
        }
    }

    /// <param name="askedAt">A timestamp: from then on it counts, since the answer may be as old.</param>
    public void Add(ReadOnlySpan<byte> hash, AuthAnswer answer, TimeSpan keep, long askedAt)
    {
        var until = askedAt + (long)(keep.TotalSeconds * time.TimestampFrequency);
        // The lines are kept as bytes and as texts, and an entry has a price of its own.
        var entry = new Entry(new Key(hash), answer, until, 512 + (answer.Bytes.Length * 4));
        lock (_lock)
        {
            if (_byKey.TryGetValue(entry.Key, out var before))
                Remove(before);
            _byKey[entry.Key] = _inOrder.AddLast(entry);
            _bytes += entry.Bytes;
            while (_byKey.Count > MostEntries || _bytes > MostBytes)
                Remove(_inOrder.First!);
        }
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        _byKey.Remove(node.Value.Key);
        _inOrder.Remove(node);
        _bytes -= node.Value.Bytes;
    }

    private readonly record struct Key(UInt128 High, UInt128 Low)
    {
        public Key(ReadOnlySpan<byte> hash)
            : this(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash), System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash[16..]))
        {
        }
    }

    private sealed record Entry(Key Key, AuthAnswer Answer, long Until, int Bytes);
}
