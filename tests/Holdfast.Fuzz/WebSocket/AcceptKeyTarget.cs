using System.Text;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>Keys against the framework's base64: valid is what decodes to 16 bytes and encodes to the same text again.</summary>
internal static class AcceptKeyTarget
{
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        string text = Encoding.Latin1.GetString(data);
        Span<byte> decoded = stackalloc byte[16];
        bool expected = text.Length == 24
            && Convert.TryFromBase64String(text, decoded, out int written)
            && written == 16
            && Convert.ToBase64String(decoded) == text;
        FuzzFailure.UnlessEqual(expected, AcceptKey.IsValidKey(data), "a valid key");
        if (!expected)
            return;

        Span<byte> again = stackalloc byte[AcceptKey.KeyLength];
        AcceptKey.NewKey(decoded, again);
        FuzzFailure.Unless(data.SequenceEqual(again), "the key encoded again differs");
    }
}
