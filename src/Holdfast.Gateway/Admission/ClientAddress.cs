using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Proxy;

namespace Holdfast.Gateway.Admission;

/// <summary>
/// Who the client is, by what trusted proxies say: the last address of the chain that is no trusted proxy's; of a chain of trusted ones, or up to an element that names
/// no address, the one furthest left. What stands left of it was written by somebody who is not trusted, and is not looked at. Thread-safe.
/// </summary>
/// <remarks>
/// X-Forwarded-For wins over Forwarded where a request has both. A proxy maintains one of them and passes the other on as the client sent it; nearly all maintain
/// X-Forwarded-For. One that maintains Forwarded has to remove the client's X-Forwarded-For (docs/threat-model.md).
/// </remarks>
internal static class ClientAddress
{
    /// <param name="headers">All lines of a name count, in order, as one list.</param>
    /// <param name="isTrusted">Whether the peer is a trusted proxy, whose other X-Forwarded-* headers are believed too.</param>
    public static NativeAddress Of(in NativeAddress peer, IHeaderLookup headers, TrustedProxies trusted, out bool isTrusted)
    {
        isTrusted = trusted.Contains(peer);
        if (!isTrusted)
            return peer;
        var lines = headers.Count("x-forwarded-for"u8);
        return lines > 0
            ? Walk(peer, headers, "x-forwarded-for"u8, lines, ChainSyntax.ForwardedFor, trusted)
            : Walk(peer, headers, "forwarded"u8, headers.Count("forwarded"u8), ChainSyntax.Forwarded, trusted);
    }

    private static NativeAddress Walk(
        in NativeAddress peer, IHeaderLookup headers, ReadOnlySpan<byte> name, int lines, ChainSyntax syntax, TrustedProxies trusted)
    {
        var client = peer;
        for (var line = lines - 1; line >= 0 && headers.TryGet(name, line, out var list); line--)
        {
            for (var hasMore = true; hasMore;)
            {
                if (!AddressChain.TryTakeLast(ref list, syntax, out var bits, out var port, out hasMore))
                    return client;
                client = NativeAddress.From(bits, port);
                if (!trusted.Contains(client))
                    return client;
            }
        }

        return client;
    }
}
