using System.Buffers.Binary;

namespace Holdfast.Wire.Dns;

/// <summary>Writes questions (RFC 1035 section 4.1). Thread-safe: no state.</summary>
public static class DnsQuery
{
    /// <summary>Bytes of the longest question with its OPT record.</summary>
    public const int MaxLength = DnsResponse.HeaderLength + DnsName.MaxLength + 4 + OptLength;

    private const int OptLength = 11;

    /// <summary>Writes one question that asks for recursion, and returns its length.</summary>
    /// <param name="destination"><see cref="MaxLength"/> bytes always suffice.</param>
    /// <param name="id">Unpredictable: an answer is believed by it.</param>
    /// <param name="udpSize">Bytes of the largest datagram that may come back, at least 512; 0: without an OPT record, as before EDNS (RFC 6891).</param>
    public static int Write(Span<byte> destination, ushort id, DnsName name, DnsRecordType type, ushort udpSize)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, id);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], 0x0100);
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], 1);
        destination[6..10].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(destination[10..], (ushort)(udpSize > 0 ? 1 : 0));
        name.Bytes.CopyTo(destination[DnsResponse.HeaderLength..]);
        int at = DnsResponse.HeaderLength + name.Bytes.Length;
        BinaryPrimitives.WriteUInt16BigEndian(destination[at..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(destination[(at + 2)..], DnsResponse.ClassInternet);
        at += 4;
        if (udpSize == 0)
            return at;

        Span<byte> opt = destination.Slice(at, OptLength);
        opt.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(opt[1..], (ushort)DnsRecordType.Opt);
        BinaryPrimitives.WriteUInt16BigEndian(opt[3..], udpSize);
        return at + OptLength;
    }
}
