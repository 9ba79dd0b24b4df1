using Holdfast.Manifests.Linting.Graph.Entries;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>
/// The time-outs of what serves a route. Only of controllers whose behaviour with open WebSockets is documented or was seen in their source: of
/// the others nothing is claimed. Istio and Traefik do not close an upgraded connection for its silence.
/// </summary>
internal sealed class EntryHops(ObjectIndex objects)
{
    private const string F5Read = "nginx.org/proxy-read-timeout";

    private readonly AlbTimeouts _albTimeouts = new(objects);
    private readonly AttachedPolicies _policies = new(objects);

    public Hop? Of(Entry entry, Route route) => entry.Kind switch
    {
        EntryKind.IngressNginx => Nginx(entry, route),
        EntryKind.F5Nginx => F5(route.Object),
        EntryKind.AwsAlb => Alb(entry, route),
        EntryKind.EnvoyGateway when route.Object.Kind == "HTTPRoute" => EnvoyGateway(entry, route),
        EntryKind.Contour => Contour(route),
        EntryKind.Google => Google(route),
        _ => null,
    };

    private static Hop Nginx(Entry entry, Route route)
    {
        var read = NginxTimeout.Of(route.Object, entry, "proxy-read-timeout");
        return new Hop("ingress-nginx", read.Value, null, read.At is null ? "proxy-read-timeout is not set" : "proxy-read-timeout", route.Object, read.At);
    }

    private static Hop F5(KubernetesObject ingress)
    {
        var set = ingress.Annotation(F5Read);
        return Durations.ParseNginx(set?.AsText) is { } value
            ? new Hop("F5 NGINX Ingress Controller", value, null, F5Read, ingress, set)
            : new Hop("F5 NGINX Ingress Controller", NginxTimeout.Default, null, F5Read + " is not set", ingress, null);
    }

    private Hop Alb(Entry entry, Route route)
    {
        var idle = _albTimeouts.Of(entry, route.Object);
        return new Hop("AWS ALB", idle.Value, null, idle.At is null ? AlbTimeout.Attribute + " is not set" : AlbTimeout.Attribute, idle.Object, idle.At);
    }

    private Hop EnvoyGateway(Entry entry, Route route)
    {
        var idle = EnvoyGatewayTimeout.Of(_policies, entry, route);
        return new Hop("Envoy Gateway", idle.Value, null, idle.At is null ? EnvoyGatewayTimeout.Setting + " is not set" : EnvoyGatewayTimeout.Setting, idle.Holder ?? entry.Object ?? route.Object, idle.At);
    }

    private static Hop Contour(Route route)
    {
        var set = route.Rule.At("timeoutPolicy", "idle");
        if (set is { Text: "infinity" or "infinite" })
            return new Hop("Contour", null, null, "timeoutPolicy.idle", route.Object, set);
        // 0s means what leaving it out means.
        return Durations.Parse(set?.AsText) is { Ticks: > 0 } value
            ? new Hop("Contour", value, null, "timeoutPolicy.idle", route.Object, set)
            : new Hop("Contour", TimeSpan.FromMinutes(5), null, "timeoutPolicy.idle is not set", route.Object, null);
    }

    /// <summary>Google's backend time-out ends a WebSocket however busy it is.</summary>
    private Hop? Google(Route route)
    {
        if (route.Service is not { } service)
            return null;
        var life = GoogleTimeout.Of(objects, _policies, route, service);
        return new Hop("Google's load balancer", null, life.Value, life.At is null ? "timeoutSec is not set" : "timeoutSec", life.Holder ?? service.Object, life.At);
    }
}
