using System.Text;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>The value of Sec-WebSocket-Extensions, against plain string splitting where no quotes are about.</summary>
internal static class ExtensionsTarget
{
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        ReservedBits judged = Extensions.Judge(data);
        string value = Encoding.Latin1.GetString(data);
        string[] elements = [.. value.Split(',').Select(element => element.Trim(' ', '\t')).Where(element => element.Length > 0)];
        FuzzFailure.UnlessEqual(elements.Length == 0, judged == ReservedBits.Refused, "nothing is listed");
        if (value.Contains('"', StringComparison.Ordinal))
            return;

        bool known = elements.All(element => element.Split(';')[0].Trim(' ', '\t') == "permessage-deflate");
        FuzzFailure.UnlessEqual(!known, judged == ReservedBits.NotJudged, "an unknown extension is listed");
    }
}
