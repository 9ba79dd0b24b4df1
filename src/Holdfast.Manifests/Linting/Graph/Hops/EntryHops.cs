using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>
/// The time-outs of what serves a route. Only of controllers whose behaviour with open WebSockets is documented or was seen in their source: of
/// the others nothing is claimed. Istio and Traefik do not close an upgraded connection for its silence.
/// </summary>
internal sealed class EntryHops(ObjectIndex objects)
{
    private const string F5Read = "nginx.org/proxy-read-timeout";

    private static readonly string[] PolicyKinds = ["ClientTrafficPolicy", "BackendTrafficPolicy", "GCPBackendPolicy"];

    private readonly AlbTimeouts _albTimeouts = new(objects);
    private ILookup<(string Kind, string Namespace, string Name), KubernetesObject>? _policies;

    public Hop? Of(Entry entry, Route route) => entry.Kind switch
    {
        EntryKind.IngressNginx => Nginx(entry, route),
        EntryKind.F5Nginx => F5(route.Object),
        EntryKind.AwsAlb => Alb(entry, route),
        EntryKind.EnvoyGateway => EnvoyGateway(entry, route),
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

    /// <summary>The nearer policy wins: one on the route, then one on the Gateway.</summary>
    private Hop EnvoyGateway(Entry entry, Route route)
    {
        var set = Policies("BackendTrafficPolicy", route.Object).Concat(entry.Object is { } gateway ? Policies("ClientTrafficPolicy", gateway).Concat(Policies("BackendTrafficPolicy", gateway)) : [])
            .Select(p => (Policy: p, At: p.Spec?.At("timeout", "http", "streamIdleTimeout"))).FirstOrDefault(p => p.At is not null);
        if (Durations.Parse(set.At?.AsText) is not { } value)
            return new Hop("Envoy Gateway", TimeSpan.FromMinutes(5), null, "streamIdleTimeout is not set", entry.Object ?? route.Object, null);
        return new Hop("Envoy Gateway", value == TimeSpan.Zero ? null : value, null, "streamIdleTimeout", set.Policy, set.At);
    }

    private static Hop Contour(Route route)
    {
        var set = route.Rule.At("timeoutPolicy", "idle");
        if (set is { Text: "infinity" or "infinite" })
            return new Hop("Contour", null, null, "timeoutPolicy.idle", route.Object, set);
        return Durations.Parse(set?.AsText) is { } value
            ? new Hop("Contour", value, null, "timeoutPolicy.idle", route.Object, set)
            : new Hop("Contour", TimeSpan.FromMinutes(5), null, "timeoutPolicy.idle is not set", route.Object, null);
    }

    /// <summary>Google's backend time-out ends a WebSocket however busy it is.</summary>
    private Hop? Google(Route route)
    {
        if (route.Service is not { } service)
            return null;
        var set = route.Object.Kind == "Ingress"
            ? BackendConfig(service.Object)?.Spec?["timeoutSec"]
            : Policies("GCPBackendPolicy", service.Object).Select(p => p.Spec?.At("default", "timeoutSec")).FirstOrDefault(n => n is not null);
        return set is { AsInteger: > 0 and var seconds }
            ? new Hop("Google's load balancer", null, TimeSpan.FromSeconds(seconds), "timeoutSec", service.Object, set)
            : new Hop("Google's load balancer", null, TimeSpan.FromSeconds(30), "timeoutSec is not set", service.Object, null);
    }

    /// <summary><c>cloud.google.com/backend-config: '{"default": "chat"}'</c>, or by port.</summary>
    private KubernetesObject? BackendConfig(KubernetesObject service)
    {
        var text = (service.Annotation("cloud.google.com/backend-config") ?? service.Annotation("beta.cloud.google.com/backend-config"))?.Text ?? "";
        return objects.OfKind("BackendConfig", "cloud.google.com").FirstOrDefault(c => c.Namespace == service.Namespace && text.Contains('"' + c.Name + '"', StringComparison.Ordinal));
    }

    /// <summary>Policies of a kind that are attached to an object, in Gateway API's way: <c>targetRef</c> or <c>targetRefs</c>.</summary>
    private IEnumerable<KubernetesObject> Policies(string kind, KubernetesObject target)
    {
        _policies ??= PolicyKinds.SelectMany(k => objects.OfKind(k)).SelectMany(p => Targets(p).Select(t => (Policy: p, Target: t)))
            .ToLookup(p => (p.Target.Kind, p.Policy.Namespace, p.Target.Name), p => p.Policy);
        return _policies[(target.Kind, target.Namespace, target.Name)].Where(p => p.Kind == kind);
    }

    private static IEnumerable<(string Kind, string Name)> Targets(KubernetesObject policy)
    {
        IEnumerable<Node> targets = policy.Spec?["targetRefs"]?.Items ?? [];
        if (policy.Spec?["targetRef"] is { } only)
            targets = targets.Append(only);
        foreach (var target in targets)
        {
            if (target["name"]?.AsText is { } name)
                yield return (target["kind"]?.AsText ?? "", name);
        }
    }
}
