using System.Text;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Buffers;

namespace Holdfast.Gateway.Listeners;

/// <summary>The answers that the gateway itself gives before an upgrade. Each says in one line of plain text what is wrong.</summary>
internal static class Refusals
{
    /// <summary>Seconds in Retry-After where trying again can help.</summary>
    private const int RetryAfter = 1;

    /// <summary>Replaces what the buffer holds; the status that the refusal carries.</summary>
    public static int Write(ByteBuffer response, HandshakeOutcome outcome, string detail)
    {
        var (status, reason, extra) = outcome switch
        {
            HandshakeOutcome.BadRequest => (400, "Bad Request", ""),
            HandshakeOutcome.NoRoute => (404, "Not Found", ""),
            HandshakeOutcome.HeadTimeout => (408, "Request Timeout", ""),
            HandshakeOutcome.BadVersion => (426, "Upgrade Required", "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"),
            HandshakeOutcome.HeadTooLarge => (431, "Request Header Fields Too Large", ""),
            HandshakeOutcome.NoBackend or HandshakeOutcome.InternalError => (500, "Internal Server Error", ""),
            HandshakeOutcome.EndpointFailed or HandshakeOutcome.NotUpgraded => (502, "Bad Gateway", ""),
            HandshakeOutcome.NoEndpoint or HandshakeOutcome.GatewayFull or HandshakeOutcome.Shutdown =>
                (503, "Service Unavailable", FormattableString.Invariant($"Retry-After: {RetryAfter}\r\n")),
            HandshakeOutcome.EndpointTimeout => (504, "Gateway Timeout", ""),
            _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "No refusal of the gateway's."),
        };
        var connection = status == 426 ? "upgrade, close" : "close";
        response.Clear();
        response.Append(Encoding.ASCII.GetBytes(FormattableString.Invariant(
            $"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {detail.Length + 1}\r\nConnection: {connection}\r\n{extra}\r\n{detail}\n")));
        return status;
    }

    /// <summary>Why nobody could be picked.</summary>
    public static string DescribeNone(BackendState backend) => backend.FailsEveryCheck
        ? "Every endpoint of the backend fails its health check."
        : "No endpoint of the backend is ready.";

    public static string Describe(HeadFault fault) => fault switch
    {
        HeadFault.ControlByte => "A control byte, or a line not ended by CR LF, in the request head.",
        HeadFault.Target => "The request target is malformed, or its authority is not Host's.",
        HeadFault.HeaderName => "A header name has a character that is not allowed.",
        HeadFault.Host => "There must be exactly one valid Host header.",
        HeadFault.ContentLength => "There must be at most one Content-Length, of digits only.",
        HeadFault.TransferEncoding => "Transfer-Encoding must be a single chunked, in HTTP/1.1, without Content-Length.",
        HeadFault.TooManyHeaders => "Too many header lines.",
        _ => "The request head is malformed.",
    };
}
