using System.Text;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>Cookies of one name against a reading by splitting strings.</summary>
internal static class CookieTarget
{
    private static readonly char[] Space = [' ', '\t'];

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        string[] expected =
        [
            .. Encoding.Latin1.GetString(data).Split(';')
                .Select(pair => pair.Split('=', 2))
                .Where(pair => pair.Length == 2 && pair[0].Trim(Space) == "holdfast")
                .Select(pair => pair[1].Trim(Space)),
        ];
        var found = new List<string>();
        ReadOnlySpan<byte> rest = data;
        while (CookieHeader.TryNext(ref rest, "holdfast"u8, out ReadOnlySpan<byte> value))
            found.Add(Encoding.Latin1.GetString(value));
        FuzzFailure.Unless(rest.IsEmpty, "something is left");
        FuzzFailure.UnlessEqual(string.Join('\n', expected), string.Join('\n', found), "the values");
    }
}
