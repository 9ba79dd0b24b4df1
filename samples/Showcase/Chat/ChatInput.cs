using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Showcase.Chat;

/// <summary>Checks everything that comes from outside; the messages are meant for people.</summary>
internal static class ChatInput
{
    public static bool TryReadRoom(string? value, [NotNullWhen(true)] out string? room, [NotNullWhen(false)] out string? fault)
    {
        room = value?.Trim().ToLowerInvariant() is { Length: > 0 } given ? given : "lobby";
        fault = room.Length > ChatLimits.RoomLength || !room.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            ? $"room: at most {ChatLimits.RoomLength} letters, digits, '-' and '_', such as lobby"
            : null;
        return fault is null;
    }

    public static bool TryReadName(string? value, [NotNullWhen(true)] out string? name, [NotNullWhen(false)] out string? fault)
    {
        name = value?.Trim() ?? "";
        fault = name.Length is 0 or > ChatLimits.NameLength || !IsPrintable(name, newLines: false)
            ? $"name: 1 to {ChatLimits.NameLength} characters without control characters, such as Ana"
            : null;
        return fault is null;
    }

    /// <summary>Reads a client's message; <paramref name="fault"/> says what is wrong with it.</summary>
    public static bool TryReadSay(ReadOnlySpan<byte> json, [NotNullWhen(true)] out string? text, [NotNullWhen(false)] out string? fault)
    {
        text = null;
        ClientMessage? message;
        try
        {
            message = JsonSerializer.Deserialize(json, ChatJson.Default.ClientMessage);
        }
        catch (JsonException)
        {
            fault = "a message is a JSON object such as {\"type\":\"say\",\"text\":\"hello\"}";
            return false;
        }

        text = message?.Text?.Trim() ?? "";
        fault = message switch
        {
            { Type: not "say" } or null => "type: only \"say\" is known",
            _ when text.Length == 0 => "text: empty",
            _ when Encoding.UTF8.GetByteCount(text) > ChatLimits.TextBytes => $"text: at most {ChatLimits.TextBytes} bytes",
            _ when !IsPrintable(text, newLines: true) => "text: no control characters",
            _ => null,
        };
        return fault is null;
    }

    // Format characters (bidirectional overrides and the like) could make a name read as another; joiners are part of emoji and scripts.
    private static bool IsPrintable(string value, bool newLines) => value.EnumerateRunes().All(r =>
        r != Rune.ReplacementChar && Rune.GetUnicodeCategory(r) switch
        {
            UnicodeCategory.Control => newLines && r.Value is '\n' or '\t',
            UnicodeCategory.Format => r.Value is 0x200C or 0x200D,
            UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate => false,
            _ => true,
        });
}
