using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.AcrossObjects;

/// <summary>HF-X: what no single object shows.</summary>
internal static class AcrossObjectsRules
{
    private const string NameLabel = "kubernetes.io/metadata.name";

    /// <summary>After which newer EC2 instances forget an idle connection.</summary>
    private static readonly TimeSpan Ec2Tracking = TimeSpan.FromSeconds(350);

    public static RuleFamily Family { get; } = new('X', "Across objects", [PolicyBlocksGateway, PingVersusHop]);

    private static Rule PolicyBlocksGateway => new()
    {
        Id = "HF-X01",
        Name = "netpol-blocks-gateway",
        Severity = Severity.Error,
        Summary = "NetworkPolicies of the pods let nothing in from the controller that brings the WebSockets",
        Why = "As soon as one NetworkPolicy selects a pod, only what some policy allows comes in. A default-deny without a rule for the ingress controller or gateway makes every handshake time out.",
        Fix = "Add a rule that lets the controller's pods in to the WebSocket port: namespaceSelector (kubernetes.io/metadata.name) and podSelector in one from entry.",
        NotClaimed = "Only where the controller's pods are among the manifests and not on the host's network. Rules by IP block, and by labels of Namespaces that are not there, count as allowing.",
        References = ["https://kubernetes.io/docs/concepts/services-networking/network-policies/"],
        Check = CheckPolicyBlocksGateway,
    };

    private static Rule PingVersusHop => new()
    {
        Id = "HF-X02",
        Name = "ping-vs-hop",
        Severity = Severity.Error,
        Summary = "the declared ping comes no more often than the most impatient hop closes silent connections",
        Why = "Of all hops between client and pod the one with the shortest idle time-out decides. A ping that comes when it has already closed keeps nothing open.",
        Fix = "Ping at less than half of the shortest idle time-out: every 30 s or less suits all that are known. Or raise that time-out.",
        NotClaimed = "That newer EC2 instances (Nitro v6) forget connections after 350 s of silence is advice: which instances they are, manifests do not tell.",
        References = ["https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2", "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html"],
        Check = CheckPingVersusHop,
    };

    private static IEnumerable<Detection> CheckPolicyBlocksGateway(LintContext context)
    {
        foreach (var path in context.Paths.Where(p => p is { Entry: not null, Workload.NetworkPolicies.Count: > 0 }).DistinctBy(p => (p.Entry, p.Workload, p.Route!.ServicePort, p.Service)))
        {
            var workload = path.Workload!;
            var policies = workload.NetworkPolicies.Where(IsForIngress).ToList();
            var controllers = path.Entry!.Controllers.Where(c => c.PodSpec["hostNetwork"] is not { AsBoolean: true }).ToList();
            if (policies.Count == 0 || controllers.Count == 0 || controllers.Count < path.Entry.Controllers.Count)
                continue;
            var ports = TargetPorts(path, workload);
            if (controllers.Exists(c => policies.Exists(p => Allows(context, p, c, ports))))
                continue;
            var policy = policies[0];
            yield return new Detection(
                policy,
                Place.Of(policy, "spec", "ingress"),
                $"{workload} takes connections by policy only, and nothing lets {controllers[0]} in, through which WebSockets come: handshakes time out.")
            {
                Because = workload.Signs,
            };
        }
    }

    private static bool IsForIngress(KubernetesObject policy) =>
        policy.Spec?["policyTypes"] is not { Items: { Count: > 0 } types } || types.Any(t => t.Text == "Ingress");

    private static bool Allows(LintContext context, KubernetesObject policy, Workload source, List<string>? ports)
    {
        foreach (var rule in policy.Spec?["ingress"]?.Items ?? [])
        {
            if (ports is not null && rule["ports"] is { Items: { Count: > 0 } allowed } && !allowed.Any(p => IsPort(p, ports)))
                continue;
            if (rule["from"] is not { Items: { Count: > 0 } peers } || peers.Any(p => IsPeer(context, p, policy, source)))
                return true;
        }

        return false;
    }

