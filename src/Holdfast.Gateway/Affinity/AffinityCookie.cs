using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Relay.Buffers;

namespace Holdfast.Gateway.Affinity;

/// <summary>
/// The value of a backend's affinity cookie: base64url of a version (1 byte), the endpoint's tag (8), the second of issue (5) and a truncated HMAC-SHA256 (16) over these and
/// the backend's name. 30 bytes are 40 characters without padding, so each value has one spelling. Whoever lacks the secret can neither make nor read one. Thread-safe.
/// </summary>
internal sealed class AffinityCookie
{
    /// <summary>Characters.</summary>
    public const int Length = 40;

    /// <summary>Seconds that an issuer's clock may be ahead of ours.</summary>
    private const long MostAhead = 300;

    private const byte Version = 1;
    private const int TagAt = 1, TimeAt = 9, MacAt = 14, Size = 30;

    private readonly byte[] _macKey;
    private readonly byte[] _tagKey;
    private readonly byte[] _backend;
    private readonly long _ttl;

    /// <param name="ttlSeconds">0: valid for ever.</param>
    public AffinityCookie(string backend, ReadOnlySpan<byte> secret, long ttlSeconds)
    {
        _macKey = HMACSHA256.HashData(secret, "holdfast affinity: cookie"u8);
        _tagKey = HMACSHA256.HashData(secret, "holdfast affinity: endpoint"u8);
        _backend = Encoding.UTF8.GetBytes(backend);
        _ttl = ttlSeconds;
    }

    /// <summary>What stands for an endpoint of this backend; never 0.</summary>
    public ulong TagOf(EndpointAddress endpoint)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        // No address holds a zero byte.
        HMACSHA256.HashData(_tagKey, [.. Encoding.UTF8.GetBytes(endpoint.ToString()), 0, .. _backend], hash);
        return Math.Max(1, BinaryPrimitives.ReadUInt64BigEndian(hash));
    }

    /// <param name="nowSeconds">Since 1970.</param>
    public void Write(ByteBuffer output, ulong tag, long nowSeconds)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt64BigEndian(bytes[TagAt..], tag);
        WriteTime(bytes[TimeAt..], nowSeconds);
        Sign(bytes[..MacAt], bytes[MacAt..]);
        _ = Base64Url.EncodeToUtf8(bytes, output.Reserve(Length), out _, out var written);
        output.Advance(written);
    }

    /// <summary>False: it is none of this backend's, was tampered with, is expired, or comes from the future.</summary>
    public bool TryRead(ReadOnlySpan<byte> value, long nowSeconds, out ulong tag, out ushort turn)
    {
        (tag, turn) = (0, 0);
        Span<byte> bytes = stackalloc byte[Size];
        Span<byte> mac = stackalloc byte[Size - MacAt];
        if (value.Length != Length || Base64Url.DecodeFromUtf8(value, bytes, out _, out var written) != System.Buffers.OperationStatus.Done
            || written != Size || bytes[0] != Version)
            return false;
        Sign(bytes[..MacAt], mac);
        if (!CryptographicOperations.FixedTimeEquals(mac, bytes[MacAt..]))
            return false;
        var age = nowSeconds - ReadTime(bytes[TimeAt..]);
        if (age < -MostAhead || (_ttl > 0 && age > _ttl))
            return false;
        tag = BinaryPrimitives.ReadUInt64BigEndian(bytes[TagAt..]);
        turn = BinaryPrimitives.ReadUInt16BigEndian(mac);
        return true;
    }

    private void Sign(ReadOnlySpan<byte> head, Span<byte> mac)
    {
        Span<byte> message = stackalloc byte[MacAt + 253];      // The longest name of a backend.
        if (MacAt + _backend.Length > message.Length)
            message = new byte[MacAt + _backend.Length];
        head.CopyTo(message);
        _backend.CopyTo(message[MacAt..]);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_macKey, message[..(MacAt + _backend.Length)], hash);
        hash[..mac.Length].CopyTo(mac);
    }

    private static void WriteTime(Span<byte> to, long seconds)
    {
        to[0] = (byte)(seconds >> 32);
        BinaryPrimitives.WriteUInt32BigEndian(to[1..], (uint)seconds);
    }

    private static long ReadTime(ReadOnlySpan<byte> from) => ((long)from[0] << 32) | BinaryPrimitives.ReadUInt32BigEndian(from[1..]);
}
