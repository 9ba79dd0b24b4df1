using System.Globalization;
using System.Text.Json;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// GraphQL over WebSocket (github.com/enisdenjo/graphql-ws, PROTOCOL.md): one subscription under the id <c>feed</c>, and a mutation for each question.
/// Fatal is what the package's own client closes for: what cannot be parsed (4400), and anything but an acknowledgement as the first message; and
/// beyond it a second acknowledgement, which it overlooks, a message for an operation that was never asked for, and an end of the subscription.
/// </summary>
internal sealed class GraphqlDialect(int connection, string channel) : ClientDialect(connection)
{
    private bool _isAcknowledged;

    public override string? SubProtocol => "graphql-transport-ws";

    public override string? Channel => channel;

    public override bool IsReady => _isAcknowledged;

    public override ushort FatalCode => 4400;

    public override string Pong => """{"type":"pong"}""";

    public override IReadOnlyList<string> Greet()
    {
        _isAcknowledged = false;
        return ["""{"type":"connection_init"}"""];
    }

    public override IReadOnlyList<string> Prepare() =>
        [Subscribe("feed", "subscription($channel: String!) { clock(channel: $channel) { seq } }", $"\"channel\":\"{channel}\"")];

    // An id may be used again only when its operation has ended (PROTOCOL.md: 4409).
    public override string Question(int sequence, bool again, long micros) => Subscribe(
        string.Create(CultureInfo.InvariantCulture, $"{(again ? "again" : "order")}-{sequence}"),
        "mutation($conn: Int!, $n: Int!) { order(conn: $conn, n: $n) { stream counter took } }",
        string.Create(CultureInfo.InvariantCulture, $"\"conn\":{Connection},\"n\":{sequence}"));

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
            case "ping":
                return Heard.Ping;
            case "pong":
                return Heard.Nothing;
            case "connection_ack" when !_isAcknowledged:
                _isAcknowledged = true;
                return Heard.Nothing;
            case "next" when _isAcknowledged:
                return TakeNext(message, at);
            case "error" when _isAcknowledged && SequenceOf(message.GetProperty("id").GetString()) is { } sequence:
                Answer = new Answer(sequence, 0, 0, at, 0, IsError: true);
                return Heard.Answer;
            case "complete" when _isAcknowledged && SequenceOf(message.GetProperty("id").GetString()) is not null:
                return Heard.Nothing;
            default:
                return Heard.Fatal;
        }
    }

    private Heard TakeNext(JsonElement message, long at)
    {
        var data = message.GetProperty("payload").GetProperty("data");
        if (message.GetProperty("id").GetString() == "feed")
        {
            Tick = data.GetProperty("clock").GetProperty("seq").GetInt64();
            return Heard.Tick;
        }

        if (SequenceOf(message.GetProperty("id").GetString()) is not { } sequence)
            return Heard.Fatal;
        var order = data.GetProperty("order");
        Answer = new Answer(sequence, order.GetProperty("stream").GetInt64(), order.GetProperty("counter").GetInt64(), at, order.GetProperty("took").GetInt64());
        return Heard.Answer;
    }

    private static string Subscribe(string id, string query, string variables) =>
        "{\"id\":\"" + id + "\",\"type\":\"subscribe\",\"payload\":{\"query\":\"" + query + "\",\"variables\":{" + variables + "}}}";

    private static int? SequenceOf(string? id)
    {
        var dash = id?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        return dash > 0 && id![..dash] is "order" or "again" && int.TryParse(id.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var sequence)
            ? sequence
            : null;
    }
}
