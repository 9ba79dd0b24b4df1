using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Forwarding;

/// <summary>A client's connection that Kestrel serves, as a feature of it: where it came in, and from whom.</summary>
/// <param name="listenerId">Which listener accepted it.</param>
/// <param name="peer">The socket's, or the source in its PROXY protocol header.</param>
/// <param name="isTls">The client speaks TLS to this gateway.</param>
internal sealed class ClientConnection(int listenerId, in NativeAddress peer, bool isTls)
{
    public int ListenerId { get; } = listenerId;

    public NativeAddress Peer { get; } = peer;

    public bool IsTls { get; } = isTls;

    /// <summary>The certificate that the client has shown and proved, as <c>Client-Cert</c> tells it (RFC 9440): its DER in base64 between colons. Empty: none.</summary>
    public ReadOnlyMemory<byte> ClientCertificate { get; set; }

    /// <summary>Its hello offers TLS 1.3.</summary>
    public bool OffersTls13 { get; set; }

    /// <summary>Its TLS handshake has succeeded.</summary>
    public bool IsEstablished { get; set; }
}
