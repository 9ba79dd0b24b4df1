using System.Text;
using Holdfast.Wire.Sessions.GraphQl;

namespace Holdfast.Fuzz.Sessions;

/// <summary>Documents, against what must hold of them: what stands before and behind changes nothing, and a second operation makes the first one nameless.</summary>
internal static class GraphQlDocumentTarget
{
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        var kind = GraphQlDocument.KindOf(data, default);
        byte[] commented = [.. "\uFEFF ,# mutation { a }\n"u8, .. data, .. "\n# { subscription"u8];
        FuzzFailure.UnlessEqual(kind, GraphQlDocument.KindOf(commented, default), "the kind between comments");
        byte[] withFragment = [.. "fragment Before on T { a(b: \"}\") } "u8, .. data];
        FuzzFailure.UnlessEqual(kind, GraphQlDocument.KindOf(withFragment, default), "the kind behind a fragment");
        if (kind == OperationKind.Unknown)
            return;
        byte[] twice = [.. "mutation Other($a: I = {b: \"{\"}) @d(c: \"\"\"}\"\"\") { a } "u8, .. data];
        FuzzFailure.UnlessEqual(OperationKind.Unknown, GraphQlDocument.KindOf(twice, default), "the kind of one of two operations");
        FuzzFailure.UnlessEqual(OperationKind.Unknown, GraphQlDocument.KindOf(data, "no name at all"u8), "the kind of an operation that is not there");
        FuzzFailure.Unless(Mentions(data, kind), $"nothing in the document says {kind}");
    }

    private static bool Mentions(ReadOnlySpan<byte> data, OperationKind kind) => kind switch
    {
        OperationKind.Query => data.Contains((byte)'{'),
        _ => data.IndexOf(Encoding.ASCII.GetBytes(kind == OperationKind.Mutation ? "mutation" : "subscription")) >= 0,
    };
}
