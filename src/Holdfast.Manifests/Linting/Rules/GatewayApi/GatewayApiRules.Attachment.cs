using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Routes;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.GatewayApi;

/// <summary>Whether a route comes to be attached, and may lead where it leads.</summary>
internal static partial class GatewayApiRules
{
    private const string NotAskedFor = "the route asks for ";

    private static Rule MissingReferenceGrant => new()
    {
        Id = "HF-G05",
        Name = "missing-reference-grant",
        Severity = Severity.Error,
        Summary = "a route leads to a Service, or a listener to a certificate, in another namespace without a ReferenceGrant",
        Why = "Another namespace must agree. Without its ReferenceGrant the route gets ResolvedRefs=False, reason RefNotPermitted, and handshakes get 500; a listener without its certificate serves nobody.",
        Fix = "Add a ReferenceGrant in the namespace that is referred to: from the route's kind and namespace, to Service (or from Gateway, to Secret).",
        NotClaimed = "Only where the Service or Secret (or the Certificate that makes it) is among the manifests, and the route says its namespace: otherwise the grant may be elsewhere too.",
        References = [Docs + "api-types/referencegrant/"],
        Check = CheckMissingReferenceGrant,
    };

    private static Rule ListenerNotAllowingRoute => new()
    {
        Id = "HF-G06",
        Name = "listener-not-allowing-route",
        Severity = Severity.Error,
        Summary = "no listener of the Gateway takes a route of WebSockets: namespace, kind, host name or section does not fit",
        Why = "A listener takes routes of its own namespace only, unless allowedRoutes says otherwise, and only with a host name that fits its own. A route that no listener takes is not attached: its handshakes get 404.",
        Fix = "Open allowedRoutes.namespaces (from: All, or a Selector) on the listener, or correct the route's hostnames, sectionName or port.",
        NotClaimed = "Only for Gateways among the manifests; a selector only where the route's Namespace is there too.",
        References = [Docs + "api-types/httproute/#attaching-to-gateways", "https://github.com/kubernetes-sigs/gateway-api/blob/v1.6.1/apis/v1/gateway_types.go"],
        Check = CheckListenerNotAllowingRoute,
    };

    private static IEnumerable<Detection> CheckMissingReferenceGrant(LintContext context)
    {
        foreach (var route in context.Graph.Routes.Where(r => r.IsWebSocket && r.Object.Group == GatewayApiRoutes.Group && r.Service is not null))
        {
            if (route.ServiceNamespace == route.Object.Namespace || !SaysNamespace(route.Object) || IsGranted(context, route.Object, route.ServiceNamespace, "Service", route.ServiceName))
                continue;
            yield return new Detection(route.Object, Place.Of(route.Backend, "namespace"), $"Service {route.ServiceNamespace}/{route.ServiceName} is in another namespace, and no ReferenceGrant there allows {route.Object.Kind}s from {route.Object.Namespace}.") { Because = route.Signs };
        }

        foreach (var entry in context.WebSocketEntries.Where(e => e.Object is { Kind: "Gateway", Group: GatewayApiRoutes.Group }))
        {
            var gateway = entry.Object!;
            foreach (var reference in (gateway.Spec?["listeners"]?.Items ?? []).SelectMany(l => l.At("tls", "certificateRefs")?.Items ?? []))
            {
                if (reference["namespace"] is not { AsText: { } ns } at || reference["name"]?.AsText is not { } name || ns == gateway.Namespace || !SaysNamespace(gateway)
                    || !HasSecret(context, ns, name, gateway) || IsGranted(context, gateway, ns, "Secret", name))
                {
                    continue;
                }

                yield return new Detection(gateway, Place.Of(at), $"Secret {ns}/{name} is in another namespace, and no ReferenceGrant there allows Gateways from {gateway.Namespace}.") { Because = entry.Routes.First(r => r.IsWebSocket).Signs };
            }
        }
    }

    private static bool HasSecret(LintContext context, string ns, string name, KubernetesObject near) => context.Graph.Objects.Find("Secret", ns, name, near) is not null
        || context.Graph.Objects.OfKind("Certificate").Any(c => c.Namespace == ns && c.Spec?["secretName"]?.AsText == name);

    private static bool IsGranted(LintContext context, KubernetesObject from, string ns, string kind, string name) => context.Graph.Objects.OfKind("ReferenceGrant", GatewayApiRoutes.Group).Any(g =>
        g.Namespace == ns
        && g.Spec?["from"]?.Items.Any(f => f["kind"]?.AsText == from.Kind && f["group"]?.AsText == from.Group && f["namespace"]?.AsText == from.Namespace) == true
        && g.Spec?["to"]?.Items.Any(t => t["kind"]?.AsText == kind && t["group"]?.AsText is null or "" && (t["name"]?.AsText is not { } only || only == name)) == true);

