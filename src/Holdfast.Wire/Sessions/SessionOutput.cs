namespace Holdfast.Wire.Sessions;

/// <summary>Messages that a session machine wants sent, in order. Used again and again by one thread; holds no more than its largest use.</summary>
public sealed class SessionOutput
{
    private readonly List<Entry> _entries = [];
    private byte[] _bytes = [];
    private int _length;

    public int Count => _entries.Count;

    /// <summary>Adds a whole message, unmasked.</summary>
    public void Add(SessionLeg to, ReadOnlySpan<byte> payload, bool isText = true)
    {
        if (_length + payload.Length > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_length + payload.Length, Math.Max(256, _bytes.Length * 2)));
        payload.CopyTo(_bytes.AsSpan(_length));
        _entries.Add(new Entry(to, isText, _length, payload.Length));
        _length += payload.Length;
    }

    public SessionLeg LegOf(int i) => _entries[i].To;

    public bool IsText(int i) => _entries[i].IsText;

    /// <summary>Valid until the next <see cref="Add"/> or <see cref="Clear"/>.</summary>
    public ReadOnlySpan<byte> PayloadOf(int i) => _bytes.AsSpan(_entries[i].Start, _entries[i].Length);

    public void Clear()
    {
        _entries.Clear();
        _length = 0;
    }

    private readonly record struct Entry(SessionLeg To, bool IsText, int Start, int Length);
}
