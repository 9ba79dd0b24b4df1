using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Routes;

/// <summary>Istio's VirtualService.</summary>
internal static class IstioRoutes
{
    public const string Group = "networking.istio.io";

    /// <summary>Matches and destinations multiply; real rules have a handful of each.</summary>
    private const int MaxPerRule = 100;

    private static readonly string[] Protocols = ["http", "tls", "tcp"];

    public static IEnumerable<Route> Read(ObjectIndex objects)
    {
        foreach (var item in objects.OfKind("VirtualService", Group))
        {
            var annotations = new AnnotationSigns(item);
            foreach (var protocol in Protocols)
            {
                foreach (var rule in item.Spec?[protocol]?.Items ?? [])
                {
                    foreach (var route in Read(item, rule, annotations))
                        yield return route;
                }
            }
        }
    }

    private static IEnumerable<Route> Read(KubernetesObject item, Node rule, AnnotationSigns annotations)
    {
        var hosts = item.Spec?["hosts"]?.Items ?? [];
        foreach (var destination in (rule["route"]?.Items ?? []).Take(MaxPerRule).Select(r => r["destination"]))
        {
            if (destination?["host"] is not { } target || ServiceName(target.AsText, item.Namespace) is not { } service)
                continue;
            foreach (var match in rule["match"] is { Items.Count: > 0 } matches ? matches.Items.Take(MaxPerRule) : [rule])
            {
                var path = match["uri"] is { Kind: NodeKind.Mapping, Entries: [var only, ..] } ? only.Value : null;
                var route = new Route
                {
                    Object = item,
                    Rule = rule,
                    Host = hosts.Count > 0 ? hosts[0].AsText ?? "" : "",
                    Path = path?.AsText ?? "",
                    PathNode = path,
                    Backend = target,
                    ServiceNamespace = service.Namespace,
                    ServiceName = service.Name,
                    ServicePort = destination.At("port", "number")?.AsText,
                };
                RouteSigns.AddFromPath(route);
                annotations.AddTo(route);
                foreach (var header in match["headers"]?.Entries ?? [])
                    RouteSigns.AddFromHeader(route, header.Key.Text, header.Value is { Kind: NodeKind.Mapping, Entries: [var form, ..] } ? form.Value : header.Value);
                if (rule["websocketUpgrade"] is { AsBoolean: true } upgrade)
                    route.OwnSigns.Add(new Sign(true, $"{item} says websocketUpgrade: true", upgrade));
                yield return route;
            }
        }
    }

    /// <summary><c>chat</c>, <c>chat.shop</c> or <c>chat.shop.svc.cluster.local</c>; null for a host outside the cluster.</summary>
    public static (string Namespace, string Name)? ServiceName(string? host, string ns)
    {
        if (host is not { Length: > 0 })
            return null;
        var labels = host.Split('.');
        return labels.Length == 1 ? (ns, labels[0])
            : labels.Length == 2 || labels[2] == "svc" ? (labels[1], labels[0])
            : null;
    }
}
