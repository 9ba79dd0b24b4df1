using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Routes;

/// <summary>Ingress (also of the removed API versions, which old folders still hold) and OpenShift's Route.</summary>
internal static class IngressRoutes
{
    public static IEnumerable<Route> Read(ObjectIndex objects)
    {
        foreach (var ingress in objects.OfKind("Ingress"))
        {
            if (ingress.Group is not ("networking.k8s.io" or "extensions"))
                continue;
            var annotations = new AnnotationSigns(ingress);
            foreach (var route in Read(ingress))
            {
                RouteSigns.AddFromPath(route);
                annotations.AddTo(route);
                yield return route;
            }
        }

        foreach (var openShift in objects.OfKind("Route", "route.openshift.io"))
        {
            if (openShift.Spec?["to"] is not { } to || to["name"]?.AsText is not { } name)
                continue;
            var route = new Route
            {
                Object = openShift,
                Rule = to,
                Host = openShift.Spec["host"]?.AsText ?? "",
                Path = openShift.Spec["path"]?.AsText ?? "",
                PathNode = openShift.Spec["path"],
                Backend = to,
                ServiceNamespace = openShift.Namespace,
                ServiceName = name,
                ServicePort = openShift.Spec.At("port", "targetPort")?.AsText,
            };
            RouteSigns.AddFromPath(route);
            new AnnotationSigns(openShift).AddTo(route);
            yield return route;
        }
    }

    private static IEnumerable<Route> Read(KubernetesObject ingress)
    {
        var spec = ingress.Spec;
        foreach (var rule in spec?["rules"]?.Items ?? [])
        {
            foreach (var path in rule.At("http", "paths")?.Items ?? [])
            {
                if (path["backend"] is { } backend && ToService(ingress, path, backend, rule["host"]?.AsText) is { } route)
                    yield return route;
            }
        }

        if ((spec?["defaultBackend"] ?? spec?["backend"]) is { } fallback && ToService(ingress, fallback, fallback, host: null) is { } any)
            yield return any;
    }

    private static Route? ToService(KubernetesObject ingress, Node rule, Node backend, string? host)
    {
        var service = backend["service"];
        var name = service?["name"] ?? backend["serviceName"];
        if (name?.AsText is not { } text)
            return null;
        var port = service?["port"];
        return new Route
        {
            Object = ingress,
            Rule = rule,
            Host = host ?? "",
            Path = rule["path"]?.AsText ?? "",
            PathNode = rule["path"],
            Backend = name,
            ServiceNamespace = ingress.Namespace,
            ServiceName = text,
            ServicePort = (port?["number"] ?? port?["name"] ?? backend["servicePort"])?.AsText,
        };
    }
}
