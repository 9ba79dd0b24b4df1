using System.Diagnostics.CodeAnalysis;
using System.Text;
using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Routing;

/// <summary>
/// The routes of one host by path. Prefixes are looked up by the lengths that occur, longest first, so the cost depends on the
/// configuration and not on how many elements a client puts into its path.
/// </summary>
internal sealed class PathTable
{
    private readonly Dictionary<byte[], Route[]> _exact = new(BytesComparer.Instance);
    private readonly Dictionary<byte[], Route[]>.AlternateLookup<ReadOnlySpan<byte>> _exactLookup;
    private readonly Dictionary<byte[], Route[]> _prefixes = new(BytesComparer.Instance);
    private readonly Dictionary<byte[], Route[]>.AlternateLookup<ReadOnlySpan<byte>> _prefixLookup;
    private readonly int[] _prefixLengths;

    public PathTable(IEnumerable<Route> routes)
    {
        foreach (var group in routes.GroupBy(r => r.Options.Path))
            Add(group.Key, group);
        _exactLookup = _exact.GetAlternateLookup<ReadOnlySpan<byte>>();
        _prefixLookup = _prefixes.GetAlternateLookup<ReadOnlySpan<byte>>();
        _prefixLengths = [.. _prefixes.Keys.Select(p => p.Length).Distinct().OrderDescending()];
    }

    public bool TryMatch(in RequestView request, [NotNullWhen(true)] out Route? route)
    {
        var path = request.Path;
        if (_exactLookup.TryGetValue(path, out var routes) && TryFirst(routes, request, out route))
            return true;

        foreach (var length in _prefixLengths)
        {
            // Whole elements only: the path ends here or goes on with '/'.
            if (length > path.Length || (length < path.Length && path[length] != '/'))
                continue;
            if (_prefixLookup.TryGetValue(path[..length], out routes) && TryFirst(routes, request, out route))
                return true;
        }

        route = null;
        return false;
    }

    private static bool TryFirst(Route[] routes, in RequestView request, [NotNullWhen(true)] out Route? route)
    {
        foreach (var candidate in routes)
        {
            if (!candidate.Matches(request))
                continue;
            route = candidate;
            return true;
        }

        route = null;
        return false;
    }

    private void Add(PathMatch path, IEnumerable<Route> routes)
    {
        // Prefixes with and without trailing '/' are the same one.
        var (table, key) = path.Kind == PathMatchKind.Exact
            ? (_exact, Encoding.ASCII.GetBytes(path.Value))
            : (_prefixes, Encoding.ASCII.GetBytes(path.Value.TrimEnd('/')));
        if (table.TryGetValue(key, out var others))
            routes = others.Concat(routes);
        table[key] = [.. routes.OrderByDescending(r => r.Specificity).ThenBy(r => r.Index)];
    }
}
