using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.GatewayApi;

/// <summary>Envoy Gateway, Contour and GKE.</summary>
internal static partial class GatewayApiRules
{
    private const string EnvoyGatewaySource = "https://github.com/envoyproxy/gateway/blob/v1.9.0/";
    private const string ContourRoutesAnnotation = "projectcontour.io/websocket-routes";

    /// <summary>Envoy Gateway's own.</summary>
    private static readonly TimeSpan DefaultDrain = TimeSpan.FromSeconds(60);

    /// <summary>Shorter lives are worth a word.</summary>
    private static readonly TimeSpan ShortLife = TimeSpan.FromHours(1);

    private static Rule EnvoyGatewayStreamIdle => new()
    {
        Id = "HF-G08",
        Name = "envoygw-stream-idle",
        Severity = Severity.Error,
        Summary = "Envoy Gateway closes quiet WebSockets (streamIdleTimeout), cuts all (maxStreamDuration) or refuses them (requestBuffer)",
        Why = "Unless told otherwise Envoy Gateway closes a stream on which nothing passed for 5 minutes, and an open WebSocket is one. maxStreamDuration ends it at a fixed age. With requestBuffer the upgrade to WebSocket is switched off, and handshakes fail.",
        Fix = "Attach a ClientTrafficPolicy with timeout.http.streamIdleTimeout: 1h (or 0s) to the Gateway and let the server ping; leave maxStreamDuration and requestBuffer off routes of WebSockets.",
        References = [EnvoyGatewaySource + "api/v1alpha1/timeout_types.go", EnvoyGatewaySource + "internal/xds/translator/route.go", EnvoyGatewaySource + "api/v1alpha1/backendtrafficpolicy_types.go"],
        HasPatch = true,
        Check = CheckEnvoyGatewayStreamIdle,
    };

    private static Rule EnvoyGatewayDrain => new()
    {
        Id = "HF-G09",
        Name = "envoygw-drain",
        Severity = Severity.Warning,
        Summary = "shutdown.drainTimeout of Envoy Gateway's proxies is shorter than the applications' drain, or is not set",
        Why = "On SIGTERM Envoy Gateway's proxies drain for drainTimeout, 60 s unless set, and then close what is still open: a rollout of the proxies makes all clients reconnect within that time.",
        Fix = "Set spec.shutdown.drainTimeout in the EnvoyProxy of the GatewayClass or Gateway to the time over which reconnects may be spread; the pods' grace follows by itself.",
        NotClaimed = "Not set, it is only advice: 60 s may well be enough.",
        References = [EnvoyGatewaySource + "api/v1alpha1/envoyproxy_types.go", EnvoyGatewaySource + "internal/infrastructure/kubernetes/proxy/resource_provider.go"],
        HasPatch = true,
        Check = CheckEnvoyGatewayDrain,
    };

    private static Rule ContourWebSocketsOff => new()
    {
        Id = "HF-G10",
        Name = "contour-websockets-off",
        Severity = Severity.Error,
        Summary = "a route of WebSockets through Contour without enableWebsockets (HTTPProxy) or websocket-routes (Ingress)",
        Why = "Contour passes an upgrade on only where it is told to: every handshake through this route is refused.",
        Fix = "HTTPProxy: set enableWebsockets: true on the route. Ingress: name the path in projectcontour.io/websocket-routes.",
        NotClaimed = "Nothing of HTTPRoutes, where Contour always passes WebSockets on. Where it only looks like WebSockets it is a warning.",
        References = ["https://projectcontour.io/docs/main/config/websockets/", "https://github.com/projectcontour/contour/blob/main/internal/dag/ingress_processor.go"],
        HasPatch = true,
        Check = CheckContourWebSocketsOff,
    };

