using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Traefik;

/// <summary>Ingresses, IngressRoutes and Middlewares.</summary>
internal static partial class TraefikRules
{
    private const string OldGroup = "traefik.containo.us";
    private const string NewVersion = "traefik.io/v1alpha1";
    private const string Sticky = Prefix + "service.sticky";
    private const string NginxProvider = "--providers.kubernetesingressnginx";

    /// <summary>Of Traefik 1: not read by any later version.</summary>
    private static readonly string[] Version1 =
        [Prefix + "affinity", Prefix + "session-cookie-name", "traefik.backend.loadbalancer.sticky", "traefik.backend.loadbalancer.stickiness"];

    /// <summary>Of ingress-nginx, with an effect on WebSockets or on where they go, and what Traefik makes of them.</summary>
    private static readonly Dictionary<string, string> NginxGaps = new(StringComparer.Ordinal)
    {
        ["load-balance"] = "is ignored",
        ["limit-whitelist"] = "is ignored: everybody is limited",
        ["session-cookie-change-on-failure"] = "is ignored",
        ["session-cookie-conditional-samesite-none"] = "is ignored",
        ["connection-proxy-header"] = "is ignored",
        ["limit-connections"] = "answers 429, not 503, when the limit is reached",
        ["limit-rps"] = "answers 429, not 503, when the limit is reached",
        ["limit-rpm"] = "answers 429, not 503, when the limit is reached",
    };

    private static Rule StickyOnIngress => new()
    {
        Id = "HF-T01",
        Name = "traefik-sticky-on-ingress",
        Severity = Severity.Warning,
        Summary = "service.sticky annotations on an Ingress, where Traefik does not read them",
        Why = "Traefik reads traefik.ingress.kubernetes.io/service.* from Services only. On an Ingress they do nothing: no cookie is set, and a client that negotiated its session on one pod (Socket.IO, SignalR) opens its WebSocket on another.",
        Fix = "Move the annotations to the Service that the Ingress leads to.",
        References = [Source + "pkg/provider/kubernetes/ingress/kubernetes.go", Docs + "reference/routing-configuration/kubernetes/ingress/"],
        Check = CheckStickyOnIngress,
    };

    private static Rule LegacyApi => new()
    {
        Id = "HF-T02",
        Name = "traefik-legacy-api",
        Severity = Severity.Error,
        Summary = "resources of the group traefik.containo.us, or annotations of Traefik 1",
        Why = "Traefik 3 removed the group traefik.containo.us: an IngressRoute or Middleware of it is not looked at, and its WebSockets get 404. Annotations of Traefik 1, such as affinity, have had no effect since version 2.",
        Fix = "Write apiVersion: traefik.io/v1alpha1; for stickiness put traefik.ingress.kubernetes.io/service.sticky.cookie: \"true\" on the Service.",
        NotClaimed = "Nothing where the Traefik among the manifests is of version 2, which still takes the old group.",
        References = [Docs + "migrate/v2-to-v3-details/", Docs + "v2.0/migration/v1-to-v2/"],
        HasPatch = true,
        Check = CheckLegacyApi,
    };

    private static Rule InFlightLimit => new()
    {
        Id = "HF-T05",
        Name = "traefik-inflight-buffering",
        Severity = Severity.Warning,
        Summary = "an inFlightReq middleware on a route of WebSockets",
        Why = "For Traefik a WebSocket is one request that lasts as long as the socket: it holds its place in inFlightReq all the time. When amount sockets are open the next handshake gets 429; and unless a source is named all clients of a host share the amount.",
        Fix = "Route WebSockets without this middleware, or make amount the number of sockets that one Traefik pod may hold.",
        NotClaimed = "buffering and retry are often said to break WebSockets. Both let go of a connection that is upgraded (Traefik's retry.go, oxy's buffer), so neither is reported.",
        References = [Source + "pkg/middlewares/inflightreq/inflight_req.go", Docs + "reference/routing-configuration/http/middlewares/inflightreq/", Source + "pkg/middlewares/retry/retry.go"],
        Check = CheckInFlightLimit,
    };

    private static Rule NginxProviderGap => new()
    {
        Id = "HF-T06",
        Name = "traefik-nginx-provider-gap",
        Severity = Severity.Advice,
        Summary = "annotations of ingress-nginx that Traefik's kubernetesIngressNGINX provider does otherwise, or not at all",
        Why = "The provider takes over Ingresses written for ingress-nginx, but not all of their annotations: some are ignored without a word, and a reached limit answers 429 where clients know 503.",
        Fix = "Write what is meant in Traefik's own terms (middlewares, annotations of the Service), or make sure that clients reconnect after 429 too.",
        References = [Docs + "reference/routing-configuration/kubernetes/ingress-nginx/"],
        Check = CheckNginxProviderGap,
    };

    private static IEnumerable<Detection> CheckStickyOnIngress(LintContext context)
    {
        foreach (var exposed in context.ExposedBy(EntryKind.Traefik).Where(e => e.Object.Kind == "Ingress"))
        {
            if (exposed.Object.Annotations?.Entries.FirstOrDefault(e => e.Key.Text.StartsWith(Sticky, StringComparison.Ordinal)) is not { Value: not null } sticky)
                continue;
            // Where the Service has them too, those on the Ingress are only superfluous.
            if (exposed.Routes.All(r => r.Service?.Object.Annotations?.Entries.Any(e => e.Key.Text.StartsWith(Sticky, StringComparison.Ordinal)) == true))
                continue;
            yield return new Detection(exposed.Object, Place.Of(sticky.Key), $"Traefik does not read {sticky.Key.Text[Prefix.Length..]} here, but on Service {exposed.Routes[0].ServiceName}: clients do not come back to their pod.") { Because = exposed.Routes[0].Signs };
        }
    }

