using System.Buffers.Binary;

namespace Holdfast.Wire.Tls;

/// <summary>The first record of a TLS client, as far as a server must look at it before TLS does (RFC 8446 4.1.2, 5.1). Pure.</summary>
public static class ClientHello
{
    /// <summary>Bytes before a record's contents.</summary>
    public const int RecordHeader = 5;

    private const byte HandshakeRecord = 22, HelloMessage = 1;
    private const ushort SupportedVersions = 43, Tls13 = 0x0304;

    /// <summary>Bytes of the first record, its header included; 0: these bytes begin no TLS handshake; -1: too few are there to tell.</summary>
    public static int LengthOf(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < RecordHeader)
            return bytes.Length > 0 && bytes[0] != HandshakeRecord ? 0 : -1;
        return bytes[0] == HandshakeRecord && bytes[1] == 3 ? RecordHeader + BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]) : 0;
    }

    /// <summary>Whether a client offers TLS 1.3. False also where the hello is not whole in its first record, or no hello at all.</summary>
    /// <param name="record">As long as <see cref="LengthOf"/> says.</param>
    public static bool OffersTls13(ReadOnlySpan<byte> record)
    {
        // Message: type, 24 bits of length, legacy version, random, then three lists that end where the extensions begin.
        var rest = record.Length > RecordHeader ? record[RecordHeader..] : default;
        if (rest.Length < 4 || rest[0] != HelloMessage)
            return false;
        var length = (rest[1] << 16) | (rest[2] << 8) | rest[3];
        if (length > rest.Length - 4)
            return false;
        rest = rest.Slice(4, length);
        if (!TrySkip(ref rest, 2 + 32) || !TryTake(ref rest, 1, out _) || !TryTake(ref rest, 2, out _) || !TryTake(ref rest, 1, out _) || !TryTake(ref rest, 2, out var extensions))
            return false;
        while (extensions.Length >= 2)
        {
            var type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!TryTake(ref extensions, 2, out var extension))
                return false;
            if (type == SupportedVersions)
                return TryTake(ref extension, 1, out var versions) && Lists(versions, Tls13);
        }

        return false;
    }

    private static bool Lists(ReadOnlySpan<byte> versions, ushort wanted)
    {
        for (; versions.Length >= 2; versions = versions[2..])
        {
            if (BinaryPrimitives.ReadUInt16BigEndian(versions) == wanted)
                return true;
        }

        return false;
    }

    private static bool TrySkip(ref ReadOnlySpan<byte> rest, int count)
    {
        if (rest.Length < count)
            return false;
        rest = rest[count..];
        return true;
    }

    /// <summary>Takes a vector with its length before it.</summary>
    private static bool TryTake(ref ReadOnlySpan<byte> rest, int lengthBytes, out ReadOnlySpan<byte> vector)
    {
        vector = default;
        if (rest.Length < lengthBytes)
            return false;
        var length = lengthBytes == 1 ? rest[0] : BinaryPrimitives.ReadUInt16BigEndian(rest);
        if (rest.Length - lengthBytes < length)
            return false;
        vector = rest.Slice(lengthBytes, length);
        rest = rest[(lengthBytes + length)..];
        return true;
    }
}
