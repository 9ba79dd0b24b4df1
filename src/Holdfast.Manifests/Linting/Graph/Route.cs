using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>
/// One way from a host and path to a Service, as an Ingress, HTTPRoute, VirtualService, IngressRoute or HTTPProxy writes it. A rule with two
/// paths or two backends gives several.
/// </summary>
internal sealed class Route
{
    public required KubernetesObject Object { get; init; }

    /// <summary>The rule (Ingress: the path) that this was read from.</summary>
    public required Node Rule { get; init; }

    /// <summary>Empty: any host.</summary>
    public string Host { get; init; } = "";

    /// <summary>As written, possibly a pattern; empty: any path.</summary>
    public string Path { get; init; } = "";

    public Node? PathNode { get; init; }

    /// <summary>Where the backend is named.</summary>
    public required Node Backend { get; init; }

    public required string ServiceNamespace { get; init; }

    public required string ServiceName { get; init; }

    /// <summary>The Service's port by number or name; null: not named.</summary>
    public string? ServicePort { get; init; }

    /// <summary>What the route itself says about WebSockets.</summary>
    public List<Sign> OwnSigns { get; } = [];

    /// <summary>Null: the Service is not among the manifests.</summary>
    public Service? Service { get; set; }

    /// <summary>The controllers and gateways that serve it. Several: a route may be attached to several Gateways.</summary>
    public IReadOnlyList<Entry> Entries { get; set; } = [];

    /// <summary>Why WebSockets are taken to come this way. Empty: they are not.</summary>
    public IReadOnlyList<Sign> Signs { get; set; } = [];

    public bool IsWebSocket => Signs.Count > 0;

    public PingInterval Ping { get; set; } = PingInterval.Unknown;

    /// <summary><c>chat.example.com/ws</c>.</summary>
    public string Address => (Host.Length == 0 ? "*" : Host) + (Path.Length == 0 ? "/" : Path.StartsWith('/') ? Path : " " + Path);
}
