using System.Globalization;
using System.Text;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Buffers;

namespace Holdfast.Gateway.Listeners;

/// <summary>
/// The answers that the gateway itself gives before an upgrade. Each says what is wrong: in one line of plain text, or, where a client that means well should come back
/// later, as JSON with the time after which it should.
/// </summary>
internal static class Refusals
{
    /// <summary>Replaces what the buffer holds; the status that the refusal carries.</summary>
    /// <param name="retryAfter">Seconds, where trying again can help.</param>
    public static int Write(ByteBuffer response, HandshakeOutcome outcome, string detail, int retryAfter = 1)
    {
        response.Clear();
        if (outcome == HandshakeOutcome.BadProxyHeader)
            return 0;       // Whoever is there does not speak as it should: nothing that is answered could be meant for it.
        var (status, reason) = outcome switch
        {
            HandshakeOutcome.BadRequest => (400, "Bad Request"),
            HandshakeOutcome.OriginRefused => (403, "Forbidden"),
            HandshakeOutcome.NoRoute => (404, "Not Found"),
            HandshakeOutcome.HeadTimeout => (408, "Request Timeout"),
            HandshakeOutcome.BadVersion => (426, "Upgrade Required"),
            HandshakeOutcome.ClientAddressLimit or HandshakeOutcome.KeyLimit => (429, "Too Many Requests"),
            HandshakeOutcome.HeadTooLarge => (431, "Request Header Fields Too Large"),
            HandshakeOutcome.NoBackend or HandshakeOutcome.InternalError => (500, "Internal Server Error"),
            HandshakeOutcome.EndpointFailed or HandshakeOutcome.NotUpgraded => (502, "Bad Gateway"),
            HandshakeOutcome.NoEndpoint or HandshakeOutcome.GatewayFull or HandshakeOutcome.Shutdown or HandshakeOutcome.BackendFull
                or HandshakeOutcome.QueueFull or HandshakeOutcome.QueueTimeout or HandshakeOutcome.AuthFailed => (503, "Service Unavailable"),
            HandshakeOutcome.EndpointTimeout => (504, "Gateway Timeout"),
            _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "No refusal of the gateway's."),
        };
        var isJson = outcome is >= HandshakeOutcome.ClientAddressLimit and <= HandshakeOutcome.QueueTimeout;
        var type = isJson ? "application/json" : "text/plain; charset=utf-8";
        var body = isJson ? BodyOf(outcome, detail, retryAfter) : detail + "\n";
        var extra = status switch
        {
            426 => "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n",
            429 or 503 => string.Create(CultureInfo.InvariantCulture, $"Retry-After: {retryAfter}\r\n"),
            _ => "",
        };
        var connection = status == 426 ? "upgrade, close" : "close";
        response.Append(Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status} {reason}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nConnection: {connection}\r\n{extra}\r\n{body}")));
        return status;
    }

    /// <summary>Replaces what the buffer holds. A browser follows for pages, none for a WebSocket: the address is for clients that do.</summary>
    public static void WriteRedirect(ByteBuffer response, int status, string location)
    {
        var reason = status switch
        {
            301 => "Moved Permanently",
            302 => "Found",
            303 => "See Other",
            307 => "Temporary Redirect",
            _ => "Permanent Redirect",
        };
        response.Clear();
        response.Append(Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"HTTP/1.1 {status} {reason}\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")));
    }

    /// <summary>Why nobody could be picked.</summary>
    public static string DescribeNone(BackendState backend) => backend.FailsEveryCheck
        ? "Every endpoint of the backend fails its health check."
        : "No endpoint of the backend is ready.";

    public static HandshakeOutcome OutcomeOf(HeadFault fault) => StatusOf(fault) == 431 ? HandshakeOutcome.HeadTooLarge : HandshakeOutcome.BadRequest;

    public static int StatusOf(HeadFault fault) => fault is HeadFault.TooManyHeaders or HeadFault.TooLarge ? 431 : 400;

    public static string Describe(HeadFault fault) => fault switch
    {
        HeadFault.ControlByte => "A control byte, or a line not ended by CR LF, in the request head.",
        HeadFault.Target => "The request target is malformed, or its authority is not Host's.",
        HeadFault.HeaderName => "A header name has a character that is not allowed.",
        HeadFault.Host => "There must be exactly one valid Host header.",
        HeadFault.ContentLength => "There must be at most one Content-Length, of digits only.",
        HeadFault.TransferEncoding => "Transfer-Encoding must be a single chunked, in HTTP/1.1, without Content-Length.",
        HeadFault.TooManyHeaders => "Too many header lines.",
        HeadFault.TooLarge => "The request head is over 32 KiB.",
        _ => "The request head is malformed.",
    };

    /// <summary>The details are the gateway's own words: nothing in them needs escaping.</summary>
    private static string BodyOf(HandshakeOutcome outcome, string detail, int retryAfter) => string.Create(
        CultureInfo.InvariantCulture, $"{{\"error\":\"{TelemetryNames.Of(outcome)}\",\"message\":\"{detail}\",\"retryAfter\":{retryAfter}}}\n");
}
