using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Holdfast.Wire.WebSocket;

/// <summary><c>Sec-WebSocket-Key</c> and the <c>Sec-WebSocket-Accept</c> that answers it (RFC 6455 sections 4.1, 4.2.2). Thread-safe.</summary>
public static class AcceptKey
{
    /// <summary>The length of an accept value: base64 of the 20 bytes of a SHA-1.</summary>
    public const int Length = 28;

    /// <summary>The length of a key: base64 of 16 bytes.</summary>
    public const int KeyLength = 24;

    /// <summary>The number of random bytes in a key.</summary>
    public const int KeyBytes = 16;

    private static readonly SearchValues<byte> Alphabet = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"u8);

    private static ReadOnlySpan<byte> Guid => "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8;

    /// <summary>Whether the value is base64 of exactly 16 bytes, in its one canonical form, with nothing around it.</summary>
    public static bool IsValidKey(ReadOnlySpan<byte> key) =>
        key.Length == KeyLength
        && key[22..].SequenceEqual("=="u8)
        && !key[..22].ContainsAnyExcept(Alphabet)

        // The last character carries two bits of the sixteenth byte; the other four are zero.
        && key[21] is (byte)'A' or (byte)'Q' or (byte)'g' or (byte)'w';

    /// <summary>Writes the accept value of a key.</summary>
    /// <param name="key">A key for which <see cref="IsValidKey"/> holds.</param>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    /// <exception cref="ArgumentException">The key is not <see cref="KeyLength"/> bytes long, or the destination is too small.</exception>
    [SuppressMessage("Security", "CA5350", Justification = "RFC 6455 asks for SHA-1; nothing secret rests on it.")]
    public static void Compute(ReadOnlySpan<byte> key, Span<byte> destination)
    {
        if (key.Length != KeyLength)
            throw new ArgumentException("A key is 24 bytes long.", nameof(key));
        Span<byte> joined = stackalloc byte[KeyLength + 36];
        key.CopyTo(joined);
        Guid.CopyTo(joined[KeyLength..]);
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(joined, hash);
        Encode(hash, destination);
    }

    /// <summary>Writes the key made of 16 random bytes.</summary>
    /// <param name="random"><see cref="KeyBytes"/> bytes, chosen by the caller.</param>
    /// <param name="destination">At least <see cref="KeyLength"/> bytes.</param>
    public static void NewKey(ReadOnlySpan<byte> random, Span<byte> destination)
    {
        if (random.Length != KeyBytes)
            throw new ArgumentException("A key is made of 16 bytes.", nameof(random));
        Encode(random, destination);
    }

    private static void Encode(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        if (Base64.EncodeToUtf8(bytes, destination, out _, out _) != OperationStatus.Done)
            throw new ArgumentException("The destination is too small.", nameof(destination));
    }
}
