using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Holdfast.Testing;

/// <summary>A question as a name server got it.</summary>
/// <param name="Name">Lower case, without the dot at the end.</param>
/// <param name="UdpSize">What its OPT record allows; 0: it had none.</param>
/// <param name="Section">The question's own bytes.</param>
public sealed record DnsQuestion(ushort Id, string Name, int Type, int UdpSize, byte[] Section, bool IsTcp, EndPoint From);

/// <summary>DNS messages, written and read without the product's own code.</summary>
public static class DnsMessages
{
    public const int A = 1, Cname = 5, Aaaa = 28, Opt = 41;

    public const int NoError = 0, FormatError = 1, ServerFailure = 2, NameError = 3, Refused = 5;

    public static DnsQuestion Read(ReadOnlySpan<byte> query, bool isTcp, EndPoint from)
    {
        var name = new StringBuilder();
        var at = 12;
        for (; query[at] != 0; at += 1 + query[at])
            name.Append(name.Length > 0 ? "." : "").Append(Encoding.ASCII.GetString(query.Slice(at + 1, query[at])).ToLowerInvariant());
        at += 5;
        var udpSize = BinaryPrimitives.ReadUInt16BigEndian(query[10..]) == 1 ? BinaryPrimitives.ReadUInt16BigEndian(query[(at + 3)..]) : 0;
        var type = BinaryPrimitives.ReadUInt16BigEndian(query[(at - 4)..]);
        return new DnsQuestion(BinaryPrimitives.ReadUInt16BigEndian(query), name.ToString(), type, udpSize, query[12..at].ToArray(), isTcp, from);
    }

    public static byte[] NameBytes(string name)
    {
        var bytes = new List<byte>();
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        return [.. bytes, 0];
    }

    /// <param name="owner">Null: the question's name, by a pointer.</param>
    public static byte[] Record(string? owner, int type, ReadOnlySpan<byte> data, uint timeToLive = 5)
    {
        var fixedPart = new byte[10];
        BinaryPrimitives.WriteUInt16BigEndian(fixedPart, (ushort)type);
        fixedPart[3] = 1;
        BinaryPrimitives.WriteUInt32BigEndian(fixedPart.AsSpan(4), timeToLive);
        BinaryPrimitives.WriteUInt16BigEndian(fixedPart.AsSpan(8), (ushort)data.Length);
        return [.. owner is null ? [0xC0, 12] : NameBytes(owner), .. fixedPart, .. data];
    }

    /// <summary>Records of those addresses that the question's type asks for.</summary>
    public static IEnumerable<byte[]> Records(DnsQuestion question, string? owner, IEnumerable<string> addresses, uint timeToLive = 5) => addresses
        .Select(IPAddress.Parse)
        .Where(a => a.AddressFamily == AddressFamily.InterNetwork ? question.Type == A : question.Type == Aaaa)
        .Select(a => Record(owner, question.Type, a.GetAddressBytes(), timeToLive));

    /// <summary>A response to a question: its header, the question, the answers, and an OPT record when the question had one.</summary>
    public static byte[] Respond(DnsQuestion question, IEnumerable<byte[]> answers, int code = NoError, bool truncated = false)
    {
        byte[][] records = [.. answers];
        var header = new byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(header, question.Id);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(0x8180 | (truncated ? 0x200 : 0) | code));
        header[5] = 1;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(6), (ushort)records.Length);
        header[11] = (byte)(question.UdpSize > 0 ? 1 : 0);
        byte[] opt = question.UdpSize > 0 ? [0, 0, Opt, 0x04, 0xD0, 0, 0, 0, 0, 0, 0] : [];
        return [.. header, .. question.Section, .. records.SelectMany(r => r), .. opt];
    }
}
