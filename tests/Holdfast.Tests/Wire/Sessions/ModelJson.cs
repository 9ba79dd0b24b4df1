using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>Strings of JSON as JavaScript has them: with lone surrogates, which the framework's reader refuses to give.</summary>
internal static class ModelJson
{
    public static byte[] Bytes(string message) => Encoding.UTF8.GetBytes(message);

    public static string? Text(JsonElement message, string name) =>
        message.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? Unquote(value.GetRawText()) : null;

    public static string Quote(string text) => Quote(text, static c => c is < ' ' or '"' or '\\' || c > '~');

    public static string Quote(string text, Func<char, bool> escapes) =>
        $"\"{string.Concat(text.Select(c => escapes(c) ? $"\\u{(int)c:x4}" : c.ToString()))}\"";

    private static string Unquote(string raw)
    {
        var text = new StringBuilder();
        for (var i = 1; i < raw.Length - 1; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            i++;
            if (raw[i] == 'u')
            {
                text.Append((char)int.Parse(raw.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += 4;
                continue;
            }

            text.Append(raw[i] switch { 'b' => '\b', 'f' => '\f', 'n' => '\n', 'r' => '\r', 't' => '\t', var c => c });
        }

        return text.ToString();
    }
}