    private static Rule GoogleBackendTimeout => new()
    {
        Id = "HF-G11",
        Name = "gke-backend-timeout",
        Severity = Severity.Error,
        Summary = "timeoutSec of a backend of Google's load balancer is not set, or more than 86400",
        Why = "Google's backend time-out, 30 s unless set, is the longest that a WebSocket lives at all, busy or not: no ping helps. More than 86400 is advised against, since Google restarts its front ends and cuts what is open.",
        Fix = "Set timeoutSec: 86400 in a GCPBackendPolicy for the Service (with an Ingress: a BackendConfig that the Service's annotation names), and let clients resume.",
        NotClaimed = "For regional and internal load balancers, which are built on Envoy, Google's pages are not clear about it: a warning.",
        References = ["https://github.com/kubernetes/ingress-gce/tree/master/examples/websocket", "https://gcpdiag.dev/rules/lb/BP/2025_002/", "https://cloud.google.com/load-balancing/docs/https#timeout-bes"],
        HasPatch = true,
        Check = CheckGoogleBackendTimeout,
    };

    private static IEnumerable<Detection> CheckEnvoyGatewayStreamIdle(LintContext context)
    {
        var policies = new AttachedPolicies(context.Graph.Objects);
        foreach (var (route, entry) in Through(context, EntryKind.EnvoyGateway).Where(r => r.Route.Object.Kind == "HTTPRoute"))
        {
            var idle = EnvoyGatewayTimeout.Of(policies, entry, route);
            if (idle.Value < route.Ping.RequiredIdle)
            {
                var item = idle.Holder ?? entry.Object ?? route.Object;
                var isOwn = idle.At is not null && idle.Holder != route.Object;
                yield return new Detection(
                    item,
                    idle.At is null ? Place.Of(item, "spec") : Place.Of(idle.At),
                    $"{EnvoyGatewayTimeout.Setting} is {(idle.At is null ? "not set, so " : "")}{Durations.Say(idle.Value.Value)}: a WebSocket that is silent for so long is closed, and {route.Ping.Say()}.")
                {
                    Severity = route.Ping.Interval is null && idle.At is not null ? Severity.Advice : Severity.Warning,
                    Patch = isOwn ? Edits.Replace($"set {EnvoyGatewayTimeout.Setting} to 1h", idle.At!, AtLeastAnHour(route.Ping)) : null,
                    Because = route.Signs,
                };
            }

            foreach (var policy in EnvoyGatewayTimeout.Backend(policies, entry, route))
            {
                if (policy.Spec?.EntryOf("requestBuffer") is { Value.IsNull: false } buffer)
                    yield return new Detection(policy, Place.Of(buffer.Key), $"requestBuffer switches the upgrade to WebSocket off for {route.Object}: handshakes fail.") { Because = route.Signs };
                if (policy.Spec?.At("timeout", "http", "maxStreamDuration") is { } duration && Durations.Parse(duration.AsText) is { Ticks: > 0 } life)
                {
                    yield return new Detection(policy, Place.Of(duration), $"maxStreamDuration is {Durations.Say(life)}: each WebSocket of {route.Object} is cut at that age.")
                    {
                        Severity = Severity.Warning,
                        Patch = Edits.Remove("remove maxStreamDuration", policy.Root, ["spec", "timeout", "http", "maxStreamDuration"]),
                        Because = route.Signs,
                    };
                }
            }
        }
    }

    private static string AtLeastAnHour(PingInterval ping) => FormattableString.Invariant($"{Math.Max(1, (int)Math.Ceiling(ping.RequiredIdle.TotalHours))}h");

    private static IEnumerable<Detection> CheckEnvoyGatewayDrain(LintContext context)
    {
        foreach (var (entry, routes) in Through(context, EntryKind.EnvoyGateway).Where(r => r.Entry.Object is not null).GroupBy(r => r.Entry, r => r.Route).Select(g => (g.Key, g.ToList())))
        {
            var proxy = EnvoyProxy(context, entry.Object!, entry.Object!.Spec?.At("infrastructure", "parametersRef"), entry.Object.Namespace)
                ?? (entry.Class is { } type ? EnvoyProxy(context, type, type.Spec?["parametersRef"], null) : null);
            var at = proxy?.Spec?.At("shutdown", "drainTimeout");
            var drain = Durations.Parse(at?.AsText) ?? DefaultDrain;
            var needed = routes.SelectMany(r => r.Service?.Workloads ?? []).Select(w => context.BudgetOf(w).Drain).DefaultIfEmpty(TimeSpan.Zero).Max();
            if (drain >= needed && at is not null)
                continue;
            var item = proxy ?? entry.Object;
            yield return new Detection(
                item,
                at is not null ? Place.Of(at) : Place.Of(item, "spec", "shutdown"),
                drain < needed
                    ? $"the proxies of {entry.Object} drain for {Durations.Say(drain)}, but the applications behind need {Durations.Say(needed)} to spread their reconnects."
                    : $"the proxies of {entry.Object} close all WebSockets 60 s after SIGTERM: drainTimeout is not set.")
            {
                Severity = drain < needed ? null : Severity.Advice,
                Patch = proxy is not null && drain < needed ? Edits.Set($"set drainTimeout to {Go(needed)}", proxy.Root, ["spec", "shutdown", "drainTimeout"], Go(needed)) : null,
                Because = routes[0].Signs,
            };
        }
    }

