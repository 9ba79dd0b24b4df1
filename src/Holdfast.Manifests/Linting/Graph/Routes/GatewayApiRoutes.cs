using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Routes;

/// <summary>Gateway API: HTTPRoute, and TCPRoute and TLSRoute, through which WebSockets pass unread.</summary>
internal static class GatewayApiRoutes
{
    public const string Group = "gateway.networking.k8s.io";

    private const int MaxBackends = 16;
    private const int MaxHosts = 16;
    private const int MaxMatches = 64;

    private static readonly string[] Kinds = ["HTTPRoute", "TLSRoute", "TCPRoute"];

    public static IEnumerable<Route> Read(ObjectIndex objects)
    {
        foreach (var kind in Kinds)
        {
            foreach (var item in objects.OfKind(kind, Group))
            {
                var annotations = new AnnotationSigns(item);
                foreach (var rule in item.Spec?["rules"]?.Items ?? [])
                {
                    foreach (var route in Read(item, rule, annotations))
                        yield return route;
                }
            }
        }
    }

    /// <summary>One route per host, match and backend: a rule without hosts or matches takes any. No more of each than the API allows.</summary>
    private static IEnumerable<Route> Read(KubernetesObject item, Node rule, AnnotationSigns annotations)
    {
        foreach (var backend in (rule["backendRefs"]?.Items ?? []).Take(MaxBackends))
        {
            if (backend["kind"]?.AsText is not (null or "Service") || backend["group"]?.AsText is not (null or "") || backend["name"]?.AsText is not { } name)
                continue;
            foreach (var host in Texts(item.Spec?["hostnames"]))
            {
                foreach (var match in Matches(rule["matches"]))
                {
                    var route = new Route
                    {
                        Object = item,
                        Rule = rule,
                        Host = host,
                        Path = match?.At("path", "value")?.AsText ?? "",
                        PathNode = match?.At("path", "value"),
                        Backend = backend,
                        ServiceNamespace = backend["namespace"]?.AsText ?? item.Namespace,
                        ServiceName = name,
                        ServicePort = backend["port"]?.AsText,
                    };
                    RouteSigns.AddFromPath(route);
                    annotations.AddTo(route);
                    foreach (var header in match?["headers"]?.Items ?? [])
                        RouteSigns.AddFromHeader(route, header["name"]?.AsText ?? "", header["value"]);
                    yield return route;
                }
            }
        }
    }

    private static IEnumerable<string> Texts(Node? list) => (list?.Items ?? []).Take(MaxHosts).Select(i => i.AsText ?? "").DefaultIfEmpty("");

    private static IEnumerable<Node?> Matches(Node? list) => (list?.Items ?? []).Take(MaxMatches).DefaultIfEmpty();
}
