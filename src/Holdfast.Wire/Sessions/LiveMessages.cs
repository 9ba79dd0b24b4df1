using System.Buffers;
using System.Runtime.InteropServices;

namespace Holdfast.Wire.Sessions;

/// <summary>
/// What is live of a connection, in the order in which it began: each a key, a message (or none) and marks. Few arrays and no object per entry,
/// since there is one of these for every connection. An index is kept only when there are many, so that no client can make every message a long walk.
/// </summary>
/// <remarks>An index is valid until the next <see cref="Add"/> or <see cref="SetMessage"/>; entries may be removed while they are walked.</remarks>
internal sealed class LiveMessages
{
    private const int WalkedAtMost = 8;
    private const int KeptWhenEmpty = 1024;

    private Entry[] _entries = [];
    private byte[] _bytes = [];
    private int[]? _buckets;
    private int _bytesUsed;
    private int _bytesLive;

    /// <summary>Live entries.</summary>
    public int Count { get; private set; }

    /// <summary>Walk from 0 to here, over those that are <see cref="IsLive"/>.</summary>
    public int End { get; private set; }

    public bool IsLive(int i) => _entries[i].IsLive;

    public ReadOnlySpan<byte> KeyOf(int i) => _bytes.AsSpan(_entries[i].Start, _entries[i].KeyLength);

    public ReadOnlySpan<byte> MessageOf(int i) => _bytes.AsSpan(_entries[i].Start + _entries[i].KeyLength, _entries[i].MessageLength);

    /// <summary>The bytes of a message of fixed length, to be changed in place.</summary>
    public Span<byte> MessageToChange(int i) => _bytes.AsSpan(_entries[i].Start + _entries[i].KeyLength, _entries[i].MessageLength);

    public ref byte MarksOf(int i) => ref _entries[i].Marks;

    /// <returns>-1 when there is none.</returns>
    public int Find(ReadOnlySpan<byte> key)
    {
        if (Count == 0)
            return -1;
        var hash = HashOf(key);
        if (_buckets is null)
        {
            for (var i = 0; i < End; i++)
            {
                if (_entries[i].IsLive && _entries[i].Hash == hash && KeyOf(i).SequenceEqual(key))
                    return i;
            }

            return -1;
        }

        for (var i = _buckets[hash & (_buckets.Length - 1)] - 1; i >= 0; i = _entries[i].Next - 1)
        {
            if (_entries[i].Hash == hash && KeyOf(i).SequenceEqual(key))
                return i;
        }

        return -1;
    }

    /// <summary>Adds a key that is not there.</summary>
    public int Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, byte marks)
    {
        if (End == _entries.Length)
            MakeRoom();
        var start = Append(key, message);
        var i = End++;
        Count++;
        _entries[i] = new Entry
        {
            Start = start,
            KeyLength = key.Length,
            MessageLength = message.Length,
            Hash = HashOf(key),
            Marks = marks,
            IsLive = true,
        };
        Link(i);
        return i;
    }

    /// <summary>Puts another message in the place of an entry's.</summary>
    public void SetMessage(int i, ReadOnlySpan<byte> message)
    {
        ref var entry = ref _entries[i];
        if (message.Length == entry.MessageLength)
        {
            message.CopyTo(MessageToChange(i));
            return;
        }

        // The key is copied behind what is there, so it is taken out before the bytes may move.
        var key = KeyOf(i).ToArray();
        _bytesLive -= entry.KeyLength + entry.MessageLength;
        entry.KeyLength = 0;
        entry.MessageLength = 0;
        var start = Append(key, message);
        entry.Start = start;
        entry.KeyLength = key.Length;
        entry.MessageLength = message.Length;
    }

    public void Remove(int i)
    {
        ref var entry = ref _entries[i];
        Unlink(i);
        entry.IsLive = false;
        _bytesLive -= entry.KeyLength + entry.MessageLength;
        if (--Count > 0)
            return;
        End = 0;
        _bytesUsed = 0;
        if (_bytes.Length <= KeptWhenEmpty && _buckets is null)
            return;
        _entries = [];
        _bytes = [];
        _buckets = null;
    }

    private static int HashOf(ReadOnlySpan<byte> key)
    {
        // Seeded per process: a client cannot choose keys that share a bucket.
        var hash = default(HashCode);
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    private int Append(ReadOnlySpan<byte> key, ReadOnlySpan<byte> message)
    {
        var length = key.Length + message.Length;
        if (_bytesUsed + length > _bytes.Length)
            MoveBytes(_bytesLive + length <= _bytes.Length - _bytes.Length / 4 ? _bytes.Length : Math.Max(_bytesLive + length, _bytesLive * 2));
        var start = _bytesUsed;
        key.CopyTo(_bytes.AsSpan(start));
        message.CopyTo(_bytes.AsSpan(start + key.Length));
        _bytesUsed += length;
        _bytesLive += length;
        return start;
    }

    /// <summary>Only what is live is carried over, so that a connection that changes its mind for hours stays as small as what it holds.</summary>
    private void MoveBytes(int capacity)
    {
        var isSameSize = capacity == _bytes.Length;
        var moved = isSameSize ? ArrayPool<byte>.Shared.Rent(capacity) : new byte[capacity];
        var used = 0;
        for (var i = 0; i < End; i++)
        {
            ref var entry = ref _entries[i];
            if (!entry.IsLive)
                continue;
            var length = entry.KeyLength + entry.MessageLength;
            _bytes.AsSpan(entry.Start, length).CopyTo(moved.AsSpan(used));
            entry.Start = used;
            used += length;
        }

        _bytesUsed = used;
        if (!isSameSize)
        {
            _bytes = moved;
            return;
        }

        moved.AsSpan(0, used).CopyTo(_bytes);
        ArrayPool<byte>.Shared.Return(moved);
    }

    private void MakeRoom()
    {
        var entries = _entries;
        if (Count >= End - End / 4)
            entries = new Entry[Math.Max(1, End * 2)];
        var live = 0;
        for (var i = 0; i < End; i++)
        {
            if (_entries[i].IsLive)
                entries[live++] = _entries[i];
        }

        _entries = entries;
        End = live;
        if (entries.Length != _buckets?.Length)
            _buckets = entries.Length > WalkedAtMost ? new int[entries.Length] : null;
        else
            Array.Clear(_buckets);
        for (var i = 0; i < End; i++)
            Link(i);
    }

    private void Link(int i)
    {
        if (_buckets is null)
            return;
        ref var bucket = ref _buckets[_entries[i].Hash & (_buckets.Length - 1)];
        _entries[i].Next = bucket;
        bucket = i + 1;
    }

    private void Unlink(int i)
    {
        if (_buckets is null)
            return;
        ref var link = ref _buckets[_entries[i].Hash & (_buckets.Length - 1)];
        while (link != i + 1)
            link = ref _entries[link - 1].Next;
        link = _entries[i].Next;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Entry
    {
        public int Start;
        public int KeyLength;
        public int MessageLength;
        public int Hash;

        /// <summary>The next of the same bucket, plus one.</summary>
        public int Next;
        public byte Marks;
        public bool IsLive;
    }
}
