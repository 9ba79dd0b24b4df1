using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>A Kubernetes Service.</summary>
internal sealed class Service(KubernetesObject item)
{
    public KubernetesObject Object { get; } = item;

    public IReadOnlyList<ServicePort> Ports { get; } = [.. (item.Spec?["ports"]?.Items ?? []).Where(p => p.Kind == NodeKind.Mapping).Select(p => new ServicePort(p))];

    public string Type => Object.Spec?["type"]?.AsText ?? "ClusterIP";

    public Node? Selector => Object.Spec?["selector"];

    /// <summary>What runs the pods that it selects; several when their labels overlap.</summary>
    public List<Workload> Workloads { get; } = [];

    /// <summary>Routes that end at it.</summary>
    public List<Route> Routes { get; } = [];

    /// <summary>Why it is taken for a Service of WebSockets. Empty: it is not.</summary>
    public IReadOnlyList<Sign> Signs { get; set; } = [];

    public bool IsWebSocket => Signs.Count > 0;

    public PingInterval Ping { get; set; } = PingInterval.Unknown;

    /// <summary>The port that a route names by number or name; the only one when it names none.</summary>
    public ServicePort? Port(string? numberOrName) => numberOrName is null
        ? Ports.Count == 1 ? Ports[0] : null
        : Ports.FirstOrDefault(p => p.Number == numberOrName || p.Name == numberOrName);

    public override string ToString() => Object.ToString();
}

/// <summary>One port of a Service.</summary>
internal sealed class ServicePort(Node node)
{
    public Node Node { get; } = node;

    public string Name => Node["name"]?.AsText ?? "";

    public string Number => Node["port"]?.AsText ?? "";

    public Node? AppProtocol => Node["appProtocol"];
}
