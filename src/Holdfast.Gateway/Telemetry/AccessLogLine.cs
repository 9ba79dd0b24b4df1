using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Telemetry;

/// <summary>An access log record as one JSON object. Field names are a contract: users script against them.</summary>
internal static class AccessLogLine
{
    /// <summary>Not for HTML: only what JSON itself demands is escaped.</summary>
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static void Write(Utf8JsonWriter json, in AccessRecord record)
    {
        Span<byte> text = stackalloc byte[64];
        json.WriteStartObject();
        new DateTime(record.TimeTicks, DateTimeKind.Utc).TryFormat(text, out var length, UtcTime.Format, CultureInfo.InvariantCulture);
        json.WriteString("time"u8, text[..length]);
        json.WriteString("event"u8, record.IsRequest ? "request"u8 : record.IsHandshake ? "handshake"u8 : "connection"u8);
        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(id, record.End.Id);
        _ = Convert.TryToHexStringLower(id, text, out length);
        json.WriteString("id"u8, text[..length]);
        json.WriteString("client"u8, record.End.Client.ToString());
        json.WriteString("backend"u8, record.Backend?.Name ?? "");
        json.WriteString("endpoint"u8, record.Endpoint?.Address.ToString() ?? "");
        WritePath(json, PathText.Bytes(in record.End.Path));
        if (record.IsRequest)
        {
            json.WriteString("method"u8, record.Method.ToString());
            json.WriteString("outcome"u8, TelemetryNames.Of(record.RequestOutcome));
            json.WriteNumber("status"u8, record.Status);
            json.WriteNumber("attempts"u8, record.Attempts);
            json.WriteNumber("durationMs"u8, record.End.DurationMs);
            json.WriteNumber("bytesFromClient"u8, record.End.BytesFromClient);
            json.WriteNumber("bytesFromEndpoint"u8, record.End.BytesFromEndpoint);
        }
        else if (record.IsHandshake)
        {
            json.WriteString("outcome"u8, TelemetryNames.Of(record.Outcome));
            json.WriteNumber("status"u8, record.Status);
            json.WriteNumber("attempts"u8, record.Attempts);
            json.WriteNumber("handshakeMs"u8, record.End.HandshakeMs);
        }
        else
        {
            json.WriteString("reason"u8, TelemetryNames.Of(record.End.Reason));
            json.WriteString("side"u8, TelemetryNames.Of(record.End.Side));
            json.WriteNumber("closeCode"u8, record.End.CloseCode);
            json.WriteNumber("handshakeMs"u8, record.End.HandshakeMs);
            json.WriteNumber("durationMs"u8, record.End.DurationMs);
            json.WriteNumber("bytesFromClient"u8, record.End.BytesFromClient);
            json.WriteNumber("bytesFromEndpoint"u8, record.End.BytesFromEndpoint);
            json.WriteNumber("messagesFromClient"u8, record.End.MessagesFromClient);
            json.WriteNumber("messagesFromEndpoint"u8, record.End.MessagesFromEndpoint);
            if (IsHeld(in record))
            {
                json.WriteNumber("rehomes"u8, record.End.Rehomes);
                json.WriteNumber("unknown"u8, record.End.Unknown);
            }
        }

        json.WriteEndObject();
    }

    /// <summary>Of a backend that may no longer be held, too, when it was: a number that is not 0 is never left out.</summary>
    private static bool IsHeld(in AccessRecord record) =>
        record.End.Rehomes > 0 || record.End.Unknown > 0 || record.Backend?.Options.Hold.Protocol is not (null or HoldProtocol.None);

    private static void WritePath(Utf8JsonWriter json, ReadOnlySpan<byte> path)
    {
        if (Utf8.IsValid(path))
        {
            json.WriteString("path"u8, path);
            return;
        }

        Span<char> text = stackalloc char[path.Length];
        json.WriteString("path"u8, text[..Encoding.UTF8.GetChars(path, text)]);
    }
}
