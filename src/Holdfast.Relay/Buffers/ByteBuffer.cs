namespace Holdfast.Relay.Buffers;

/// <summary>A growing byte array for heads in the making. Keeps its array over <see cref="Clear"/> unless a large head made it large. One thread.</summary>
public sealed class ByteBuffer
{
    private const int Keep = 4096;
    private const int Slack = 256;
    private byte[] _bytes = [];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Valid until the next change.</summary>
    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Length += bytes.Length;
    }

    public void Append(byte value)
    {
        Reserve(1)[0] = value;
        Length++;
    }

    /// <summary>Room for at least <paramref name="count"/> bytes after the content; tell how many were used with <see cref="Advance"/>.</summary>
    public Span<byte> Reserve(int count)
    {
        if (_bytes.Length - Length < count)
            Array.Resize(ref _bytes, Math.Max(Math.Max(256, _bytes.Length * 2), Length + count));
        return _bytes.AsSpan(Length);
    }

    public void Advance(int count) => Length += count;

    /// <summary>Forgets the first bytes.</summary>
    public void RemoveFirst(int count)
    {
        Bytes[count..].CopyTo(_bytes);
        Length -= count;
    }

    /// <summary>Keeps little more room than the content takes: for content that will stay a while.</summary>
    public void Trim()
    {
        if (_bytes.Length - Length > Slack)
            Array.Resize(ref _bytes, Length);
    }

    /// <summary>Forgets the last bytes.</summary>
    public void RemoveLast(int count) => Length -= count;

    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > Keep)
            _bytes = [];
    }

    /// <summary>Forgets the content, and the array too.</summary>
    public void Release()
    {
        Length = 0;
        _bytes = [];
    }
}
