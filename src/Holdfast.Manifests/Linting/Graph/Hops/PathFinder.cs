using Holdfast.Manifests.Linting.Graph.Entries;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>Follows every way on which WebSockets come in, and what may close them on it.</summary>
internal sealed class PathFinder(ObjectIndex objects)
{
    /// <summary>Of one route or Service; workloads, balancers and Gateways multiply.</summary>
    private const int MaxPerRoute = 16;

    private readonly EntryHops _entryHops = new(objects);

    public IReadOnlyList<ConnectionPath> Find(IReadOnlyList<Route> routes, IReadOnlyList<Service> services)
    {
        var paths = new List<ConnectionPath>();
        foreach (var route in routes)
        {
            if (route is { IsWebSocket: true, Service: { } service })
                paths.AddRange(Through(route, service).Take(MaxPerRoute));
        }

        foreach (var service in services)
        {
            if (service.IsWebSocket && Balancer.Of(service) is { } balancer)
                paths.AddRange(Workloads(service).Take(MaxPerRoute).Select(w => new ConnectionPath(balancer, null, null, service, w, Hops(balancer, null, null))));
        }

        return paths;
    }

    private IEnumerable<ConnectionPath> Through(Route route, Service service)
    {
        foreach (var entry in route.Entries.DefaultIfEmpty())
        {
            IEnumerable<Balancer?> balancers = (entry?.Services ?? []).Select(Balancer.Of).OfType<Balancer>();
            foreach (var balancer in balancers.DefaultIfEmpty())
            {
                foreach (var workload in Workloads(service))
                    yield return new ConnectionPath(balancer, entry, route, service, workload, Hops(balancer, entry, route));
            }
        }
    }

    private static IEnumerable<Workload?> Workloads(Service service) => service.Workloads.DefaultIfEmpty();

    private List<Hop> Hops(Balancer? balancer, Entry? entry, Route? route)
    {
        var hops = new List<Hop>();
        if (balancer is not null && BalancerHops.Of(balancer) is { } outer)
            hops.Add(outer);
        if (entry is not null && route is not null && _entryHops.Of(entry, route) is { } inner)
            hops.Add(inner);
        return hops;
    }
}
