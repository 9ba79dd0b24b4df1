using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;

namespace Holdfast.Tests.Routing;

internal sealed record Request(string Host, string Target, string Method = "GET", params (string Name, string Value)[] Headers)
{
    public string Path => Target.Split('?', 2)[0];

    public string Query => Target.Contains('?', StringComparison.Ordinal) ? Target.Split('?', 2)[1] : "";

    public string? Listener { get; init; }

    /// <summary>The number of the route that the table finds, or -1.</summary>
    public int MatchedBy(RouteTable table)
    {
        var request = new RequestView
        {
            Method = Encoding.ASCII.GetBytes(Method),
            Host = Encoding.ASCII.GetBytes(Host),
            Path = Encoding.ASCII.GetBytes(Path),
            Query = Encoding.ASCII.GetBytes(Query),
            Headers = new HeaderLines(Headers),
            Listener = Listener,
        };
        return table.TryMatch(request, out var route) ? route.Index : -1;
    }
}

internal sealed class HeaderLines((string Name, string Value)[] headers) : IHeaderLookup
{
    private readonly (byte[] Name, byte[] Value)[] _lines = [.. headers.Select(h => (Encoding.ASCII.GetBytes(h.Name), Encoding.ASCII.GetBytes(h.Value)))];

    public bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value)
    {
        foreach (var line in _lines)
        {
            if (!Ascii.EqualsIgnoreCase(line.Name, name) || index-- > 0)
                continue;
            value = line.Value;
            return true;
        }

        value = default;
        return false;
    }

    public int Count(ReadOnlySpan<byte> name)
    {
        var count = 0;
        foreach (var line in _lines)
            count += Ascii.EqualsIgnoreCase(line.Name, name) ? 1 : 0;
        return count;
    }
}

internal static class Tables
{
    public static RouteTable Build(params RouteOptions[] routes)
    {
        var backends = new Dictionary<string, BackendState>(StringComparer.Ordinal);
        return RouteTable.Build(routes, name =>
        {
            if (!backends.TryGetValue(name, out var backend))
                backends.Add(name, backend = new BackendState(backends.Count, new BackendOptions { Name = name, Endpoints = [] }, []));
            return backend;
        });
    }

    public static RouteOptions Route(string? host = null, string? prefix = null, string? exact = null) => new()
    {
        Hosts = host is null ? [] : [host],
        Path = exact is not null ? new PathMatch(PathMatchKind.Exact, exact) : new PathMatch(PathMatchKind.Prefix, prefix ?? "/"),
        Backends = [new WeightedBackend("b")],
    };
}
