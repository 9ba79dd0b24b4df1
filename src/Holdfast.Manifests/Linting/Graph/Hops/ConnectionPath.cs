using Holdfast.Manifests.Linting.Graph.Entries;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>One way of a WebSocket from outside to the pods.</summary>
/// <param name="Balancer">The cloud's balancer before the entry, or before the Service itself; null: none among the manifests.</param>
/// <param name="Entry">Null: the Service is reached directly.</param>
/// <param name="Route">Null like <paramref name="Entry"/>, or for a route inside a mesh.</param>
/// <param name="Workload">Null: not among the manifests.</param>
/// <param name="Hops">From the client inwards.</param>
internal sealed record ConnectionPath(Balancer? Balancer, Entry? Entry, Route? Route, Service Service, Workload? Workload, IReadOnlyList<Hop> Hops)
{
    /// <summary>The first to close a silent connection.</summary>
    public Hop? Shortest => Hops.Where(h => h.Idle is not null).MinBy(h => h.Idle);

    public PingInterval Ping => Route?.Ping ?? Service.Ping;
}
