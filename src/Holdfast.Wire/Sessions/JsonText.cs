using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Holdfast.Wire.Sessions;

/// <summary>
/// Strings of JSON as bytes. A lone surrogate, which JSON can write and UTF-8 cannot, becomes three bytes as if it were a character of its own
/// (https://simonsapin.github.io/wtf-8/): JavaScript keeps such strings, so two of them are told apart here too.
/// </summary>
internal static class JsonText
{
    /// <summary>Messages are 64 KiB at most, so no nesting of one is deeper.</summary>
    public static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = 128 * 1024 };

    private const int LongestEscape = 6;

    /// <summary>The raw text of the string or name that the reader stands on, without quotes, against plain text.</summary>
    public static bool IsText(in Utf8JsonReader reader, ReadOnlySpan<byte> expected) => IsText(reader.ValueSpan, expected);

    public static bool IsText(ReadOnlySpan<byte> raw, ReadOnlySpan<byte> expected)
    {
        if (!raw.Contains((byte)'\\'))
            return raw.SequenceEqual(expected);
        if (raw.Length > expected.Length * LongestEscape)
            return false;
        Span<byte> text = raw.Length <= 256 ? stackalloc byte[256] : new byte[raw.Length];
        return text[..Unescape(raw, text)].SequenceEqual(expected);
    }

    /// <summary>Resolves the escapes of what a reader has accepted as a string.</summary>
    /// <param name="text">As long as <paramref name="raw"/>, which no string grows beyond.</param>
    /// <returns>Bytes written.</returns>
    public static int Unescape(ReadOnlySpan<byte> raw, Span<byte> text)
    {
        var written = 0;
        while (true)
        {
            var plain = raw.IndexOf((byte)'\\');
            if (plain < 0 || plain + 1 >= raw.Length)
            {
                raw.CopyTo(text[written..]);
                return written + raw.Length;
            }

            raw[..plain].CopyTo(text[written..]);
            written += plain;
            var escape = raw[plain + 1];
            if (escape != 'u')
            {
                text[written++] = escape switch
                {
                    (byte)'b' => (byte)'\b',
                    (byte)'f' => (byte)'\f',
                    (byte)'n' => (byte)'\n',
                    (byte)'r' => (byte)'\r',
                    (byte)'t' => (byte)'\t',
                    _ => escape,
                };
                raw = raw[(plain + 2)..];
                continue;
            }

            raw = raw[plain..];
            var unit = UnitAt(raw);
            raw = raw[Math.Min(LongestEscape, raw.Length)..];
            if (char.IsHighSurrogate((char)unit) && raw.Length >= LongestEscape && raw[0] == '\\' && raw[1] == 'u' && char.IsLowSurrogate((char)UnitAt(raw)))
            {
                var rune = new Rune((char)unit, (char)UnitAt(raw));
                raw = raw[LongestEscape..];
                written += rune.EncodeToUtf8(text[written..]);
            }
            else if (Rune.TryCreate((char)unit, out var rune))
            {
                written += rune.EncodeToUtf8(text[written..]);
            }
            else
            {
                text[written++] = (byte)(0xE0 | (unit >> 12));
                text[written++] = (byte)(0x80 | ((unit >> 6) & 0x3F));
                text[written++] = (byte)(0x80 | (unit & 0x3F));
            }
        }
    }

    /// <summary>The most bytes that <see cref="Write"/> makes of a text.</summary>
    public static int MaxWritten(int textLength) => textLength * LongestEscape + 2;

    /// <summary>Writes a text with quotes and the escapes it needs.</summary>
    /// <returns>Bytes written.</returns>
    public static int Write(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        var written = 0;
        destination[written++] = (byte)'"';
        for (var i = 0; i < text.Length; i++)
        {
            var b = text[i];
            if (b is (byte)'"' or (byte)'\\')
            {
                destination[written++] = (byte)'\\';
                destination[written++] = b;
            }
            else if (b < ' ')
            {
                written += WriteUnit(b, destination[written..]);
            }
            else if (b == 0xED && i + 2 < text.Length && text[i + 1] >= 0xA0)
            {
                written += WriteUnit(0xD000 | ((text[i + 1] & 0x3F) << 6) | (text[i + 2] & 0x3F), destination[written..]);
                i += 2;
            }
            else
            {
                destination[written++] = b;
            }
        }

        destination[written++] = (byte)'"';
        return written;
    }

    private static int WriteUnit(int unit, Span<byte> destination)
    {
        "\\u"u8.CopyTo(destination);
        unit.TryFormat(destination[2..], out var digits, "x4", CultureInfo.InvariantCulture);
        return 2 + digits;
    }

    private static int UnitAt(ReadOnlySpan<byte> escape) =>
        escape.Length >= LongestEscape && int.TryParse(escape[2..LongestEscape], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit) ? unit : 0xFFFD;
}
