using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>Feeds whoever has subscribed, from where it asks, and takes orders.</summary>
internal sealed class JsonSocket(WebSocket socket, long stream, ReplicaApp app) : ReplicaSocket(socket, stream, app)
{
    /// <summary>A feed keeps so many messages.</summary>
    private const int History = 1000;

    private bool _isFeeding;

    protected override void Take(ReadOnlySpan<byte> message)
    {
        try
        {
            var reader = new Utf8JsonReader(message);
            using var document = JsonDocument.ParseValue(ref reader);
            Take(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            // No message of this protocol.
        }
    }

    protected override string AnswerText(int connection, int sequence, long counter, long took) => string.Create(
        CultureInfo.InvariantCulture, $$"""{"type":"ordered","conn":{{connection}},"n":{{sequence}},"stream":{{Stream}},"counter":{{counter}},"took":{{took}}}""");

    private void Take(JsonElement message)
    {
        switch (message.GetProperty("op").GetString())
        {
            case "subscribe" when !_isFeeding && message.GetProperty("channel").GetString() is { } channel && FeedClock.Of(channel) is { } feed:
                _isFeeding = true;
                _ = FeedAsync(channel, feed, message.TryGetProperty("since", out var since) ? since.GetInt64() : null);
                break;
            case "order":
                Answer(message.GetProperty("conn").GetInt32(), message.GetProperty("n").GetInt32());
                break;
            default:
                break;
        }
    }

    private async Task FeedAsync(string channel, FeedClock feed, long? since)
    {
        try
        {
            await SayAsync($$"""{"type":"subscribed","channel":"{{channel}}"}""");
            var current = feed.SequenceAt(App.Clock.Now);
            for (var sequence = Math.Max((since ?? current) + 1, current + 1 - History); ; sequence++)
            {
                while (feed.DueOf(sequence) - App.Clock.Now is > 0 and var wait)
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(1, wait / 1000.0)), App.Time, Over);
                await SayAsync(string.Create(
                    CultureInfo.InvariantCulture, $$"""{"type":"tick","channel":"{{channel}}","seq":{{sequence}},"at":{{App.Clock.Now}}}"""));
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The connection has ended.
        }
    }
}
