using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Routes;

namespace Holdfast.Manifests.Linting.Rules.Istio;

/// <summary>DestinationRules.</summary>
internal static partial class IstioRules
{
    /// <summary>Envoy's own default of max_connections and max_requests, and what pages about circuit breaking show at most.</summary>
    private const int SmallPool = 1024;

    private static Rule LeastConn => new()
    {
        Id = "HF-I02",
        Name = "istio-least-conn",
        Severity = Severity.Advice,
        Summary = "simple: LEAST_CONN, the old name of LEAST_REQUEST",
        Why = "LEAST_CONN is deprecated and means LEAST_REQUEST. An open WebSocket is one open request, so a new pod gets every reconnecting client at once until it holds as many as the others; warmup spreads that.",
        Fix = "Write simple: LEAST_REQUEST, with warmup (duration: 60s or more) where a new pod cannot take all handshakes at once.",
        NotClaimed = "That LEAST_CONN itself drops anything: Istio still takes it for LEAST_REQUEST.",
        References = [RuleDocs + "#LoadBalancerSettings-SimpleLB", Source + "pilot/pkg/networking/core/cluster_traffic_policy.go"],
        HasPatch = true,
        Check = CheckLeastConn,
    };

    private static Rule PoolTooSmall => new()
    {
        Id = "HF-I04",
        Name = "istio-pool-too-small",
        Severity = Severity.Error,
        Summary = "maxConnections or http2MaxRequests is less than the WebSockets that are expected",
        Why = "An open WebSocket holds one connection and one request of the pool for as long as it lives. When the pool of a proxy is full the next handshake gets 503 (flag UO), for everybody behind that proxy.",
        Fix = "Leave both out, or set them to more WebSockets than one proxy will ever hold to this Service.",
        NotClaimed = "Without declared connections per pod (holdfast.dev/connections-per-pod) only advice, for limits up to 1024. With them an error only when the number of gateways is known.",
        References = [RuleDocs + "#ConnectionPoolSettings", "https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking"],
        Check = CheckPoolTooSmall,
    };

    private static Rule MaxConnectionDuration => new()
    {
        Id = "HF-I05",
        Name = "istio-max-connection-duration",
        Severity = Severity.Warning,
        Summary = "a longest life for connections: tcp.maxConnectionDuration on TCP or TLS routes, httpMaxStreamDuration of gateways",
        Why = "At its end the proxy closes the connection however busy it is, without a close frame; and connections that were opened together, after a rollout, are closed together.",
        Fix = "Remove it for WebSockets; to spread load let the application close its connections, with a frame and evenly.",
        NotClaimed = "maxConnectionDuration is often said to cut WebSockets that Istio routes as HTTP, and so is httpMaxConnectionDuration. Envoy then lets open requests end, and a WebSocket is one; they are not reported.",
        References = [RuleDocs + "#ConnectionPoolSettings-TCPSettings", Source + "pilot/pkg/networking/core/networkfilter.go", "https://github.com/envoyproxy/envoy/blob/main/source/common/conn_pool/conn_pool_base.cc"],
        HasPatch = true,
        Check = CheckMaxConnectionDuration,
    };

    private static Rule H2Upgrade => new()
    {
        Id = "HF-I06",
        Name = "istio-h2-upgrade",
        Severity = Severity.Warning,
        Summary = "h2UpgradePolicy: UPGRADE for a Service of WebSockets",
        Why = "The proxy then speaks HTTP/2 to the pods. A WebSocket's upgrade becomes an extended CONNECT (RFC 8441), which many servers do not know: the handshake fails where it worked over HTTP/1.1.",
        Fix = "Set h2UpgradePolicy: DO_NOT_UPGRADE for this Service, or make sure that the application takes WebSockets over HTTP/2.",
        NotClaimed = "Nothing with useClientProtocol, which wins over it.",
        References = [RuleDocs + "#ConnectionPoolSettings-HTTPSettings", "https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/upgrades", "https://www.rfc-editor.org/rfc/rfc8441"],
        HasPatch = true,
        Check = CheckH2Upgrade,
    };

    private static Rule HashWithLocality => new()
    {
        Id = "HF-I09",
        Name = "istio-hash-with-locality",
        Severity = Severity.Warning,
        Summary = "consistentHash together with localityLbSetting",
        Why = "Consistent hashing needs every proxy to see the same endpoints; with locality load balancing proxies of different zones do not. A client that comes in through another zone gets another pod, where its session is not when its WebSocket reconnects.",
        Fix = "Decide for one: consistentHash with localityLbSetting: {enabled: false}, or locality without stickiness.",
        References = [RuleDocs + "#LoadBalancerSettings-ConsistentHashLB", "https://github.com/istio/api/blob/master/networking/v1alpha3/destination_rule.proto"],
        HasPatch = true,
        Check = CheckHashWithLocality,
    };

    private static Rule OutlierEjectsAll => new()
    {
        Id = "HF-I10",
        Name = "istio-outlier-ejects-all",
        Severity = Severity.Warning,
        Summary = "outlierDetection that may eject every pod: maxEjectionPercent 100",
        Why = "When all clients reconnect at once some handshakes fail with 5xx on every pod. With maxEjectionPercent: 100 the proxy then takes all pods out for baseEjectionTime, and no handshake succeeds anywhere.",
        Fix = "Set maxEjectionPercent to 10 (the default) up to 50, and count only consecutiveGatewayErrors.",
        NotClaimed = "minHealthPercent: 0 is the default and is not reported by itself. Open WebSockets stay open when a pod is ejected.",
        References = [RuleDocs + "#OutlierDetection", "https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier"],
        Check = CheckOutlierEjectsAll,
    };

