using System.Globalization;
using System.Net;

namespace Holdfast.Api.Configuration;

/// <summary>Where an endpoint listens.</summary>
/// <param name="Host">An IP address (IPv6 without brackets, in its shortest form) or a lower-case DNS name, with a dot at its end when no search domain applies.</param>
/// <param name="Port">1 to 65535.</param>
public sealed record EndpointAddress(string Host, int Port)
{
    /// <summary>The host as an address, or null when it is a DNS name.</summary>
    public IPAddress? Ip { get; } = IPAddress.TryParse(Host, out var ip) ? ip : null;

    /// <summary><c>host:port</c>, with brackets around IPv6.</summary>
    public override string ToString() =>
        Host.Contains(':', StringComparison.Ordinal)
            ? string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");
}
