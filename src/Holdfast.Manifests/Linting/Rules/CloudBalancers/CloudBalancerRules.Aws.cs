using System.Globalization;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;

namespace Holdfast.Manifests.Linting.Rules.CloudBalancers;

/// <summary>AWS: the ALB that an Ingress or Gateway gets, and the NLB before a Service.</summary>
internal static partial class CloudBalancerRules
{
    private const string AwsPrefix = Balancer.Prefix + "aws-load-balancer-";
    private const string AwsTargetGroup = AwsPrefix + "target-group-attributes";
    private const string AwsTargetType = AwsPrefix + "nlb-target-type";
    private const string AwsClassicIdle = AwsPrefix + "connection-idle-timeout";
    private const string AlbTargetType = "alb.ingress.kubernetes.io/target-type";
    private const string Termination = "target_health_state.unhealthy.connection_termination.enabled";

    /// <summary>The controller's label; EKS Auto Mode has one with another prefix.</summary>
    private const string ReadinessGate = "elbv2.k8s.aws/pod-readiness-gate-inject";

    private static readonly TimeSpan NlbLongest = TimeSpan.FromSeconds(6000);

    private static Rule AlbIdle => new()
    {
        Id = "HF-C01",
        Name = "alb-idle",
        Severity = Severity.Error,
        Summary = "idle_timeout.timeout_seconds of an ALB with WebSockets is not set, or shorter than two pings",
        Why = "An ALB closes a connection on which no data passed for its idle time-out: 60 s unless set. A quiet chat loses its socket every minute, and reconnects.",
        Fix = "Set alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds=3600 (at most 4000; with a Gateway in the LoadBalancerConfiguration), and let the server ping every 30 s or less. Pings of HTTP/2 do not count, those of WebSocket do.",
        References = ["https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html", AwsIngressDocs + "#load-balancer-attributes", AwsControllerDocs + "ingress/ingress_class/"],
        HasPatch = true,
        Check = CheckAlbIdle,
    };

    private static Rule NlbIdle => new()
    {
        Id = "HF-C02",
        Name = "nlb-idle",
        Severity = Severity.Warning,
        Summary = "an NLB before WebSockets keeps its idle time-out of 350 s although nothing pings often enough",
        Why = "An NLB forgets a TCP connection that was silent for 350 s. It tells nobody: the next packet from either side is answered with a reset, so the client learns that its socket is gone when it wants to use it.",
        Fix = "Let the server ping well below 350 s (and say so to the linter with holdfast.dev/ping-interval), or set service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-443: tcp.idle_timeout.seconds=3600 (60 to 6000).",
        References = ["https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html", AwsServiceDocs + "#listener-attributes"],
        HasPatch = true,
        Check = CheckNlbIdle,
    };

    private static Rule NlbTlsFixed => new()
    {
        Id = "HF-C03",
        Name = "nlb-tls-fixed",
        Severity = Severity.Warning,
        Summary = "an NLB that ends TLS before WebSockets that nothing pings often enough",
        Why = "The idle time-out of an NLB's TLS listener is 350 s and cannot be changed; tcp.idle_timeout.seconds is for TCP listeners only.",
        Fix = "Let the server ping every 30 s or less (and say so to the linter with holdfast.dev/ping-interval), or end TLS behind the NLB and raise the TCP listener's time-out.",
        References = ["https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html", AwsServiceDocs + "#ssl-cert"],
        Check = CheckNlbTlsFixed,
    };

    private static Rule NlbUnhealthyTermination => new()
    {
        Id = "HF-C04",
        Name = "nlb-unhealthy-termination",
        Severity = Severity.Warning,
        Summary = "an NLB resets the open connections of a target as soon as its health check fails",
        Why = "Draining begins with becoming unready: the pod answers its health check no more, or stops listening, and closes its sockets one after the other. An NLB takes that for a dead target and by default resets all its connections at once.",
        Fix = "Add target_health_state.unhealthy.connection_termination.enabled=false and target_health_state.unhealthy.draining_interval_seconds (longer than the drain) to service.beta.kubernetes.io/aws-load-balancer-target-group-attributes.",
        NotClaimed = "Only where the NLB checks the pods themselves (targets by IP), or a node's health depends on its pods (externalTrafficPolicy: Local). Whether the pods really fail that check while they drain cannot be seen in manifests.",
        References = ["https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#unhealthy-target-connection-termination", AwsServiceDocs + "#target-group-attributes"],
        HasPatch = true,
        Check = CheckNlbUnhealthyTermination,
    };

