using System.Diagnostics.CodeAnalysis;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Routing;

/// <summary>
/// Finds the most specific route of a request, in the order of Gateway API's HTTPRoute: exact host, longest wildcard, any host; then exact
/// path, longest prefix; then method, most headers, most query parameters, first in the configuration. When no route of a more specific
/// host matches, those of less specific hosts are tried: the API orders rules by host, it does not hide the others. Immutable: a change of
/// configuration builds another. A look-up allocates nothing.
/// </summary>
internal sealed class RouteTable
{
    /// <summary>The longest DNS name; a longer Host can match only routes without hosts.</summary>
    private const int LongestHost = 253;

    private readonly Dictionary<byte[], PathTable> _exact;
    private readonly Dictionary<byte[], PathTable>.AlternateLookup<ReadOnlySpan<byte>> _exactLookup;
    private readonly Dictionary<byte[], PathTable> _wildcards;
    private readonly Dictionary<byte[], PathTable>.AlternateLookup<ReadOnlySpan<byte>> _wildcardLookup;
    private readonly PathTable? _any;

    private RouteTable(Dictionary<byte[], PathTable> exact, Dictionary<byte[], PathTable> wildcards, PathTable? any, Route[] routes)
    {
        (_exact, _wildcards, _any, Routes) = (exact, wildcards, any, routes);
        _exactLookup = exact.GetAlternateLookup<ReadOnlySpan<byte>>();
        _wildcardLookup = wildcards.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>In the configuration's order.</summary>
    public IReadOnlyList<Route> Routes { get; }

    /// <param name="options">Valid routes, in the configuration's order.</param>
    /// <param name="backendOf">Finds a backend that the routes name; asked once for each route and backend.</param>
    public static RouteTable Build(IReadOnlyList<RouteOptions> options, Func<string, BackendState> backendOf)
    {
        var routes = new Route[options.Count];
        var byHost = new Dictionary<string, List<Route>>(StringComparer.Ordinal);
        for (var i = 0; i < routes.Length; i++)
        {
            routes[i] = new Route(i, options[i], backendOf);
            foreach (var host in options[i].Hosts.Count == 0 ? [""] : options[i].Hosts.Distinct(StringComparer.OrdinalIgnoreCase))
            {
                var key = host.ToLowerInvariant();
                if (!byHost.TryGetValue(key, out var list))
                    byHost.Add(key, list = []);
                list.Add(routes[i]);
            }
        }

        var exact = new Dictionary<byte[], PathTable>(BytesComparer.Instance);
        var wildcards = new Dictionary<byte[], PathTable>(BytesComparer.Instance);
        PathTable? any = null;
        foreach (var (host, list) in byHost)
        {
            var table = new PathTable(list);
            if (host.Length == 0)
                any = table;
            else if (host.StartsWith('*'))
                wildcards.Add(Encoding.ASCII.GetBytes(host[1..]), table);
            else
                exact.Add(Encoding.ASCII.GetBytes(host), table);
        }

        return new RouteTable(exact, wildcards, any, routes);
    }

    public bool TryMatch(in RequestView request, [NotNullWhen(true)] out Route? route)
    {
        Span<byte> buffer = stackalloc byte[LongestHost];
        var host = Normalize(request.Host, buffer);
        if (!host.IsEmpty)
        {
            if (_exactLookup.TryGetValue(host, out var table) && table.TryMatch(request, out route))
                return true;

            // Suffixes from long to short. A wildcard stands for one label or more, so the first one starts after a label.
            for (var dot = _wildcards.Count == 0 ? -1 : host[1..].IndexOf((byte)'.') + 1; dot > 0;)
            {
                if (_wildcardLookup.TryGetValue(host[dot..], out table) && table.TryMatch(request, out route))
                    return true;
                var next = host[(dot + 1)..].IndexOf((byte)'.');
                dot = next < 0 ? -1 : dot + 1 + next;
            }
        }

        route = null;
        return _any is not null && _any.TryMatch(request, out route);
    }

    /// <summary>Lower case, without port and trailing dot; empty when it is too long to be a name.</summary>
    private static ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> host, Span<byte> buffer)
    {
        if (!host.IsEmpty && host[0] == '[')
            return default; // An IPv6 literal is no name.
        var colon = host.IndexOf((byte)':');
        if (colon >= 0)
            host = host[..colon];
        if (!host.IsEmpty && host[^1] == '.')
            host = host[..^1];
        if (host.Length > buffer.Length)
            return default;
        for (var i = 0; i < host.Length; i++)
            buffer[i] = host[i] is >= (byte)'A' and <= (byte)'Z' ? (byte)(host[i] | 0x20) : host[i];
        return buffer[..host.Length];
    }
}