    private static bool IsPort(Node allowed, List<string> ports)
    {
        if (allowed["protocol"]?.AsText is "UDP" or "SCTP")
            return false;
        if (allowed["port"] is not { } port || ports.Contains(port.Text, StringComparer.Ordinal))
            return true;
        return port.AsInteger is { } first && allowed["endPort"]?.AsInteger is { } last && ports.Exists(p => int.TryParse(p, out var number) && number >= first && number <= last);
    }

    private static bool IsPeer(LintContext context, Node peer, KubernetesObject policy, Workload source)
    {
        if (peer["ipBlock"] is not null)
            return true;
        if (peer["podSelector"] is { } pods && !LabelSelector.Matches(pods, source.PodLabels))
            return false;
        if (peer["namespaceSelector"] is not { } namespaces)
            return policy.Namespace == source.Object.Namespace || !SaysNamespace(policy) || !SaysNamespace(source.Object);
        if (namespaces.At("matchLabels", NameLabel) is { } name && SaysNamespace(source.Object) && name.Text != source.Object.Namespace)
            return false;
        var ns = context.Graph.Objects.Find("Namespace", "", source.Object.Namespace, source.Object);
        // That label is Kubernetes' own, and other expressions on it are rare.
        return ns is null || namespaces.At("matchLabels", NameLabel) is not null || namespaces["matchExpressions"]?.Items.Any(e => e["key"] is { Text: NameLabel }) == true || LabelSelector.Matches(namespaces, ns.Labels);
    }

    private static bool SaysNamespace(KubernetesObject item) => item.Root.At("metadata", "namespace") is not null;

    /// <summary>The pods' port by number and name; null: not known.</summary>
    private static List<string>? TargetPorts(ConnectionPath path, Workload workload)
    {
        if (path.Service.Port(path.Route?.ServicePort) is not { } port)
            return null;
        var target = port.Node["targetPort"]?.AsText ?? port.Number;
        var ports = new List<string> { target };
        foreach (var container in workload.Containers.SelectMany(c => c.Node["ports"]?.Items ?? []))
        {
            var (number, name) = (container["containerPort"]?.AsText, container["name"]?.AsText);
            if (number == target && name is not null)
                ports.Add(name);
            else if (name == target && number is not null)
                ports.Add(number);
        }

        // A name that no container has may mean any number.
        return ports.Exists(p => int.TryParse(p, out _)) ? ports : null;
    }

    private static IEnumerable<Detection> CheckPingVersusHop(LintContext context)
    {
        foreach (var path in context.Paths)
        {
            if (path.Ping is not { Interval: { } interval } ping)
                continue;
            var (item, at) = Declaration(path, ping);
            var signs = path.Route?.Signs ?? path.Service.Signs;
            if (path.Shortest is { Idle: { } idle } hop && idle <= interval)
            {
                var (where, place) = item is not null ? (item, at) : (hop.Object ?? path.Service.Object, hop.At is { } set ? Place.Of(set) : Place.Of(hop.Object ?? path.Service.Object, "metadata", "name"));
                yield return new Detection(where, place, $"{ping.Say()}, but {hop.Name} closes connections after {Durations.Say(idle)} of silence ({hop.Setting}): the ping comes too late.") { Because = signs };
            }
            else if (interval >= Ec2Tracking && item is not null && (path.Balancer?.Kind is BalancerKind.AwsNlb or BalancerKind.AwsClassic || path.Entry?.Kind == EntryKind.AwsAlb))
            {
                yield return new Detection(item, at, $"{ping.Say()}; newer EC2 instances forget connections that were silent for 350 s.") { Severity = Severity.Advice, Because = signs };
            }
        }
    }

    /// <summary>The object that declares the ping; null: the configuration assumes it for all.</summary>
    private static (KubernetesObject? Object, Place At) Declaration(ConnectionPath path, PingInterval ping)
    {
        if (ping.At is not { } at)
            return (null, default);
        var workload = path.Service.Workloads.Find(w => ReferenceEquals(w.Annotation(PingInterval.Annotation), at));
        var item = workload?.Object ?? (ReferenceEquals(path.Service.Object.Annotation(PingInterval.Annotation), at) ? path.Service.Object : path.Route?.Object ?? path.Service.Object);
        return (item, Place.Of(at));
    }
}
