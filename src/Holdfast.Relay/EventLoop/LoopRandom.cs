using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Holdfast.Relay.EventLoop;

/// <summary>Unpredictable numbers for mask keys, ping tags and connection ids (RFC 6455 5.3), drawn from the system's source in blocks. One thread.</summary>
public sealed class LoopRandom
{
    [ThreadStatic]
    private static LoopRandom? _ofThread;

    private readonly byte[] _block = new byte[4096];
    private int _used;

    public LoopRandom() => _used = _block.Length;

    /// <summary>For code that any thread runs.</summary>
    public static LoopRandom OfThread => _ofThread ??= new LoopRandom();

    public uint NextUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));

    public ulong NextUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

    /// <summary>From 0 to below 1.</summary>
    public double NextDouble() => NextUInt32() / (uint.MaxValue + 1.0);

    public UInt128 NextUInt128() => BinaryPrimitives.ReadUInt128LittleEndian(Take(16));

    /// <param name="bytes">4096 at most.</param>
    public void Fill(Span<byte> bytes) => Take(bytes.Length).CopyTo(bytes);

    private ReadOnlySpan<byte> Take(int count)
    {
        if (_used + count > _block.Length)
        {
            RandomNumberGenerator.Fill(_block);
            _used = 0;
        }

        var bytes = _block.AsSpan(_used, count);
        _used += count;
        return bytes;
    }
}
