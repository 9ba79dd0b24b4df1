using System.Globalization;
using System.Text.Json;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// A feed as of market data: <c>{"op":"subscribe","channel":…,"since":…}</c>, which a client that comes back gives the last number it has seen, so that
/// nothing is missed; and orders, answered by <c>{"type":"ordered",…}</c>.
/// </summary>
internal sealed class JsonDialect(int connection, string channel) : ClientDialect(connection)
{
    private long _lastSeen = -1;
    private bool _isSubscribed;

    public override string? Channel => channel;

    public override bool IsReady => _isSubscribed;

    public override IReadOnlyList<string> Greet()
    {
        _isSubscribed = false;
        return [_lastSeen < 0
            ? $$"""{"op":"subscribe","channel":"{{channel}}"}"""
            : string.Create(CultureInfo.InvariantCulture, $$"""{"op":"subscribe","channel":"{{channel}}","since":{{_lastSeen}}}""")];
    }

    public override string Question(int sequence, bool again, long micros) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"op":"order","conn":{{Connection}},"n":{{sequence}},"at":{{micros}}}""");

    public override Heard Take(ReadOnlySpan<byte> message, long at)
    {
        try
        {
            var reader = new Utf8JsonReader(message);
            using var document = JsonDocument.ParseValue(ref reader);
            return Take(document.RootElement, at);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return Heard.Fatal;
        }
    }

    private Heard Take(JsonElement message, long at)
    {
        switch (message.GetProperty("type").GetString())
        {
            case "subscribed" when !_isSubscribed && message.GetProperty("channel").GetString() == channel:
                _isSubscribed = true;
                return Heard.Nothing;
            case "tick" when _isSubscribed && message.GetProperty("channel").GetString() == channel:
                Tick = message.GetProperty("seq").GetInt64();
                _lastSeen = Math.Max(_lastSeen, Tick);
                return Heard.Tick;
            case "ordered" when message.GetProperty("conn").GetInt32() == Connection:
                Answer = new Answer(
                    message.GetProperty("n").GetInt32(), message.GetProperty("stream").GetInt64(), message.GetProperty("counter").GetInt64(), at,
                    message.GetProperty("took").GetInt64());
                return Heard.Answer;
            default:
                // A reply too many included: the client has asked once.
                return Heard.Fatal;
        }
    }
}
