using System.Text;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>A Close frame's payload against the framework's strict UTF-8 decoder and the list of codes written out.</summary>
internal static class ClosePayloadTarget
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly int[] LowCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        bool expected = data.IsEmpty || (data.Length >= 2 && IsCode((data[0] << 8) | data[1]) && IsUtf8(data[2..]));
        FuzzFailure.UnlessEqual(expected, ClosePayload.TryParse(data, out ushort code, out ReadOnlySpan<byte> reason), "a legal payload");
        if (!expected || data.IsEmpty)
        {
            FuzzFailure.UnlessEqual(0, code, "the code");
            FuzzFailure.Unless(reason.IsEmpty, "a reason without a code");
            return;
        }

        FuzzFailure.UnlessEqual((data[0] << 8) | data[1], code, "the code");
        FuzzFailure.Unless(reason.SequenceEqual(data[2..]), "the reason differs");
    }

    private static bool IsCode(int code) => LowCodes.Contains(code) || (code >= 3000 && code < 5000);

    private static bool IsUtf8(ReadOnlySpan<byte> text)
    {
        try
        {
            _ = Strict.GetCharCount(text);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }
}
