using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Graph.Signs;

namespace Holdfast.Manifests.Linting.Rules.Services;

/// <summary>HF-S: Services on the way of WebSockets: those of the workloads, and those before ingress controllers and gateways.</summary>
internal static class ServiceRules
{
    private const string Docs = "https://kubernetes.io/docs/reference/networking/virtual-ips/";
    private const string ServiceApi = "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec";
    private const string SourceIpDocs = "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip";
    private const string AwsTargetType = Balancer.Prefix + "aws-load-balancer-nlb-target-type";

    /// <summary>They connect to pods themselves, unless an annotation tells them not to; what kube-proxy does for a Service does not concern them.</summary>
    private static readonly EntryKind[] DialPods =
    [
        EntryKind.IngressNginx, EntryKind.F5Nginx, EntryKind.NginxGatewayFabric, EntryKind.Traefik, EntryKind.EnvoyGateway, EntryKind.Contour, EntryKind.Kgateway,
        EntryKind.HaProxyTech, EntryKind.HaProxyIngress, EntryKind.OpenShiftRouter, EntryKind.Holdfast,
    ];

    /// <summary>By their last part, on a route or a Service: the controller is to use the Service's address after all.</summary>
    private static readonly string[] DialService = ["service-upstream", "service.nativelb", "use-cluster-ip"];

    public static RuleFamily Family { get; } = new('S', "Services", [AffinityBehindProxy, ClusterPolicy, UnspreadLocal, InternalLocal, NotReady]);

    private static Rule AffinityBehindProxy => new()
    {
        Id = "HF-S01",
        Name = "clientip-affinity-behind-proxy",
        Severity = Severity.Advice,
        Summary = "sessionAffinity: ClientIP on a Service that is reached through a proxy which connects to pods itself",
        Why = "sessionAffinity is carried out by kube-proxy for connections to the Service's address. An ingress controller or gateway looks up the pods and connects to them directly, so clients come back to any pod, and a session that lives in one is not found.",
        Fix = "Remove sessionAffinity and configure affinity in the gateway; a plain WebSocket needs none, it is one connection.",
        NotClaimed = "Only Services whose every route goes through a controller known to connect to pods, and it is advice: connections from inside the cluster may come to the address.",
        References = [Docs + "#session-affinity", "https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/docs/user-guide/miscellaneous.md#why-endpoints-and-not-services", "https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress/"],
        HasPatch = true,
        Check = CheckAffinityBehindProxy,
    };

    private static Rule ClusterPolicy => new()
    {
        Id = "HF-S02",
        Name = "etp-cluster-on-gateway",
        Severity = Severity.Warning,
        Summary = "externalTrafficPolicy: Cluster (the default) on a LoadBalancer Service that brings WebSockets in",
        Why = "The balancer sends a connection to any node, and that node passes it on to a pod on another. Taking a node away (an upgrade, an autoscaler) then also cuts connections of pods that run elsewhere, and the pods see the node's address instead of the client's.",
        Fix = "Set externalTrafficPolicy: Local and spread the pods over the nodes, or let the balancer send to pods directly (on AWS target type ip).",
        NotClaimed = "Not reported where the balancer is known to send to pods directly: NLB target type ip, allocateLoadBalancerNodePorts: false, EKS Auto Mode.",
        References = [Docs + "#external-traffic-policy", SourceIpDocs, "https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/3836-kube-proxy-improved-ingress-connectivity-reliability"],
        Check = CheckClusterPolicy,
    };

    private static Rule UnspreadLocal => new()
    {
        Id = "HF-S03",
        Name = "etp-local-unspread",
        Severity = Severity.Advice,
        Summary = "externalTrafficPolicy: Local before several pods that nothing spreads over the nodes",
        Why = "With Local the balancer shares connections among the nodes that have a pod, whatever their number of pods. Two pods on one node get half as many connections each as one alone on another, and when that one goes, so do the connections of a whole node's share.",
        Fix = "Add topologySpreadConstraints over kubernetes.io/hostname to the pods.",
        NotClaimed = "That fewer pods than nodes are wrong by itself: nodes without a pod fail the balancer's health check and get nothing, as intended. Imbalance drops nothing by itself, so it is advice.",
        References = [Docs + "#external-traffic-policy", "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#caveats-and-limitations-when-preserving-source-ips"],
        Check = CheckUnspreadLocal,
    };

    private static Rule InternalLocal => new()
    {
        Id = "HF-S04",
        Name = "itp-local",
        Severity = Severity.Warning,
        Summary = "internalTrafficPolicy: Local on a Service of WebSockets",
        Why = "A connection to the Service's address from a node without a pod of it is dropped, however many pods run elsewhere. After a rollout or a move of pods other nodes are concerned than before.",
        Fix = "Remove internalTrafficPolicy; trafficDistribution: PreferSameNode prefers the own node without dropping anything.",
        NotClaimed = "Services whose every route goes through a controller known to connect to pods are not reported: it has no effect there. Neither are those of a DaemonSet, which has a pod on each node.",
        References = ["https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/", Docs + "#internal-traffic-policy"],
        HasPatch = true,
        Check = CheckInternalLocal,
    };

