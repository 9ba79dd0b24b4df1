using System.Security.Cryptography;
using System.Text;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Forwarding;

/// <summary>
/// Writes an HTTP/2 request as an HTTP/1.1 head, the form in which endpoints get it, and has it judged like one. Whatever could be read otherwise in that form than it was meant
/// in the other is refused (RFC 9113 8.2, 8.3 and 10.3).
/// </summary>
internal static class Http2Head
{
    /// <summary>Longer parts of a head are not even looked at.</summary>
    private const int MaxHead = UpgradeHeads.MaxHead;

    public static HeadFault Parse(RequestHead head, IFeatureCollection features)
    {
        var output = new ByteBuffer();
        var fault = Write(output, features);
        if (fault == HeadFault.None && output.Length > MaxHead)
            fault = HeadFault.TooLarge;
        // A refused one is parsed too, so that nothing of an earlier request is left in it.
        var judged = head.Parse(fault == HeadFault.None ? output.Bytes : "\r\n\r\n"u8);
        return fault != HeadFault.None ? fault : judged;
    }

    private static HeadFault Write(ByteBuffer output, IFeatureCollection features)
    {
        var request = features.Get<IHttpRequestFeature>()!;
        var isUpgrade = features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: "websocket" };
        if (!TryAppend(output, isUpgrade ? "GET" : request.Method, out var method) || !HeadRules.IsToken(method))
            return HeadFault.Malformed;
        output.Append((byte)' ');
        // Kestrel has taken :path for it. A whole URI in its place would name an authority of its own.
        if (!TryAppend(output, request.RawTarget, out var target) || !HeadRules.IsRequestTarget(target) || target[0] is not ((byte)'/' or (byte)'*'))
            return HeadFault.Target;
        output.Append(" HTTP/1.1\r\n"u8);

        var hasLength = false;
        foreach (var (name, values) in request.Headers)
        {
            if (output.Length > MaxHead)
                return HeadFault.TooLarge;
            if (IsConnectionSpecific(name))
                return HeadFault.HeaderName;
            if (isUpgrade && (Is(name, "sec-websocket-key") || Is(name, "content-length")))
                continue;
            hasLength |= Is(name, "content-length");
            // A cookie may come in crumbs, which make one line (RFC 9113 8.2.3).
            var isCookie = Is(name, "cookie");
            for (var i = 0; i < values.Count; i++)
            {
                if (Is(name, "te") && !Is(values[i], "trailers"))
                    return HeadFault.Malformed;
                if (isCookie && i > 0)
                {
                    output.Append("; "u8);
                }
                else
                {
                    if (!TryAppend(output, name, out var written) || !HeadRules.IsToken(written))
                        return HeadFault.HeaderName;
                    output.Append(": "u8);
                }

                if (!TryAppend(output, values[i] ?? "", out var value) || !HeadRules.IsFieldValue(value))
                    return HeadFault.ControlByte;
                if (!isCookie || i == values.Count - 1)
                    output.Append("\r\n"u8);
            }
        }

        if (isUpgrade)
            AppendUpgrade(output);
        else if (!hasLength && features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true)
            output.Append("Transfer-Encoding: chunked\r\n"u8);
        output.Append("\r\n"u8);
        return HeadFault.None;
    }

    /// <summary>What an extended CONNECT has no need of (RFC 8441 5), and an endpoint must see.</summary>
    private static void AppendUpgrade(ByteBuffer output)
    {
        Span<byte> key = stackalloc byte[16];
        RandomNumberGenerator.Fill(key);
        output.Append("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "u8);
        System.Buffers.Text.Base64.EncodeToUtf8(key, output.Reserve(24), out _, out var written);
        output.Advance(written);
        output.Append("\r\n"u8);
    }

    /// <summary>Headers that HTTP/2 has no place for (RFC 9113 8.2.2): in the other form they would frame the message or the connection.</summary>
    private static bool IsConnectionSpecific(string name) => name.Length switch
    {
        7 => Is(name, "upgrade"),
        10 => Is(name, "connection") || Is(name, "keep-alive"),
        14 => Is(name, "http2-settings"),
        16 => Is(name, "proxy-connection"),
        17 => Is(name, "transfer-encoding"),
        _ => name.StartsWith(':'),
    };

    private static bool Is(string? text, string other) => string.Equals(text, other, StringComparison.OrdinalIgnoreCase);

    /// <summary>Bytes as they came: Kestrel decodes them as Latin-1. False: there is a character that no byte gives.</summary>
    private static bool TryAppend(ByteBuffer output, string text, out ReadOnlySpan<byte> written)
    {
        var to = output.Reserve(text.Length);
        written = default;
        if (text.AsSpan().ContainsAnyExceptInRange('\0', '\xFF'))
            return false;
        var count = Encoding.Latin1.GetBytes(text, to);
        written = to[..count];
        output.Advance(count);
        return true;
    }
}