    private static Rule AwsNoReadinessGate => new()
    {
        Id = "HF-C05",
        Name = "aws-no-readiness-gate",
        Severity = Severity.Warning,
        Summary = "targets by IP, in a namespace without the label that injects the readiness gate",
        Why = "A rollout goes on when the new pods are ready for Kubernetes. AWS takes longer to register them: for a while the load balancer knows only pods that are ending and pods that it does not use yet, and reconnecting clients are refused.",
        Fix = "Label the namespace elbv2.k8s.aws/pod-readiness-gate-inject: enabled (on EKS Auto Mode with the prefix eks.amazonaws.com); then start the pods anew.",
        NotClaimed = "Nothing is said where the Namespace is not among the manifests: it may be labelled.",
        References = ["https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/pod_readiness_gate/"],
        HasPatch = true,
        Check = CheckAwsNoReadinessGate,
    };

    private static Rule ClassicAnnotationOnNlb => new()
    {
        Id = "HF-C06",
        Name = "clb-annotation-on-nlb",
        Severity = Severity.Warning,
        Summary = "aws-load-balancer-connection-idle-timeout on a Service that gets an NLB",
        Why = "The annotation is for the Classic Load Balancer. On an NLB it has no effect, and the 350 s that somebody meant to change stay.",
        Fix = "Remove it; for an NLB set aws-load-balancer-listener-attributes.TCP-443: tcp.idle_timeout.seconds=3600.",
        References = ["https://github.com/kubernetes/cloud-provider-aws/issues/1023", "https://github.com/kubernetes/ingress-nginx/issues/5695", AwsServiceDocs + "#listener-attributes"],
        HasPatch = true,
        Check = CheckClassicAnnotationOnNlb,
    };