    private static IEnumerable<Detection> CheckLeastConn(LintContext context)
    {
        foreach (var policy in Policies(context))
        {
            if (policy.Node.At("loadBalancer", "simple") is not { Text: "LEAST_CONN" } simple)
                continue;
            yield return new Detection(policy.Rule, Place.Of(simple), "LEAST_CONN is the deprecated name of LEAST_REQUEST.")
            {
                Patch = Edits.Replace("set simple to LEAST_REQUEST", simple, "LEAST_REQUEST"),
                Because = policy.Service.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckPoolTooSmall(LintContext context)
    {
        foreach (var policy in Policies(context))
        {
            foreach (var path in (string[][])[["connectionPool", "tcp", "maxConnections"], ["connectionPool", "http", "http2MaxRequests"]])
            {
                if (policy.Node.At(path) is not { AsInteger: > 0 and var limit } at)
                    continue;
                var (message, severity) = JudgePool(context, policy.Service, path[^1], limit);
                if (message is not null)
                    yield return new Detection(policy.Rule, Place.Of(at), message) { Severity = severity, Because = policy.Service.Signs };
            }
        }
    }

    private static (string? Message, Severity? Severity) JudgePool(LintContext context, Service service, string name, int limit)
    {
        long perPod = service.Workloads.Select(w => w.Annotation(RolloutBudget.ConnectionsAnnotation)?.AsInteger ?? context.Settings.Assume.ConnectionsPerPod).DefaultIfEmpty(0).Max();
        if (perPod <= 0)
            return limit <= SmallPool ? ($"{name} is {limit}: when one proxy holds so many open WebSockets to {service}, the next handshake gets 503.", Linting.Severity.Advice) : (null, null);
        var sockets = service.Workloads.Sum(w => (w.Annotation(RolloutBudget.ConnectionsAnnotation)?.AsInteger ?? context.Settings.Assume.ConnectionsPerPod) * (long)(w.Replicas?.AsInteger ?? 1));
        var proxies = service.Routes.SelectMany(r => r.Entries).SelectMany(e => e.Controllers).Distinct().Sum(c => (long)(c.Replicas?.AsInteger ?? 1));
        if (proxies > 0 && limit * proxies < sockets)
            return ($"{name} is {limit} for each of {proxies} gateway pods, but {sockets} WebSockets are expected: the rest gets 503.", null);
        return proxies == 0 && limit < perPod ? ($"{name} is {limit} per proxy, but one pod alone is to hold {perPod} WebSockets: handshakes beyond get 503.", Linting.Severity.Warning) : (null, null);
    }

    private static IEnumerable<Detection> CheckMaxConnectionDuration(LintContext context)
    {
        string[] path = ["connectionPool", "tcp", "maxConnectionDuration"];
        foreach (var policy in Policies(context))
        {
            if (policy.Node.At(path) is not { } at || Durations.Parse(at.AsText) is not { Ticks: > 0 } duration || !IsRoutedAsBytes(policy.Service))
                continue;
            yield return new Detection(policy.Rule, Place.Of(at), $"maxConnectionDuration is {Durations.Say(duration)}, and WebSockets come by a TCP or TLS route: each is cut at that age.")
            {
                Patch = Edits.Remove("remove maxConnectionDuration", policy.Node, path),
                Because = policy.Service.Signs,
            };
        }

        foreach (var (item, at, value, signs) in GatewaySettings(context, "httpMaxStreamDuration"))
            yield return new Detection(item, Place.Of(at), $"httpMaxStreamDuration is {Durations.Say(value)}: the gateway cuts each WebSocket at that age.") { Because = signs };
    }

    private static bool IsRoutedAsBytes(Service service) => service.Routes.Any(r => r.IsWebSocket && r.Object is { Kind: "VirtualService", Spec: { } spec } && r.Object.Group == IstioRoutes.Group
        && ((string[])["tcp", "tls"]).Any(p => spec[p]?.Items.Contains(r.Rule) == true));

    private static IEnumerable<Detection> CheckH2Upgrade(LintContext context)
    {
        foreach (var policy in Policies(context))
        {
            if (policy.Node.At("connectionPool", "http", "h2UpgradePolicy") is not { Text: "UPGRADE" } at || policy.Node.At("connectionPool", "http", "useClientProtocol") is { AsBoolean: true })
                continue;
            yield return new Detection(policy.Rule, Place.Of(at), $"{policy.Service} is spoken to in HTTP/2, where an upgrade to WebSocket needs RFC 8441 at the other end.")
            {
                Patch = Edits.Replace("set h2UpgradePolicy to DO_NOT_UPGRADE", at, "DO_NOT_UPGRADE"),
                Because = policy.Service.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckHashWithLocality(LintContext context)
    {
        foreach (var policy in Policies(context))
        {
            if (policy.Node["loadBalancer"] is not { } balancer || balancer["consistentHash"] is null || balancer["localityLbSetting"] is not { } locality || locality["enabled"] is { AsBoolean: false })
                continue;
            yield return new Detection(policy.Rule, Place.Of(balancer, "localityLbSetting"), "proxies of different zones hash over different pods: the same client may come to another one when it reconnects.")
            {
                Patch = locality["enabled"] is { } enabled ? Edits.Replace("set localityLbSetting.enabled to false", enabled, "false") : null,
                Because = policy.Service.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckOutlierEjectsAll(LintContext context)
    {
        foreach (var policy in Policies(context))
        {
            if (policy.Node.At("outlierDetection", "maxEjectionPercent") is not { AsInteger: >= 100 } at)
                continue;
            yield return new Detection(policy.Rule, Place.Of(at), $"a burst of failed handshakes may take every pod of {policy.Service} out at once.") { Because = policy.Service.Signs };
        }
    }
}
