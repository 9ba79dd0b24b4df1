namespace Holdfast.Manifests.Linting.Graph.Entries;

/// <summary>
/// What serves routes: an ingress controller (named by an IngressClass), a Gateway of Gateway API or of Istio, or a cloud's own balancer. One per
/// class or Gateway.
/// </summary>
internal sealed class Entry
{
    public required EntryKind Kind { get; init; }

    /// <summary>Of the class or Gateway; empty when routes name none.</summary>
    public required string Name { get; init; }

    /// <summary>The IngressClass or Gateway; null when it is not among the manifests.</summary>
    public KubernetesObject? Object { get; init; }

    /// <summary>The GatewayClass, when there is one among the manifests.</summary>
    public KubernetesObject? Class { get; init; }

    /// <summary>What its pods run as, when that is among the manifests.</summary>
    public List<Workload> Controllers { get; } = [];

    /// <summary>Services before its pods.</summary>
    public List<Service> Services { get; } = [];

    /// <summary>The ConfigMap with its global settings (ingress-nginx), when that is among the manifests.</summary>
    public KubernetesObject? Config { get; set; }

    public List<Route> Routes { get; } = [];

    /// <summary>For a message: <c>ingress-nginx (class nginx)</c>.</summary>
    public string Say() => EntryNames.Of(Kind) + (Name.Length > 0 ? $" ({(Object?.Kind == "Gateway" ? "Gateway" : "class")} {Name})" : "");
}
