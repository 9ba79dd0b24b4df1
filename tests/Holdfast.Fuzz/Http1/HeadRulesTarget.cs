using System.Globalization;
using System.Numerics;
using System.Text;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>The rules for heads, each against the same rule said with strings.</summary>
internal static class HeadRulesTarget
{
    private const string TokenMarks = "!#$%&'*+-.^_`|~";

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        string text = Encoding.Latin1.GetString(data);
        string withoutLineEnds = text.Replace("\r\n", "", StringComparison.Ordinal);

        // Taking line ends away may join a CR with an LF that stood apart; one control character is enough to refuse either way.
        FuzzFailure.UnlessEqual(!withoutLineEnds.Any(IsControl), HeadRules.CrLfOnly(data), "CR LF only");
        FuzzFailure.UnlessEqual(text.Length > 0 && text.All(IsTokenMark), HeadRules.IsToken(data), "a token");
        FuzzFailure.UnlessEqual(!text.Any(IsControl), HeadRules.IsFieldValue(data), "a field value");
        bool target = text.Length > 0 && text.All(c => c is > ' ' and < (char)127 and not '#');
        FuzzFailure.UnlessEqual(target, HeadRules.IsRequestTarget(data), "a request target");
        ContentLength(data, text);
        Token(data, text);
        End(data, text);
    }

    private static void ContentLength(ReadOnlySpan<byte> data, string text)
    {
        bool expected = text.Length is > 0 and <= 19 && text.All(char.IsAsciiDigit) && BigInteger.Parse(text, CultureInfo.InvariantCulture) <= long.MaxValue;
        FuzzFailure.UnlessEqual(expected, HeadRules.TryParseContentLength(data, out long length), "a Content-Length");
        if (expected)
            FuzzFailure.UnlessEqual(long.Parse(text, CultureInfo.InvariantCulture), length, "the Content-Length");
    }

    private static void Token(ReadOnlySpan<byte> data, string text)
    {
        bool expected = text.Split(',').Any(element => string.Equals(element.Trim(' ', '\t'), "upgrade", StringComparison.OrdinalIgnoreCase));
        FuzzFailure.UnlessEqual(expected, HeadRules.ContainsToken(data, "upgrade"u8), "lists upgrade");
    }

    private static void End(ReadOnlySpan<byte> data, string text)
    {
        int found = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        int expected = found < 0 ? -1 : found + 4;
        FuzzFailure.UnlessEqual(expected, HeadEnd.Find(data, 0), "the end of the head");

        // Growing bytewise, each time telling how much has been searched.
        int resumed = -1;
        for (int seen = 0; seen <= data.Length && resumed < 0; seen++)
            resumed = HeadEnd.Find(data[..seen], Math.Max(0, seen - 1));
        FuzzFailure.UnlessEqual(expected, resumed, "the end of the head, resumed");
    }

    private static bool IsTokenMark(char c) => char.IsAsciiLetterOrDigit(c) || TokenMarks.Contains(c, StringComparison.Ordinal);

    private static bool IsControl(char c) => (c < ' ' && c != '\t') || c == 127;
}