    private static string Go(TimeSpan duration) => FormattableString.Invariant($"{(long)Math.Ceiling(duration.TotalSeconds)}s");

    private static KubernetesObject? EnvoyProxy(LintContext context, KubernetesObject from, Node? reference, string? ns) =>
        reference?["kind"]?.AsText == "EnvoyProxy" && reference["name"]?.AsText is { } name
            ? context.Graph.Objects.Find("EnvoyProxy", ns ?? reference["namespace"]?.AsText ?? KubernetesObject.DefaultNamespace, name, from)
            : null;

    private static IEnumerable<Detection> CheckContourWebSocketsOff(LintContext context)
    {
        foreach (var (route, _) in Through(context, EntryKind.Contour))
        {
            var severity = route.Signs[0].IsDeclared ? (Severity?)null : Severity.Warning;
            if (route.Object.Kind == "HTTPProxy" && route.Rule["enableWebsockets"] is not { AsBoolean: true })
            {
                yield return new Detection(route.Object, Place.Of(route.Rule, "enableWebsockets"), $"the route to Service {route.ServiceName} does not say enableWebsockets: Contour refuses the upgrade.")
                {
                    Severity = severity,
                    Patch = Edits.Set("set enableWebsockets: true", route.Rule, ["enableWebsockets"], "true"),
                    Because = route.Signs,
                };
            }
            else if (route.Object.Kind == "Ingress")
            {
                var named = route.Object.Annotation(ContourRoutesAnnotation);
                var paths = (named?.Text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                var path = route.Path.Length == 0 ? "/" : route.Path;
                if (paths.Contains(path, StringComparer.Ordinal))
                    continue;
                yield return new Detection(route.Object, named is null ? Place.Of(route.Object, "metadata", "annotations") : Place.Of(named), $"{ContourRoutesAnnotation} does not name {path}: Contour refuses the upgrade there.")
                {
                    Severity = severity,
                    Patch = Edits.SetAnnotation(route.Object, ContourRoutesAnnotation, string.Join(',', paths.Append(path))),
                    Because = route.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckGoogleBackendTimeout(LintContext context)
    {
        var policies = new AttachedPolicies(context.Graph.Objects);
        foreach (var (route, entry) in Through(context, EntryKind.Google))
        {
            if (route.Service is not { } service)
                continue;
            var life = GoogleTimeout.Of(context.Graph.Objects, policies, route, service);
            var isTooLong = life.Value > GoogleTimeout.Longest;
            if (life.At is not null && !isTooLong && life.Value >= ShortLife)
                continue;
            var item = life.Holder ?? service.Object;
            yield return new Detection(
                item,
                life.At is { } at ? Place.Of(at) : life.Holder is null ? Place.Of(item, "metadata", "name") : Place.Of(item, "spec"),
                isTooLong ? $"timeoutSec is {Durations.Say(life.Value)}: Google restarts its front ends more often than that, and clients will be cut anyway."
                    : $"timeoutSec is {(life.At is null ? "not set, so " : "")}{Durations.Say(life.Value)}: Google's load balancer cuts every WebSocket at that age, however busy it is.")
            {
                Severity = isTooLong || life.At is not null || GoogleTimeout.IsRegional(entry) ? Severity.Warning : null,
                Patch = life.Holder is { } holder ? Edits.Set("set timeoutSec to 86400", holder.Root, ["spec", .. GoogleTimeout.PathIn(holder)], "86400") : null,
                Because = route.Signs,
            };
        }
    }
}