    private static Rule NotReady => new()
    {
        Id = "HF-S05",
        Name = "publish-not-ready",
        Severity = Severity.Error,
        Summary = "publishNotReadyAddresses: true on a Service that brings WebSockets to pods",
        Why = "All pods count as ready for this Service, also those that are starting, failing their probe, or ending. At every rollout handshakes are sent to pods that do not serve, and fail.",
        Fix = "Remove publishNotReadyAddresses; pods that must find each other before they are ready get a headless Service of their own.",
        NotClaimed = "A headless Service without routes is for pods to find each other and not reported.",
        References = [ServiceApi, "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions"],
        HasPatch = true,
        Check = CheckNotReady,
    };

    private static IEnumerable<Detection> CheckAffinityBehindProxy(LintContext context)
    {
        foreach (var service in context.WebSocketServices)
        {
            if (service.Object.Spec?["sessionAffinity"] is not { Text: "ClientIP" } affinity || service.Type != "ClusterIP" || !IsDialledPast(service))
                continue;
            var entry = service.Routes[0].Entries[0];
            yield return new Detection(service.Object, Place.Of(affinity), $"{EntryNames.Of(entry.Kind)} connects to the pods itself, so sessionAffinity has no effect on what comes through it.")
            {
                // The API server refuses a configuration without the affinity.
                Patch = service.Object.Spec.EntryOf("sessionAffinityConfig") is null ? Edits.Remove("remove sessionAffinity", service.Object.Root, ["spec", "sessionAffinity"]) : null,
                Because = service.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckClusterPolicy(LintContext context)
    {
        foreach (var (service, signs) in Outer(context))
        {
            if (service.Type != "LoadBalancer" || service.Object.Spec is not { } spec || spec["externalTrafficPolicy"] is { Text: "Local" } || SendsToPods(service))
                continue;
            yield return new Detection(
                service.Object,
                Place.Of(service.Object, "spec", "externalTrafficPolicy"),
                "externalTrafficPolicy is Cluster: connections pass through nodes that do not run their pod, and taking such a node away cuts them.")
            {
                Because = signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckUnspreadLocal(LintContext context)
    {
        foreach (var (service, signs) in Outer(context))
        {
            if (service.Type is not ("LoadBalancer" or "NodePort") || service.Object.Spec?["externalTrafficPolicy"] is not { Text: "Local" } policy || SendsToPods(service))
                continue;
            var unspread = service.Workloads.FirstOrDefault(w => ReplicaFloor.Of(w) is { Count: > 1 } && !w.IsSpread);
            if (unspread is null)
                continue;
            yield return new Detection(service.Object, Place.Of(policy), $"nothing spreads the pods of {unspread} over the nodes: those that share a node share one node's part of the connections.") { Because = signs };
        }
    }

    private static IEnumerable<Detection> CheckInternalLocal(LintContext context)
    {
        foreach (var service in context.WebSocketServices)
        {
            if (service.Object.Spec?["internalTrafficPolicy"] is not { Text: "Local" } policy || IsDialledPast(service) || service.Workloads.Exists(w => w.Object.Kind == "DaemonSet"))
                continue;
            yield return new Detection(service.Object, Place.Of(policy), "internalTrafficPolicy is Local: handshakes from nodes without a pod of this Service are dropped.")
            {
                Patch = Edits.Remove("remove internalTrafficPolicy", service.Object.Root, ["spec", "internalTrafficPolicy"]),
                Because = service.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckNotReady(LintContext context)
    {
        foreach (var service in context.WebSocketServices)
        {
            var isHeadless = service.Object.Spec?["clusterIP"] is { Text: "None" };
            if (service.Object.Spec?["publishNotReadyAddresses"] is not { AsBoolean: true } publish || isHeadless && service.Routes.Count == 0)
                continue;
            yield return new Detection(service.Object, Place.Of(publish), "publishNotReadyAddresses is true: pods that are starting or ending get handshakes, and these fail.")
            {
                Patch = Edits.Remove("remove publishNotReadyAddresses", service.Object.Root, ["spec", "publishNotReadyAddresses"]),
                Because = service.Signs,
            };
        }
    }

    /// <summary>Services that the outside reaches WebSockets by: those of the entries, and those of workloads themselves.</summary>
    private static IEnumerable<(Service Service, IReadOnlyList<Sign> Signs)> Outer(LintContext context) =>
        context.WebSocketEntries.SelectMany(e => e.Services.Select(s => (s, e.Routes.First(r => r.IsWebSocket).Signs)))
            .Concat(context.WebSocketServices.Select(s => (s, s.Signs))).DistinctBy(s => s.s);

    private static bool IsDialledPast(Service service) =>
        service.Routes.Count > 0 && service.Routes.All(r => r.Entries.Count > 0 && r.Entries.All(e => DialPods.Contains(e.Kind)) && !DialsService(r.Object))
        && !DialsService(service.Object);

    private static bool DialsService(KubernetesObject item) =>
        (item.Annotations?.Entries ?? []).Any(a => a.Value.Text == "true" && DialService.Contains(a.Key.Text[(a.Key.Text.LastIndexOf('/') + 1)..], StringComparer.Ordinal));

    /// <summary>Or may do so: of EKS Auto Mode only a written target type counts.</summary>
    private static bool SendsToPods(Service service) =>
        service.Object.Spec?["loadBalancerClass"] is { Text: "eks.amazonaws.com/nlb" } && service.Object.Annotation(AwsTargetType) is not { Text: "instance" }
        || service.Object.Annotation(AwsTargetType) is { Text: "ip" } || service.Object.Annotation(Balancer.AwsType) is { Text: "nlb-ip" }
        || service.Object.Spec?["allocateLoadBalancerNodePorts"] is { AsBoolean: false };
}
