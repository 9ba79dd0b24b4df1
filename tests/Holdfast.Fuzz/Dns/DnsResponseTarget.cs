using Holdfast.Wire.Dns;

namespace Holdfast.Fuzz.Dns;

/// <summary>Answers of name servers against an oracle that reads them slowly, as answers to the very question that they hold.</summary>
internal static class DnsResponseTarget
{
    private static readonly DnsName Other = DnsName.TryParse("other.test", out DnsName? name) ? name : throw new InvalidOperationException();

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        // Whatever the bytes are, they answer no other question.
        FuzzFailure.Unless(DnsResponse.TryParse(data, 4711, Other, DnsRecordType.A, out DnsResponse foreign) is var fault
            && (fault == DnsFault.Foreign || Answers(data)), $"an answer to another question: {fault}, {foreign.Code}");
        if (DnsOracle.Read(data.ToArray()) is not { Type: 1 or 28 } oracle || oracle.Question.Contains('\\', StringComparison.Ordinal)
            || !DnsName.TryParse(oracle.Question, out DnsName? name))
        {
            return;
        }

        var type = (DnsRecordType)oracle.Type;
        fault = DnsResponse.TryParse(data, (ushort)oracle.Id, name, type, out DnsResponse response);
        FuzzFailure.UnlessEqual(oracle.IsWellFormed ? DnsFault.None : DnsFault.Malformed, fault, "the fault");
        FuzzFailure.UnlessEqual(DnsFault.Foreign, DnsResponse.TryParse(data, (ushort)(oracle.Id ^ 1), name, type, out _), "with another id");
        FuzzFailure.UnlessEqual(DnsFault.Foreign, DnsResponse.TryParse(data, (ushort)oracle.Id, name, (DnsRecordType)(29 - oracle.Type), out _), "to another type");
        if (fault != DnsFault.None)
            return;
        FuzzFailure.UnlessEqual(oracle.IsTruncated, response.IsTruncated, "truncated");
        FuzzFailure.UnlessEqual(oracle.Code, (int)response.Code, "the code");
        FuzzFailure.UnlessEqual(string.Join(' ', oracle.Addresses), string.Join(' ', response.Addresses), "the addresses");
        FuzzFailure.UnlessEqual(oracle.TimeToLive, response.TimeToLive, "the time to live");
    }

    /// <summary>By chance the bytes may be an answer with that id to that question, or a failure without any.</summary>
    private static bool Answers(ReadOnlySpan<byte> data) => DnsOracle.Read(data.ToArray()) is { Id: 4711, Question: "other.test", Type: 1 } || (data[0] << 8 | data[1]) == 4711;
}
