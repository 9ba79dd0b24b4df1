using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Routes;

/// <summary>Contour's HTTPProxy. What it includes is read where it stands.</summary>
internal static class ContourRoutes
{
    public const string Group = "projectcontour.io";

    public static IEnumerable<Route> Read(ObjectIndex objects)
    {
        foreach (var item in objects.OfKind("HTTPProxy", Group))
        {
            var annotations = new AnnotationSigns(item);
            foreach (var rule in item.Spec?["routes"]?.Items ?? [])
            {
                foreach (var service in rule["services"]?.Items ?? [])
                {
                    if (service["name"]?.AsText is { } name)
                        yield return Read(item, rule, service, name, annotations);
                }
            }
        }
    }

    private static Route Read(KubernetesObject item, Node rule, Node service, string name, AnnotationSigns annotations)
    {
        var path = (rule["conditions"]?.Items ?? []).Select(c => c["prefix"] ?? c["exact"] ?? c["regex"]).FirstOrDefault(p => p is not null);
        var route = new Route
        {
            Object = item,
            Rule = rule,
            Host = item.Spec?.At("virtualhost", "fqdn")?.AsText ?? "",
            Path = path?.AsText ?? "",
            PathNode = path,
            Backend = service,
            ServiceNamespace = item.Namespace,
            ServiceName = name,
            ServicePort = service["port"]?.AsText,
        };
        RouteSigns.AddFromPath(route);
        annotations.AddTo(route);
        if (rule["enableWebsockets"] is { AsBoolean: true } enabled)
            route.OwnSigns.Add(new Sign(true, $"{item} says enableWebsockets: true", enabled));
        return route;
    }
}
