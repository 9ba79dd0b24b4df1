using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Holdfast.Wire.Dns;

/// <summary>
/// What a name server answered to one question for addresses. Read strictly: every record of the message must be whole, and only those count
/// whose owner is the name asked for, or the end of the chain of CNAMEs that starts there. Nothing in the bytes decides a size: a message is
/// at most 65,535 bytes long, so it holds at most 4,095 addresses.
/// </summary>
public readonly struct DnsResponse
{
    public const int HeaderLength = 12;

    /// <summary>CNAMEs followed: more than any honest zone has (BIND follows 16, Unbound 11).</summary>
    public const int MaxChain = 16;

    internal const ushort ClassInternet = 1;

    private const int FlagResponse = 0x8000, OpcodeMask = 0x7800, FlagTruncated = 0x0200, CodeMask = 0xF;

    private DnsResponse(DnsResponseCode code, bool isTruncated, IReadOnlyList<IPAddress> addresses, uint timeToLive) =>
        (Code, IsTruncated, Addresses, TimeToLive) = (code, isTruncated, addresses, timeToLive);

    public DnsResponseCode Code { get; }

    /// <summary>The answer did not fit: ask again over TCP. Nothing else of it was read.</summary>
    public bool IsTruncated { get; }

    /// <summary>Each once, in the message's order. Empty unless the code is NoError.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; }

    /// <summary>Seconds: the least of the records that led to the addresses; 0 without addresses.</summary>
    public uint TimeToLive { get; }

    /// <summary>Reads the answer to a question.</summary>
    /// <param name="message">One datagram, or what TCP framed.</param>
    /// <param name="type">A or Aaaa.</param>
    public static DnsFault TryParse(ReadOnlySpan<byte> message, ushort id, DnsName name, DnsRecordType type, out DnsResponse response)
    {
        response = default;
        if (!IsAnswerTo(message, id, name, type, out int at))
            return DnsFault.Foreign;
        int flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        var code = (DnsResponseCode)(flags & CodeMask);
        if ((flags & FlagTruncated) != 0)
        {
            response = new DnsResponse(code, isTruncated: true, [], 0);
            return DnsFault.None;
        }

        var records = new List<Record>();
        bool hasOpt = false;
        for (int section = 0; section < 3; section++)
        {
            for (int left = BinaryPrimitives.ReadUInt16BigEndian(message[(6 + (2 * section))..]); left > 0; left--)
            {
                if (!Record.TryRead(message, ref at, out Record record))
                    return DnsFault.Malformed;
                if (section == 0 && record.IsClassInternet && (record.Type == type || record.Type == DnsRecordType.Cname))
                {
                    if (!record.IsWellFormed(message))
                        return DnsFault.Malformed;
                    records.Add(record);
                }
                else if (section == 2 && record.Type == DnsRecordType.Opt)
                {
                    // The root's, and only one (RFC 6891 section 6.1.1). It carries the upper eight bits of the code.
                    if (hasOpt || message[record.Owner] != 0)
                        return DnsFault.Malformed;
                    hasOpt = true;
                    code = (DnsResponseCode)((int)code | (int)(record.RawTimeToLive >> 24 << 4));
                }
            }
        }

        if (code != DnsResponseCode.NoError)
        {
            response = new DnsResponse(code, isTruncated: false, [], 0);
            return DnsFault.None;
        }

        return Collect(message, name, type, CollectionsMarshal.AsSpan(records), out response) ? DnsFault.None : DnsFault.Malformed;
    }

    /// <summary>A response with our id to our question; <paramref name="end"/> is behind the question.</summary>
    private static bool IsAnswerTo(ReadOnlySpan<byte> message, ushort id, DnsName name, DnsRecordType type, out int end)
    {
        end = HeaderLength;
        if (message.Length < HeaderLength || BinaryPrimitives.ReadUInt16BigEndian(message) != id)
            return false;
        int flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        if ((flags & (FlagResponse | OpcodeMask)) != FlagResponse)
            return false;
        switch (BinaryPrimitives.ReadUInt16BigEndian(message[4..]))
        {
            // Some servers do not repeat a question that they could not or would not read. They may fail it, but not say what exists.
            case 0:
                return (DnsResponseCode)(flags & CodeMask) is not (DnsResponseCode.NoError or DnsResponseCode.NameError);

            case 1:
                Span<byte> asked = stackalloc byte[DnsName.MaxLength];
                if (!DnsName.TryExpand(message, HeaderLength, asked, out int length, out end) || end + 4 > message.Length)
                    return false;
                bool isOurs = asked[..length].SequenceEqual(name.Bytes)
                    && BinaryPrimitives.ReadUInt16BigEndian(message[end..]) == (ushort)type
                    && BinaryPrimitives.ReadUInt16BigEndian(message[(end + 2)..]) == ClassInternet;
                end += 4;
                return isOurs;

            default:
                return false;
        }
    }

    /// <summary>Follows the CNAMEs, in whatever order they came, and takes the addresses at their end. False: the chain does not end.</summary>
    private static bool Collect(ReadOnlySpan<byte> message, DnsName name, DnsRecordType type, ReadOnlySpan<Record> records, out DnsResponse response)
    {
        response = default;
        Span<byte> owner = stackalloc byte[DnsName.MaxLength];
        name.Bytes.CopyTo(owner);
        int length = name.Bytes.Length;
        uint timeToLive = uint.MaxValue;
        for (int followed = 0; Find(message, records, DnsRecordType.Cname, owner[..length]) is { } alias; followed++)
        {
            if (followed == MaxChain)
                return false;
            timeToLive = Math.Min(timeToLive, alias.TimeToLive);
            DnsName.TryExpand(message, alias.Data, owner, out length, out _);
        }

        var addresses = new List<IPAddress>();
        var seen = new HashSet<IPAddress>();
        foreach (Record record in records)
        {
            if (record.Type != type || !record.IsOf(message, owner[..length]))
                continue;
            timeToLive = Math.Min(timeToLive, record.TimeToLive);
            var address = new IPAddress(message.Slice(record.Data, record.Length));
            if (seen.Add(address))
                addresses.Add(address);
        }

        response = new DnsResponse(DnsResponseCode.NoError, isTruncated: false, addresses, addresses.Count > 0 ? timeToLive : 0);
        return true;
    }

    private static Record? Find(ReadOnlySpan<byte> message, ReadOnlySpan<Record> records, DnsRecordType type, ReadOnlySpan<byte> owner)
    {
        foreach (Record record in records)
        {
            if (record.Type == type && record.IsOf(message, owner))
                return record;
        }

        return null;
    }

    /// <summary>Where a record lies in its message.</summary>
    private readonly struct Record(int owner, DnsRecordType type, ushort @class, uint timeToLive, int data, int length)
    {
        public int Owner => owner;

        public DnsRecordType Type => type;

        public bool IsClassInternet => @class == ClassInternet;

        public uint RawTimeToLive => timeToLive;

        /// <summary>Seconds; with the highest bit set it counts as 0 (RFC 2181 section 8).</summary>
        public uint TimeToLive => timeToLive > int.MaxValue ? 0 : timeToLive;

        public int Data => data;

        public int Length => length;

        public static bool TryRead(ReadOnlySpan<byte> message, ref int at, out Record record)
        {
            record = default;
            Span<byte> name = stackalloc byte[DnsName.MaxLength];
            if (!DnsName.TryExpand(message, at, name, out _, out int fixedPart) || fixedPart + 10 > message.Length)
                return false;
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[(fixedPart + 8)..]);
            record = new Record(
                at,
                (DnsRecordType)BinaryPrimitives.ReadUInt16BigEndian(message[fixedPart..]),
                BinaryPrimitives.ReadUInt16BigEndian(message[(fixedPart + 2)..]),
                BinaryPrimitives.ReadUInt32BigEndian(message[(fixedPart + 4)..]),
                fixedPart + 10,
                length);
            at = record.Data + length;
            return at <= message.Length;
        }

        public bool IsWellFormed(ReadOnlySpan<byte> message)
        {
            if (type == DnsRecordType.A)
                return length == 4;
            if (type == DnsRecordType.Aaaa)
                return length == 16;
            Span<byte> target = stackalloc byte[DnsName.MaxLength];
            return DnsName.TryExpand(message, data, target, out _, out int end) && end == data + length;
        }

        public bool IsOf(ReadOnlySpan<byte> message, ReadOnlySpan<byte> name)
        {
            Span<byte> mine = stackalloc byte[DnsName.MaxLength];
            return DnsName.TryExpand(message, owner, mine, out int count, out _) && mine[..count].SequenceEqual(name);
        }
    }
}
