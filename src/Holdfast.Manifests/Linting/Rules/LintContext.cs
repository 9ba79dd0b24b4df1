using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting.Rules;

/// <summary>What rules read. They never write to it, and see no order among themselves.</summary>
internal sealed class LintContext
{
    private readonly Dictionary<Workload, RolloutBudget> _budgets = [];

    public LintContext(ManifestGraph graph, LintSettings settings)
    {
        (Graph, Settings) = (graph, settings);
        Paths = new PathFinder(graph.Objects).Find(graph.Routes, graph.Services);
        WebSocketWorkloads = [.. graph.Workloads.Where(w => w.IsWebSocket)];
        WebSocketServices = [.. graph.Services.Where(s => s.IsWebSocket)];
        WebSocketEntries = [.. graph.Entries.Where(e => e.Routes.Any(r => r.IsWebSocket))];
        ExposedObjects =
        [
            .. graph.Routes.Where(r => r.IsWebSocket).SelectMany(r => r.Entries.DefaultIfEmpty(NoEntry).Select(e => (Entry: e, Route: r)))
                .GroupBy(r => (r.Entry, r.Route.Object)).Select(g => new ExposedObject(g.Key.Object, g.Key.Entry, [.. g.Select(r => r.Route)])),
        ];
    }

    public ManifestGraph Graph { get; }

    public LintSettings Settings { get; }

    /// <summary>Every way of a WebSocket from outside to pods, with the hops that may close it.</summary>
    public IReadOnlyList<ConnectionPath> Paths { get; }

    public IReadOnlyList<Workload> WebSocketWorkloads { get; }

    public IReadOnlyList<Service> WebSocketServices { get; }

    /// <summary>Controllers and Gateways through which WebSockets come in.</summary>
    public IReadOnlyList<Entry> WebSocketEntries { get; }

    /// <summary>Ingresses, HTTPRoutes, VirtualServices and the like that carry WebSockets, once per controller or Gateway that serves them.</summary>
    public IReadOnlyList<ExposedObject> ExposedObjects { get; }

    private static Entry NoEntry { get; } = new() { Kind = EntryKind.Unknown, Name = "" };

    public IEnumerable<ExposedObject> ExposedBy(EntryKind kind) => ExposedObjects.Where(e => e.Entry.Kind == kind);

    /// <summary>How a workload's time to end is spent.</summary>
    public RolloutBudget BudgetOf(Workload workload)
    {
        if (!_budgets.TryGetValue(workload, out var budget))
            _budgets.Add(workload, budget = RolloutBudget.Of(workload, Settings.Assume));
        return budget;
    }
}

/// <summary>An object that routes WebSockets.</summary>
/// <param name="Routes">Those of its routes that carry them; at least one.</param>
internal sealed record ExposedObject(KubernetesObject Object, Entry Entry, IReadOnlyList<Route> Routes)
{
    /// <summary>The slowest behind it: what sets a time-out must suit all.</summary>
    public PingInterval Ping => Routes.Select(r => r.Ping).MaxBy(p => p.RequiredIdle)!;
}
