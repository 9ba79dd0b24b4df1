using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;

namespace Holdfast.Manifests.Linting.Rules.Nginx;

/// <summary>Cookies that should bring a client back to its pod. They matter at the next handshake, not to an open WebSocket.</summary>
internal static partial class NginxRules
{
    private const string Affinity = "affinity";
    private const string Mode = "affinity-mode";
    private const string Secure = "session-cookie-secure";
    private const string TraefikCookie = "traefik.ingress.kubernetes.io/service.sticky.cookie";

    private static Rule PartialAffinity => new()
    {
        Id = "HF-N13",
        Name = "nginx-partial-affinity",
        Severity = Severity.Warning,
        Summary = "of several Ingresses for one host and Service only some have affinity: cookie",
        Why = "The cookie of an Ingress counts for that Ingress's paths alone. Through the others requests go to any pod, so a client that fetched its session on one path reconnects its WebSocket to a pod that does not know it.",
        Fix = "Put the same affinity annotations on every Ingress of the host that leads to this Service.",
        References = [AnnotationDocs + "#session-affinity"],
        Check = CheckPartialAffinity,
    };

    private static Rule BalancedAffinity => new()
    {
        Id = "HF-N14",
        Name = "nginx-affinity-balanced",
        Severity = Severity.Advice,
        Summary = "affinity: cookie without affinity-mode: persistent",
        Why = "The default mode, balanced, moves some sessions to other pods whenever the Deployment is scaled up: at its next reconnect such a client finds its session gone. Open WebSockets stay where they are.",
        Fix = "Set nginx.ingress.kubernetes.io/affinity-mode: persistent.",
        References = [AnnotationDocs + "#session-affinity"],
        HasPatch = true,
        Check = CheckBalancedAffinity,
    };

    private static Rule InsecureCookie => new()
    {
        Id = "HF-N15",
        Name = "cookie-samesite-none-insecure",
        Severity = Severity.Warning,
        Summary = "an affinity cookie with SameSite=None that may go out without Secure (ingress-nginx, Traefik)",
        Why = "Browsers refuse SameSite=None without Secure, so the cookie never comes back and every reconnect goes to any pod. ingress-nginx adds Secure by itself only to requests that reach it over TLS; Traefik never does.",
        Fix = "Set session-cookie-secure: \"true\" (Traefik: service.sticky.cookie.secure: \"true\").",
        NotClaimed = "An Ingress with spec.tls is not reported: its requests come over TLS, and ingress-nginx adds Secure (rootfs/etc/nginx/lua/balancer/sticky.lua), also when session-cookie-secure is \"false\".",
        References =
        [
            AnnotationDocs + "#cookie-affinity", "https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/rootfs/etc/nginx/lua/balancer/sticky.lua",
            "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#samesitesamesite-value",
        ],
        HasPatch = true,
        Check = CheckInsecureCookie,
    };

    private static Rule ServiceUpstream => new()
    {
        Id = "HF-N16",
        Name = "nginx-service-upstream",
        Severity = Severity.Warning,
        Summary = "service-upstream: \"true\" together with cookie affinity or upstream-hash-by",
        Why = "With service-upstream nginx knows one address only, the Service's; kube-proxy then picks a pod at random, and affinity has no effect.",
        Fix = "Remove service-upstream.",
        References = [AnnotationDocs + "#service-upstream"],
        HasPatch = true,
        Check = CheckServiceUpstream,
    };

    private static IEnumerable<Detection> CheckPartialAffinity(LintContext context)
    {
        // Also Ingresses that carry no WebSockets: they may be the ones that set the cookie.
        var sticky = context.Graph.Routes.Where(r => r.Object.Kind == "Ingress" && r.Entries.Any(e => e.Kind == EntryKind.IngressNginx) && IsSticky(r.Object))
            .ToLookup(r => (r.Host, r.ServiceNamespace, r.ServiceName), r => r.Object);
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            if (IsSticky(ingress))
                continue;
            // One of the same name is this very Ingress in another environment.
            var (route, other) = routes.Select(r => (Route: r, Other: sticky[(r.Host, r.ServiceNamespace, r.ServiceName)].FirstOrDefault(o => o.Name != ingress.Name || o.Namespace != ingress.Namespace)))
                .FirstOrDefault(p => p.Other is not null);
            if (other is null)
                continue;
            yield return new Detection(
                ingress,
                Place.Of(ingress, "metadata", "annotations", NginxTimeout.Prefix + Affinity),
                $"{other} has affinity: cookie for {(route.Host.Length > 0 ? route.Host : "the same host")} and Service {route.ServiceName}, this Ingress has not: its WebSockets go to any pod.")
            {
                Because = route.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckBalancedAffinity(LintContext context)
    {
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            if (!IsSticky(ingress) || Annotation(ingress, Mode) is { Text: not "balanced" })
                continue;
            yield return new Detection(
                ingress,
                Place.Of(Annotation(ingress, Mode) ?? Annotation(ingress, Affinity)!),
                "affinity is balanced: scaling up moves sessions, and a client that reconnects may come to another pod.")
            {
                Patch = Edits.SetAnnotation(ingress, NginxTimeout.Prefix + Mode, "persistent"),
                Because = routes[0].Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckInsecureCookie(LintContext context)
    {
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            if (!IsSticky(ingress) || Annotation(ingress, "session-cookie-samesite") is not { } sameSite || !sameSite.Text.Equals("none", StringComparison.OrdinalIgnoreCase))
                continue;
            if (IsTrue(Annotation(ingress, Secure)) || ingress.Spec?["tls"] is { Items.Count: > 0 })
                continue;
            yield return new Detection(ingress, Place.Of(sameSite), "the affinity cookie says SameSite=None, and Secure is only added to requests that reach nginx over TLS: behind a balancer that ends TLS browsers refuse it.")
            {
                Patch = Edits.SetAnnotation(ingress, NginxTimeout.Prefix + Secure, "true"),
                Because = routes[0].Signs,
            };
        }

        foreach (var service in context.WebSocketServices)
        {
            if (service.Object.Annotation(TraefikCookie + ".samesite") is not { } sameSite || !sameSite.Text.Equals("none", StringComparison.OrdinalIgnoreCase) || IsTrue(service.Object.Annotation(TraefikCookie + ".secure")))
                continue;
            yield return new Detection(service.Object, Place.Of(sameSite), "Traefik's affinity cookie says SameSite=None without Secure: browsers refuse it.")
            {
                Patch = Edits.SetAnnotation(service.Object, TraefikCookie + ".secure", "true"),
                Because = service.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckServiceUpstream(LintContext context)
    {
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            if (Annotation(ingress, "service-upstream") is not { } upstream || !IsTrue(upstream) || !IsSticky(ingress) && Annotation(ingress, "upstream-hash-by") is null)
                continue;
            yield return new Detection(ingress, Place.Of(upstream), $"service-upstream makes {(IsSticky(ingress) ? "affinity: cookie" : "upstream-hash-by")} void: nginx sees the Service's address only.")
            {
                Patch = Edits.RemoveAnnotation(ingress, NginxTimeout.Prefix + "service-upstream"),
                Because = routes[0].Signs,
            };
        }
    }

    private static bool IsSticky(KubernetesObject ingress) => Annotation(ingress, Affinity) is { Text: "cookie" };
}