    private static IEnumerable<Detection> CheckLegacyApi(LintContext context)
    {
        foreach (var exposed in context.ExposedBy(EntryKind.Traefik))
        {
            if (exposed.Entry.Controllers.Exists(IsOld))
                continue;
            var signs = exposed.Routes[0].Signs;
            if (exposed.Object.Group == OldGroup)
                yield return OldVersion(exposed.Object, signs);
            foreach (var middleware in Middlewares(context, exposed).Where(m => m.Group == OldGroup))
                yield return OldVersion(middleware, signs);
            foreach (var item in exposed.Routes.Select(r => r.Service?.Object).OfType<KubernetesObject>().Distinct().Prepend(exposed.Object))
            {
                foreach (var entry in item.Annotations?.Entries.Where(e => Version1.Contains(e.Key.Text, StringComparer.Ordinal)) ?? [])
                    yield return new Detection(item, Place.Of(entry.Key), $"{entry.Key.Text} is of Traefik 1; no later version reads it.") { Severity = Severity.Warning, Because = signs };
            }
        }
    }

    private static Detection OldVersion(KubernetesObject item, IReadOnlyList<Sign> signs)
    {
        var version = item.Root["apiVersion"]!;
        return new Detection(item, Place.Of(version), $"Traefik 3 does not look at {item.ApiVersion}: this {item.Kind} is ignored.")
        {
            Patch = Edits.Replace($"set apiVersion to {NewVersion}", version, NewVersion),
            Because = signs,
        };
    }

    private static IEnumerable<Detection> CheckInFlightLimit(LintContext context)
    {
        foreach (var exposed in context.ExposedBy(EntryKind.Traefik))
        {
            foreach (var middleware in Middlewares(context, exposed))
            {
                if (middleware.Spec?["inFlightReq"] is not { } limit || limit["amount"] is not { AsInteger: > 0 } amount)
                    continue;
                var bySource = limit["sourceCriterion"] is not null;
                yield return new Detection(
                    middleware,
                    Place.Of(amount),
                    $"{exposed.Object} sends WebSockets through this, and each counts while it is open: {(bySource ? "a source gets" : "all clients of a host together get")} {amount.Text} per Traefik pod, the next handshake 429.")
                {
                    Severity = bySource ? Severity.Advice : null,
                    Because = exposed.Routes[0].Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckNginxProviderGap(LintContext context)
    {
        // The provider takes over the class of a controller that is gone.
        if (!context.Graph.Workloads.Any(w => w.Containers.Any(c => EntryNames.OfImage(c.Image) == EntryKind.Traefik && c.CommandLine.Any(a => a.Text.StartsWith(NginxProvider, StringComparison.OrdinalIgnoreCase)))))
            yield break;
        foreach (var exposed in context.ExposedBy(EntryKind.IngressNginx).Where(e => e.Object.Kind == "Ingress" && e.Entry.Controllers.Count == 0))
        {
            foreach (var entry in exposed.Object.Annotations?.Entries ?? [])
            {
                var name = entry.Key.Text.StartsWith("nginx.ingress.kubernetes.io/", StringComparison.Ordinal) ? entry.Key.Text["nginx.ingress.kubernetes.io/".Length..] : "";
                var what = NginxGaps.GetValueOrDefault(name) ?? (name == "affinity-mode" && entry.Value.Text == "balanced" ? "is taken for persistent" : null);
                if (what is not null)
                    yield return new Detection(exposed.Object, Place.Of(entry.Key), $"with Traefik's kubernetesIngressNGINX provider {name} {what}.") { Because = exposed.Routes[0].Signs };
            }
        }
    }

    /// <summary>Of the routes that carry WebSockets: an Ingress names them as <c>shop-limit@kubernetescrd</c>, an IngressRoute by reference. Chains are followed one step.</summary>
    private static IEnumerable<KubernetesObject> Middlewares(LintContext context, ExposedObject exposed)
    {
        var item = exposed.Object;
        var found = new List<KubernetesObject?>();
        if (item.Kind == "Ingress")
        {
            var names = (item.Annotation(Prefix + "router.middlewares")?.Text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            found.AddRange(names.Where(n => n.EndsWith("@kubernetescrd", StringComparison.Ordinal)).Select(n => n[..^"@kubernetescrd".Length])
                .Select(n => context.Graph.Objects.OfKind("Middleware").FirstOrDefault(m => m.Namespace + "-" + m.Name == n)));
        }
        else
        {
            found.AddRange(exposed.Routes.SelectMany(r => Named(context, item, r.Rule["middlewares"])));
        }

        return found.OfType<KubernetesObject>().SelectMany(m => Named(context, m, m.Spec?.At("chain", "middlewares")).OfType<KubernetesObject>().Prepend(m)).Distinct();
    }

    private static IEnumerable<KubernetesObject?> Named(LintContext context, KubernetesObject from, Node? references) =>
        (references?.Items ?? []).Select(r => r["name"]?.AsText is { } name ? context.Graph.Objects.Find("Middleware", r["namespace"]?.AsText ?? from.Namespace, name, from) : null);
}
