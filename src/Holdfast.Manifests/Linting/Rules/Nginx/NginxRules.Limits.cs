using Holdfast.Manifests.Linting.Graph.Entries;

namespace Holdfast.Manifests.Linting.Rules.Nginx;

/// <summary>Limits per client address: who shares an address shares the limit.</summary>
internal static partial class NginxRules
{
    private static readonly string[] RateLimits = ["limit-rps", "limit-rpm"];

    private static Rule LimitConnections => new()
    {
        Id = "HF-N11",
        Name = "nginx-limit-connections",
        Severity = Severity.Warning,
        Summary = "limit-connections where client addresses do not reach nginx",
        Why = "limit-connections counts open connections per client address, and a WebSocket counts for as long as it is open. When the Service rewrites addresses (externalTrafficPolicy: Cluster, no PROXY protocol, no forwarded headers) all users share those of a few nodes, and upgrades get 503.",
        Fix = "Let real addresses reach nginx (use-proxy-protocol, use-forwarded-headers, or externalTrafficPolicy: Local), or remove the limit on WebSocket paths.",
        NotClaimed = "Where the controller is not among the manifests it is only advice; where addresses do reach nginx nothing is reported.",
        References = [AnnotationDocs + "#rate-limiting", "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip"],
        Check = CheckLimitConnections,
    };

    private static Rule LimitRate => new()
    {
        Id = "HF-N12",
        Name = "nginx-limit-rps",
        Severity = Severity.Warning,
        Summary = "limit-rps or limit-rpm on a path of WebSockets",
        Why = "After a rollout or a network fault all clients reconnect at once. Those behind one address (an office, a mobile network, or everybody when addresses are rewritten) share one budget, get 503, try again, and the storm lasts.",
        Fix = "Put WebSockets on an Ingress without rate limits, and pace handshakes where they can wait instead of being refused.",
        NotClaimed = "Where addresses reach nginx, or the controller is not among the manifests, it is only advice: single clients stay below such limits.",
        References = [AnnotationDocs + "#rate-limiting"],
        Check = CheckLimitRate,
    };

    /// <summary>Whether nginx sees who connects.</summary>
    private enum ClientAddress
    {
        Unknown,
        Kept,
        Rewritten,
    }

    private static IEnumerable<Detection> CheckLimitConnections(LintContext context)
    {
        foreach (var (ingress, entry, routes) in Ingresses(context))
        {
            var address = ClientAddressOf(entry);
            if (address == ClientAddress.Kept || Annotation(ingress, "limit-connections") is not { AsInteger: > 0 } limit)
                continue;
            yield return new Detection(
                ingress,
                Place.Of(limit),
                address == ClientAddress.Rewritten
                    ? $"limit-connections is {limit.Text} per client address, but client addresses do not reach nginx here: all users together get {limit.Text} WebSockets per node and replica, the rest get 503."
                    : $"limit-connections is {limit.Text} per client address, and a WebSocket counts while it is open: users behind one address, or behind a Service that rewrites addresses, share it.")
            {
                Severity = address == ClientAddress.Rewritten ? null : Severity.Advice,
                Because = routes[0].Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckLimitRate(LintContext context)
    {
        foreach (var (ingress, entry, routes) in Ingresses(context))
        {
            foreach (var name in RateLimits)
            {
                if (Annotation(ingress, name) is not { AsInteger: > 0 } limit)
                    continue;
                var rewritten = ClientAddressOf(entry) == ClientAddress.Rewritten;
                yield return new Detection(
                    ingress,
                    Place.Of(limit),
                    $"{name} is {limit.Text} per client address" + (rewritten ? ", and client addresses do not reach nginx here: everybody's reconnects share it." : ": when clients behind one address reconnect at once, most get 503."))
                {
                    Severity = rewritten ? null : Severity.Advice,
                    Because = routes[0].Signs,
                };
            }
        }
    }

    private static ClientAddress ClientAddressOf(Entry entry)
    {
        if (IsTrue(Setting(entry, "use-proxy-protocol")) || IsTrue(Setting(entry, "use-forwarded-headers")) || IsTrue(Setting(entry, "enable-real-ip")))
            return ClientAddress.Kept;
        if (entry.Controllers.Any(c => c.PodSpec["hostNetwork"] is { AsBoolean: true }))
            return ClientAddress.Kept;
        var outer = entry.Services.Where(s => s.Type is "LoadBalancer" or "NodePort").ToList();
        if (outer.Count == 0 || entry.Config is null)
            return ClientAddress.Unknown;
        return outer.Exists(s => s.Object.Spec?["externalTrafficPolicy"]?.AsText != "Local") ? ClientAddress.Rewritten : ClientAddress.Kept;
    }
}