    private static IEnumerable<Detection> CheckListenerNotAllowingRoute(LintContext context)
    {
        foreach (var (item, route) in HttpRoutes(context).DistinctBy(r => r.Object).Select(r => (r.Object, r)))
        {
            foreach (var parent in item.Spec?["parentRefs"]?.Items ?? [])
            {
                if (parent["kind"]?.AsText is not (null or "Gateway") || parent["name"]?.AsText is not { } name
                    || context.Graph.Objects.Find("Gateway", parent["namespace"]?.AsText ?? item.Namespace, name, item) is not { Group: GatewayApiRoutes.Group } gateway)
                {
                    continue;
                }

                string? reason = null;
                var isTaken = false;
                foreach (var listener in gateway.Spec?["listeners"]?.Items ?? [])
                {
                    var refusal = Refusal(context, listener, gateway, item, parent);
                    isTaken |= refusal is null;
                    // A listener that the route does ask for tells more than one that it does not.
                    if (reason is null || reason.StartsWith(NotAskedFor, StringComparison.Ordinal))
                        reason = refusal ?? reason;
                }

                if (!isTaken && reason is not null)
                    yield return new Detection(item, Place.Of(parent), $"no listener of {gateway} takes this route: {reason}.") { Because = route.Signs };
            }
        }
    }

    /// <summary>Why a listener does not take a route; null: it does, or the manifests do not tell.</summary>
    private static string? Refusal(LintContext context, Node listener, KubernetesObject gateway, KubernetesObject route, Node parent)
    {
        var name = listener["name"]?.AsText ?? "";
        if (parent["sectionName"]?.AsText is { } section && section != name)
            return $"{NotAskedFor}the section {section}";
        if (parent["port"]?.AsText is { } port && port != listener["port"]?.AsText)
            return $"{NotAskedFor}port {port}";
        if (listener["protocol"]?.AsText is "TLS" or "TCP" or "UDP")
            return $"listener {name} is for {listener["protocol"]!.Text}";
        if (listener.At("allowedRoutes", "kinds") is { Items.Count: > 0 } kinds && !kinds.Items.Any(k => k["kind"]?.AsText == "HTTPRoute"))
            return $"listener {name} does not allow the kind HTTPRoute";
        if (NamespaceRefusal(context, listener, gateway, route) is { } refusal)
            return $"listener {name} {refusal}";
        var hosts = (route.Spec?["hostnames"]?.Items ?? []).Select(h => h.AsText ?? "").ToList();
        return listener["hostname"]?.AsText is { } host && hosts.Count > 0 && !hosts.Exists(h => Intersect(host, h)) ? $"listener {name} is for {host}, the route for {string.Join(", ", hosts)}" : null;
    }

    private static string? NamespaceRefusal(LintContext context, Node listener, KubernetesObject gateway, KubernetesObject route)
    {
        var namespaces = listener.At("allowedRoutes", "namespaces");
        switch (namespaces?["from"]?.AsText ?? "Same")
        {
            case "Same":
                return SaysNamespace(gateway) && SaysNamespace(route) && gateway.Namespace != route.Namespace ? $"takes routes of namespace {gateway.Namespace} only" : null;
            case "None":
                return "takes no routes";
            case "Selector":
                var ns = SaysNamespace(route) ? context.Graph.Objects.Find("Namespace", "", route.Namespace, route) : null;
                return ns is not null && !LabelSelector.Matches(namespaces!["selector"], ns.Labels) && !IsByName(namespaces["selector"]) ? $"selects namespaces by labels that {route.Namespace} does not have" : null;
            default:
                return null;
        }
    }

    /// <summary>Every namespace gets this label from Kubernetes itself.</summary>
    private static bool IsByName(Node? selector) =>
        selector?.At("matchLabels", "kubernetes.io/metadata.name") is not null || selector?["matchExpressions"]?.Items.Any(e => e["key"] is { Text: "kubernetes.io/metadata.name" }) == true;

    private static bool Intersect(string a, string b) => a == b || Covers(a, b) || Covers(b, a);

    /// <summary><c>*.example.com</c> covers <c>a.example.com</c> and <c>*.b.example.com</c>, but not <c>example.com</c>.</summary>
    private static bool Covers(string wildcard, string host) => wildcard.StartsWith("*.", StringComparison.Ordinal) && host.EndsWith(wildcard[1..], StringComparison.OrdinalIgnoreCase) && host.Length > wildcard.Length - 1;
}
