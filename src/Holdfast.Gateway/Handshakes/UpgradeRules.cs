using System.Text;
using Holdfast.Gateway.Listeners;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Handshakes;

/// <summary>What makes a good opening handshake on either side (RFC 6455 4.2.1, 4.2.2 and DESIGN section 3.2).</summary>
internal static class UpgradeRules
{
    /// <summary>Null when the request may be upgraded, else what is wrong with it.</summary>
    public static string? Check(RequestHead head, out HandshakeOutcome outcome)
    {
        outcome = HandshakeOutcome.BadRequest;
        if (!head.Method.SequenceEqual("GET"u8))
            return "A WebSocket handshake is a GET request.";
        if (!head.IsHttp11)
            return "A WebSocket handshake needs HTTP/1.1.";
        if (head.IsChunked || head.ContentLength > 0)
            return "A WebSocket handshake has no body.";
        if (head.Count("sec-websocket-version"u8) != 1 || !head.TryGet("sec-websocket-version"u8, out var version) || !version.SequenceEqual("13"u8))
        {
            outcome = HandshakeOutcome.BadVersion;
            return "Only version 13 of the WebSocket protocol is spoken here.";
        }

        if (head.Count("sec-websocket-key"u8) != 1 || !head.TryGet("sec-websocket-key"u8, out var key) || !AcceptKey.IsValidKey(key))
            return "There must be one Sec-WebSocket-Key, of 16 bytes in base64.";
        return null;
    }

    /// <summary>Whether a 101 keeps every promise: upgrade named, key proved, at most one sub-protocol and that an offered one.</summary>
    /// <param name="offeredProtocols">As one comma list; null: none.</param>
    public static bool IsAcceptable(in ResponseHead response, ReadOnlySpan<byte> expectedAccept, byte[]? offeredProtocols)
    {
        if (!IsSwitched(in response, expectedAccept))
            return false;
        return response.Count(ResponseHeader.SecWebSocketProtocol) switch
        {
            0 => true,
            1 => offeredProtocols is not null && Offers(offeredProtocols, response.First(ResponseHeader.SecWebSocketProtocol)),
            _ => false,
        };
    }

    /// <summary>Whether a 101 names the upgrade and proves the key.</summary>
    public static bool IsSwitched(in ResponseHead response, ReadOnlySpan<byte> expectedAccept) =>
        response.IsHttp11 && response.Lists(ResponseHeader.Upgrade, "websocket"u8) && response.Lists(ResponseHeader.Connection, "upgrade"u8)
        && response.Count(ResponseHeader.SecWebSocketAccept) == 1
        && response.First(ResponseHeader.SecWebSocketAccept).SequenceEqual(expectedAccept);

    /// <summary>A number for the accepted sub-protocol, equal for equal names; 0: none. Nothing rests on its being hard to forge: the endpoint is ours.</summary>
    public static ulong SubProtocolOf(in ResponseHead response)
    {
        if (response.Count(ResponseHeader.SecWebSocketProtocol) == 0)
            return 0;
        var hash = 14695981039346656037ul;
        foreach (var b in response.First(ResponseHeader.SecWebSocketProtocol))
            hash = (hash ^ b) * 1099511628211ul;
        return hash | 1;
    }

    /// <summary>How reserved bits are judged, by all the extensions that the 101 accepted.</summary>
    public static ReservedBits ReservedBitsOf(in ResponseHead response)
    {
        var judged = ReservedBits.Refused;
        foreach (var line in response)
        {
            if (!HeadRules.NameEquals(line.Name, "sec-websocket-extensions"u8))
                continue;
            var bits = Extensions.Judge(line.Value);
            judged = (ReservedBits)Math.Max((byte)judged, (byte)bits);
        }

        return judged;
    }

    public static byte[]? OfferedProtocols(RequestHead head)
    {
        StringBuilder? offered = null;
        for (var i = 0; i < head.HeaderCount; i++)
        {
            if (HeadRules.NameEquals(head.Name(i), "sec-websocket-protocol"u8))
                (offered ??= new StringBuilder()).Append(Encoding.Latin1.GetString(head.Value(i))).Append(',');
        }

        return offered is null ? null : Encoding.Latin1.GetBytes(offered.ToString());
    }

    /// <summary>Sub-protocol names are compared with their case (RFC 6455 4.1).</summary>
    private static bool Offers(ReadOnlySpan<byte> offered, ReadOnlySpan<byte> chosen)
    {
        while (!offered.IsEmpty)
        {
            var comma = offered.IndexOf((byte)',');
            var element = comma < 0 ? offered : offered[..comma];
            offered = comma < 0 ? default : offered[(comma + 1)..];
            if (element.Trim(" \t"u8).SequenceEqual(chosen))
                return true;
        }

        return false;
    }
}
