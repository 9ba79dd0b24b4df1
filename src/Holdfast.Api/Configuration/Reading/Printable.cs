using System.Text;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Makes a user's text fit for one line of a message: no line breaks, no terminal escapes, not endless.</summary>
internal static class Printable
{
    /// <summary>In quotes, for a message.</summary>
    public static string Quote(string text) => "'" + Text(text, 60) + "'";

    public static string Text(string text, int max)
    {
        if (text.Length <= max && text.AsSpan().IndexOfAnyInRange('\0', '\u001F') < 0 && text.AsSpan().IndexOfAnyInRange('\u007F', '\u009F') < 0
            && text.AsSpan().IndexOfAny('\u2028', '\u2029') < 0)
            return text;
        var builder = new StringBuilder(Math.Min(text.Length, max) + 3);
        foreach (var c in text)
        {
            if (builder.Length >= max)
            {
                builder.Append("...");
                break;
            }

            builder.Append(char.IsControl(c) || c is '\u2028' or '\u2029' ? '?' : c);
        }

        return builder.ToString();
    }
}