    private static IEnumerable<Detection> CheckAlbIdle(LintContext context)
    {
        var timeouts = new AlbTimeouts(context.Graph.Objects);
        foreach (var exposed in context.ExposedBy(EntryKind.AwsAlb))
        {
            var (idle, item, at) = timeouts.Of(exposed.Entry, exposed.Object);
            var ping = exposed.Ping;
            if (idle >= ping.RequiredIdle || idle >= AlbTimeout.Longest)
                continue;
            var wanted = Seconds(Wanted(ping) < AlbTimeout.Longest ? Wanted(ping) : AlbTimeout.Longest);
            yield return new Detection(
                item,
                at is null ? item.Kind == "Ingress" ? Place.Of(item, "metadata", "annotations") : Place.Of(item, "spec") : Place.Of(at),
                $"{Say(AlbTimeout.Attribute, idle, at is not null)}: the ALB closes a WebSocket after that time without data, and {ping.Say()}.")
            {
                Severity = Soften(Severity.Error, ping, at is not null),
                Patch = item.Kind == "Ingress"
                    ? Edits.SetAnnotation(item, AlbTimeout.Annotation, AwsAttributes.With(item.Annotation(AlbTimeout.Annotation)?.AsText, AlbTimeout.Attribute, wanted))
                    : at is null ? null : Edits.Replace($"set {AlbTimeout.Attribute} to \"{wanted}\"", at, wanted, isText: true),
                Because = exposed.Routes[0].Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckNlbIdle(LintContext context)
    {
        foreach (var incoming in Balancers(context, BalancerKind.AwsNlb))
        {
            var (service, hop) = (incoming.Service, incoming.Hop!);
            if (!incoming.IsTooShort || service.Annotation(BalancerHops.AwsCertificate) is not null || hop.Idle >= NlbLongest)
                continue;
            var isSet = hop.At is not null;
            yield return new Detection(
                service,
                hop.At is { } at ? Place.Of(at) : Place.Of(service, "metadata", "annotations"),
                $"{Say(BalancerHops.NlbAttribute, hop.Idle!.Value, isSet)}: the NLB resets connections that were silent for longer, and {incoming.Ping.Say()}.")
            {
                Severity = Soften(Severity.Warning, incoming.Ping, isSet),
                Patch = ListenerOf(service) is { } listener
                    ? Edits.SetAnnotation(service, listener, AwsAttributes.With(service.Annotation(listener)?.AsText, BalancerHops.NlbAttribute, Seconds(Wanted(incoming.Ping) < NlbLongest ? Wanted(incoming.Ping) : NlbLongest)))
                    : null,
                Because = incoming.Signs,
            };
        }
    }

    /// <summary>The annotation of the one TCP listener that there is; null: several, and which carries WebSockets is not known, or none that the controller would read.</summary>
    private static string? ListenerOf(KubernetesObject service)
    {
        // The controller in the cloud provider, which makes the NLB of this type, does not read listener attributes.
        if (service.Annotation(Balancer.AwsType) is { Text: "nlb" } || service.Spec?["ports"] is not { Items: [var port] } || port["protocol"]?.AsText is not (null or "TCP"))
            return null;
        return port["port"] is { AsInteger: > 0 and var number } ? BalancerHops.AwsListener + "TCP-" + number.ToString(CultureInfo.InvariantCulture) : null;
    }

    private static IEnumerable<Detection> CheckNlbTlsFixed(LintContext context)
    {
        foreach (var incoming in Balancers(context, BalancerKind.AwsNlb))
        {
            if (!incoming.IsTooShort || incoming.Service.Annotation(BalancerHops.AwsCertificate) is not { } certificate)
                continue;
            yield return new Detection(incoming.Service, Place.Of(certificate), $"the NLB ends TLS here, and its TLS listeners reset connections that were silent for 350 s; {incoming.Ping.Say()}.") { Because = incoming.Signs };
        }
    }

    private static IEnumerable<Detection> CheckNlbUnhealthyTermination(LintContext context)
    {
        foreach (var incoming in Balancers(context, BalancerKind.AwsNlb))
        {
            var service = incoming.Service;
            var attributes = service.Annotation(AwsTargetGroup);
            var isByIp = TargetsIp(service);
            // What the controller in the cloud provider makes takes no such attribute.
            if (service.Annotation(Balancer.AwsType) is { Text: "nlb" } || !isByIp && service.Spec?["externalTrafficPolicy"] is not { Text: "Local" } || AwsAttributes.Get(attributes?.Text, Termination) == "false")
                continue;
            yield return new Detection(
                service,
                attributes is null ? Place.Of(service, "metadata", "annotations") : Place.Of(attributes),
                isByIp
                    ? "the NLB resets all open connections of a pod at the moment its health check fails, which is how most pods begin to drain."
                    : "the NLB resets all open connections through a node at the moment the node's last pod is unready, which is how most pods begin to drain.")
            {
                Patch = Edits.SetAnnotation(service, AwsTargetGroup, AwsAttributes.With(AwsAttributes.With(attributes?.AsText, Termination, "false"), "target_health_state.unhealthy.draining_interval_seconds", "300")),
                Because = incoming.Signs,
            };
        }
    }

    private static bool TargetsIp(KubernetesObject service) => service.Annotation(AwsTargetType)?.Text == "ip" || service.Annotation(Balancer.AwsType)?.Text == "nlb-ip";

    private static IEnumerable<Detection> CheckAwsNoReadinessGate(LintContext context)
    {
        var direct = Balancers(context, BalancerKind.AwsNlb).Where(i => TargetsIp(i.Service)).Select(i => (By: i.Service, i.Service.Namespace, i.Signs));
        var through = context.ExposedBy(EntryKind.AwsAlb).Where(e => e.Object.Annotation(AlbTargetType)?.Text == "ip")
            .SelectMany(e => e.Routes.Select(r => (By: e.Object, Namespace: r.ServiceNamespace, r.Signs)));
        foreach (var (by, name, signs) in direct.Concat(through).DistinctBy(t => t.Namespace, StringComparer.Ordinal))
        {
            if (context.Graph.Objects.Find("Namespace", "", name, by) is not { } ns || ns.Labels?.Entries.Any(l => l.Key.Text.EndsWith("/pod-readiness-gate-inject", StringComparison.Ordinal) && l.Value.Text == "enabled") == true)
                continue;
            yield return new Detection(ns, Place.Of(ns, "metadata", "labels"), $"{by} sends to pods here by IP, but new pods count as ready before AWS sends anything to them.")
            {
                Patch = Edits.Set($"label it {ReadinessGate}: enabled", ns.Root, ["metadata", "labels", ReadinessGate], "enabled"),
                Because = signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckClassicAnnotationOnNlb(LintContext context)
    {
        foreach (var incoming in Balancers(context, BalancerKind.AwsNlb))
        {
            if (incoming.Service.Annotation(AwsClassicIdle) is not { } idle)
                continue;
            yield return new Detection(incoming.Service, Place.Of(idle), $"aws-load-balancer-connection-idle-timeout: \"{idle.Text}\" is for Classic Load Balancers; this Service gets an NLB, which does not read it.")
            {
                Patch = Edits.RemoveAnnotation(incoming.Service, AwsClassicIdle),
                Because = incoming.Signs,
            };
        }
    }

    private static string Seconds(TimeSpan duration) => Math.Ceiling(duration.TotalSeconds).ToString("0", CultureInfo.InvariantCulture);
}
