using System.Buffers;
using System.Text.Json;

namespace Holdfast.Wire.Sessions.GraphQl;

internal enum GraphQlMessageType : byte
{
    /// <summary>No message of the protocol, or not to be read.</summary>
    Unknown = 0,
    ConnectionInit,
    ConnectionAck,
    Ping,
    Pong,
    Subscribe,
    Next,
    Error,
    Complete,
}

/// <summary>
/// The members of a message that decide its way. Of a member that comes twice the last counts, as in JavaScript. Of a message that is not whole, what its start tells.
/// </summary>
internal readonly ref struct GraphQlMessage
{
    private readonly ReadOnlySpan<byte> _rawId;
    private readonly ReadOnlySpan<byte> _payload;

    private GraphQlMessage(GraphQlMessageType type, bool hasId, ReadOnlySpan<byte> rawId, ReadOnlySpan<byte> payload)
    {
        Type = type;
        HasId = hasId;
        _rawId = rawId;
        _payload = payload;
    }

    public GraphQlMessageType Type { get; }

    /// <summary>There is an id, and it is a string that is not empty.</summary>
    public bool HasId { get; }

    /// <summary>The most bytes that <see cref="ReadId"/> writes.</summary>
    public int IdLengthAtMost => _rawId.Length;

    /// <summary>As it stands in the message; empty when there is none or it is null.</summary>
    public ReadOnlySpan<byte> Payload => _payload.SequenceEqual("null"u8) ? default : _payload;

    /// <summary>An object, or none: what the protocol allows in a ping.</summary>
    public bool HasPlainPayload => Payload.IsEmpty || Payload[0] == '{';

    public int ReadId(Span<byte> id) => JsonText.Unescape(_rawId, id);

    public static GraphQlMessage Read(in SessionMessage message)
    {
        var type = GraphQlMessageType.Unknown;
        ReadOnlySpan<byte> rawId = default;
        ReadOnlySpan<byte> payload = default;
        try
        {
            var reader = new Utf8JsonReader(message.Payload, message.IsWhole, new JsonReaderState(JsonText.ReaderOptions));
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isType = JsonText.IsText(reader, "type"u8);
                var isId = JsonText.IsText(reader, "id"u8);
                var isPayload = JsonText.IsText(reader, "payload"u8);
                if (!reader.Read())
                    break;
                var isString = reader.TokenType == JsonTokenType.String;
                var text = reader.ValueSpan;
                var start = (int)reader.TokenStartIndex;
                if (isType)
                    type = isString ? TypeOf(text) : GraphQlMessageType.Unknown;
                if (isId)
                    rawId = isString ? text : default;
                if (!reader.TrySkip())
                    break;
                if (isPayload)
                    payload = message.Payload[start..(int)reader.BytesConsumed];
            }

            // Behind the object there may be white space only, else it is no JSON; the reader tells that by throwing.
            if (message.IsWhole)
                reader.Read();
        }
        catch (JsonException)
        {
            return default;
        }

        return new GraphQlMessage(type, !rawId.IsEmpty, rawId, payload);
    }

    /// <summary>What a whole subscribe message asks for.</summary>
    public OperationKind ReadOperation()
    {
        if (_payload.IsEmpty || _payload[0] != '{')
            return OperationKind.Unknown;
        ReadOnlySpan<byte> query = default;
        ReadOnlySpan<byte> operationName = default;
        var reader = new Utf8JsonReader(_payload, isFinalBlock: true, new JsonReaderState(JsonText.ReaderOptions));
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isQuery = JsonText.IsText(reader, "query"u8);
            var isName = JsonText.IsText(reader, "operationName"u8);
            reader.Read();
            var isString = reader.TokenType == JsonTokenType.String;
            if (isQuery)
                query = isString ? reader.ValueSpan : default;
            if (isName && !isString && reader.TokenType != JsonTokenType.Null)
                return OperationKind.Unknown;
            if (isName)
                operationName = isString ? reader.ValueSpan : default;
            reader.Skip();
        }

        if (query.IsEmpty)
            return OperationKind.Unknown;
        var scratch = ArrayPool<byte>.Shared.Rent(query.Length + operationName.Length);
        var document = scratch.AsSpan(0, JsonText.Unescape(query, scratch));
        var name = scratch.AsSpan(document.Length);
        var kind = GraphQlDocument.KindOf(document, name[..JsonText.Unescape(operationName, name)]);
        ArrayPool<byte>.Shared.Return(scratch);
        return kind;
    }

    private static GraphQlMessageType TypeOf(ReadOnlySpan<byte> raw)
    {
        Span<byte> text = stackalloc byte[128];
        if (raw.Length > text.Length)
            return GraphQlMessageType.Unknown;
        text = text[..JsonText.Unescape(raw, text)];
        if (text.SequenceEqual("next"u8))
            return GraphQlMessageType.Next;
        if (text.SequenceEqual("subscribe"u8))
            return GraphQlMessageType.Subscribe;
        if (text.SequenceEqual("complete"u8))
            return GraphQlMessageType.Complete;
        if (text.SequenceEqual("error"u8))
            return GraphQlMessageType.Error;
        if (text.SequenceEqual("ping"u8))
            return GraphQlMessageType.Ping;
        if (text.SequenceEqual("pong"u8))
            return GraphQlMessageType.Pong;
        if (text.SequenceEqual("connection_init"u8))
            return GraphQlMessageType.ConnectionInit;
        return text.SequenceEqual("connection_ack"u8) ? GraphQlMessageType.ConnectionAck : GraphQlMessageType.Unknown;
    }
}
