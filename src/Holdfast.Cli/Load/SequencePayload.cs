using System.Buffers.Text;
using System.Globalization;

namespace Holdfast.Cli.Load;

/// <summary>
/// The small protocol of <c>--check sequence</c>. The client opens the URL with <c>sequence=1&amp;rate=R</c> added to its query, R being
/// messages per second on this connection, and sends no data. The server sends text (or binary) messages, each with a number one greater
/// than the last one's on this connection: either the number in decimal comes first, or the message is JSON and its first 128 bytes hold a
/// member <c>"seq"</c>. The first message to arrive sets the base. A message without a number counts as corrupted. What is lost after
/// the last arrival cannot be seen from here.
/// </summary>
internal static class SequencePayload
{
    /// <summary>The number must be found in this many first bytes.</summary>
    public const int Look = 128;

    private static ReadOnlySpan<byte> Member => "\"seq\""u8;

    public static Uri Ask(Uri url, double messagesPerSecond)
    {
        var asked = string.Create(CultureInfo.InvariantCulture, $"sequence=1&rate={messagesPerSecond:0.######}");
        var query = url.Query.Length > 1 ? url.Query[1..] + "&" + asked : asked;
        return new UriBuilder(url) { Query = query }.Uri;
    }

    public static bool TryRead(ReadOnlySpan<byte> start, out long number)
    {
        start = start.TrimStart(" \t\r\n"u8);
        if (!start.IsEmpty && start[0] == (byte)'{')
        {
            var member = start.IndexOf(Member);
            if (member < 0)
            {
                number = 0;
                return false;
            }

            start = start[(member + Member.Length)..].TrimStart(" \t\r\n"u8);
            if (start.IsEmpty || start[0] != (byte)':')
            {
                number = 0;
                return false;
            }

            start = start[1..].TrimStart(" \t\r\n"u8);
        }

        return Utf8Parser.TryParse(start, out number, out _) && number >= 0;
    }
}
