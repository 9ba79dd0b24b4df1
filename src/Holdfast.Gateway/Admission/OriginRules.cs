using System.Net;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Wire.Http1;
using Holdfast.Wire.Proxy;

namespace Holdfast.Gateway.Admission;

/// <summary>
/// Which sites' pages may open WebSockets on a route (<see cref="RouteOptions.Origins"/>): browsers send <c>Origin</c> and no page can change it, so this is what keeps
/// other sites from using a visitor's cookies (cross-site WebSocket hijacking). Immutable, thread-safe; asking allocates nothing.
/// </summary>
internal sealed class OriginRules
{
    private readonly Pattern[] _patterns;
    private readonly bool _isAny;
    private readonly bool _isNull;

    private OriginRules(IReadOnlyList<OriginPattern> patterns)
    {
        _isAny = patterns.Any(static p => p.IsAny);
        _isNull = patterns.Any(static p => p.IsNull);
        _patterns = [.. patterns.Where(static p => !p.IsAny && !p.IsNull).Select(static p => new Pattern(p))];
        IsSameHost = patterns.Count == 0;
    }

    /// <summary>Nothing is listed: the request's own host is all that may be named.</summary>
    public bool IsSameHost { get; }

    /// <param name="origins">Valid entries; empty: the same host name.</param>
    public static OriginRules Compile(IReadOnlyList<string> origins)
    {
        var patterns = new List<OriginPattern>(origins.Count);
        foreach (var origin in origins)
        {
            if (!OriginPattern.TryParse(origin, out var pattern, out var problem))
                throw new ArgumentException(problem, nameof(origins));
            patterns.Add(pattern);
        }

        return new OriginRules(patterns);
    }

    /// <param name="origin">The value of the one <c>Origin</c> header.</param>
    /// <param name="host">The host that the client asked for: <c>Host</c>, or a trusted proxy's <c>X-Forwarded-Host</c>. Malformed, it equals no origin's.</param>
    public bool Allows(ReadOnlySpan<byte> origin, ReadOnlySpan<byte> host)
    {
        if (_isAny)
            return true;
        if (origin.SequenceEqual("null"u8))
            return _isNull;
        if (!WebOrigin.TryParse(origin, out var parsed))
            return false;
        if (IsSameHost)
            return HostName.TryParse(host, out var asked, out _) && parsed.Host.IsSameAs(asked);
        foreach (var pattern in _patterns)
        {
            if (pattern.Matches(parsed))
                return true;
        }

        return false;
    }

    /// <summary>One entry, in bytes.</summary>
    private sealed class Pattern(OriginPattern pattern)
    {
        private readonly byte[]? _scheme = pattern.Scheme is null ? null : Encoding.ASCII.GetBytes(pattern.Scheme);

        /// <summary>Null in a place: any label.</summary>
        private readonly byte[]?[] _labels = [.. pattern.Labels.Select(static l => l == OriginPattern.AnyLabel ? null : Encoding.ASCII.GetBytes(l))];
        private readonly UInt128? _address = BitsOf(pattern.Address);
        private readonly int? _port = pattern.Port;

        public bool Matches(WebOrigin origin) => MatchesScheme(origin.Scheme) && MatchesPort(origin) && MatchesHost(origin.Host);

        private bool MatchesScheme(ReadOnlySpan<byte> scheme) => _scheme is null
            ? Ascii.EqualsIgnoreCase(scheme, "https"u8) || Ascii.EqualsIgnoreCase(scheme, "http"u8)
            : Ascii.EqualsIgnoreCase(scheme, _scheme);

        /// <summary>A port that is not written is the scheme's default, 0 where it has none.</summary>
        private bool MatchesPort(WebOrigin origin)
        {
            if (_port is null)
                return true;
            var port = origin.Port != 0 ? origin.Port : Ascii.EqualsIgnoreCase(origin.Scheme, "https"u8) ? 443 : Ascii.EqualsIgnoreCase(origin.Scheme, "http"u8) ? 80 : 0;
            return port == _port;
        }

        private bool MatchesHost(HostName host)
        {
            if (_address is { } address)
                return host.IsV6 && host.Address == address;
            if (_labels.Length == 0)
                return true;
            var rest = host.Name;
            for (var i = 0; i < _labels.Length; i++)
            {
                var dot = rest.IndexOf((byte)'.');
                // The last label of one must be the last of the other, or a suffix would do.
                if (dot < 0 != (i == _labels.Length - 1))
                    return false;
                if (_labels[i] is { } label && !Ascii.EqualsIgnoreCase(dot < 0 ? rest : rest[..dot], label))
                    return false;
                rest = rest[(dot + 1)..];
            }

            return !host.IsV6;
        }

        private static UInt128? BitsOf(IPAddress? address) => address is null ? null : AddressText.Read(address.GetAddressBytes());
    }
}
