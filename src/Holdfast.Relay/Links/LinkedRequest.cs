using Holdfast.Relay.Interop;

namespace Holdfast.Relay.Links;

/// <summary>A WebSocket handshake's request that was read elsewhere, with what is known of its connection.</summary>
public sealed class LinkedRequest
{
    /// <summary>The loop's end of the pair; the loop's from here on, whatever comes of the handshake.</summary>
    public required int Fd { get; init; }

    public required SocketLink Link { get; init; }

    /// <summary>Who holds the other end of the real connection, or the source that a PROXY protocol header gave.</summary>
    public required NativeAddress Peer { get; init; }

    public required int ListenerId { get; init; }

    /// <summary>The client speaks TLS to this gateway.</summary>
    public required bool IsSecure { get; init; }

    /// <summary>The real connection is counted already where connections of its listener are (an HTTP/1.1 one; an HTTP/2 stream is not).</summary>
    public required bool IsCounted { get; init; }

    /// <summary>What the endpoint is told of the certificate that the client has shown and proved; empty: none.</summary>
    public ReadOnlyMemory<byte> ClientCertificate { get; init; }

    /// <summary>A whole request head in HTTP/1.1's form, its empty line included. Not written any more.</summary>
    public required byte[] Head { get; init; }
}
