using System.Net;

namespace Holdfast.Api.Configuration;

/// <summary>An address and port the gateway accepts clients on.</summary>
public sealed record ListenerOptions
{
    /// <summary>Unique among listeners; letters, digits, '-', '_' and '.', at most 63. Appears in logs and metrics.</summary>
    public required string Name { get; init; }

    /// <summary>IP address and port, 1 to 65535; 0 asks the kernel for a free port.</summary>
    public required IPEndPoint Address { get; init; }

    /// <summary>Null: plain HTTP.</summary>
    public ListenerTlsOptions? Tls { get; init; }

    public ListenerLimits Limits { get; init; } = new();

    /// <summary>
    /// Every connection begins with a PROXY protocol header, version 1 or 2 (HAProxy's proxy-protocol.txt), whose source counts as the peer. Where
    /// <see cref="TrustedProxies"/> are named, only they may connect. Default false.
    /// </summary>
    public bool ProxyProtocol { get; init; }

    /// <summary>
    /// Peers whose X-Forwarded-* and Forwarded headers are believed. Default: none, so that no client can forge its address (as nginx
    /// <c>set_real_ip_from</c> and Kestrel's forwarded headers, both off until networks are named).
    /// </summary>
    public IReadOnlyList<IPNetwork> TrustedProxies { get; init; } = [];
}

/// <summary>Limits of one listener.</summary>
public sealed record ListenerLimits
{
    /// <summary>Connections open at once; 0, the default, means only the file limit bounds them (as Kestrel's MaxConcurrentConnections).</summary>
    public int Connections { get; init; }
}
