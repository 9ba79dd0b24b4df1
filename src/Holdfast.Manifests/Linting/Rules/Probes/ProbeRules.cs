using System.Globalization;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Probes;

/// <summary>HF-B: probes of pods with WebSockets.</summary>
internal static class ProbeRules
{
    private const string PodDocs = "https://kubernetes.io/docs/concepts/workloads/pods/probes/";
    private const string NlbCheckPath = Balancer.Prefix + "aws-load-balancer-healthcheck-path";
    private const string NlbAttributes = Balancer.Prefix + "aws-load-balancer-target-group-attributes";

    /// <summary>A shorter stall is usual under load: a garbage collection, a reconnect storm, a noisy neighbour.</summary>
    private static readonly TimeSpan ShortStall = TimeSpan.FromSeconds(30);

    private static readonly string[] Kinds = ["livenessProbe", "readinessProbe", "startupProbe"];

    /// <summary>Words in a path that answers by how busy the pod is.</summary>
    private static readonly string[] LoadWords = ["capacity", "load", "overload", "busy", "connections", "saturation"];

    public static RuleFamily Family { get; } = new('B', "Probes", [LivenessTooTight, ReadinessOnLoad, ProbeOnWebSocketPath]);

    private static Rule LivenessTooTight => new()
    {
        Id = "HF-B01",
        Name = "liveness-too-tight",
        Severity = Severity.Warning,
        Summary = "a livenessProbe that restarts the container after less than 30 s of slow answers, or as soon as it is unready",
        Why = "A failed livenessProbe restarts the container, and every WebSocket of the pod dies with it. When all clients reconnect at once answers take longer than a second; a tight probe then kills the pods one after the other, and their clients go on to the next.",
        Fix = "Give it timeoutSeconds: 5 and periodSeconds times failureThreshold of a minute or more, with a startupProbe for slow starts; or leave it out: a pod that hangs is better unready than restarted.",
        NotClaimed = "The defaults (1 s, 10 s, 3 times) are not reported. Sharing an endpoint with the readinessProbe is only advice, and only where the livenessProbe gives up as early.",
        References = [PodDocs, "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/"],
        Check = CheckLivenessTooTight,
    };

    private static Rule ReadinessOnLoad => new()
    {
        Id = "HF-B02",
        Name = "readiness-on-load",
        Severity = Severity.Warning,
        Summary = "an NLB checks a path that answers by load, and resets connections of targets that fail it",
        Why = "A full pod says that it wants no more connections. To an NLB that means a dead target: it resets the connections that the pod already has, so the busiest pod loses them all.",
        Fix = "Check a path that says only whether the pod lives, and refuse new connections at the application or gateway; or set target_health_state.unhealthy.connection_termination.enabled=false.",
        NotClaimed = "What a path answers cannot be seen; reported is one with a word such as capacity or load, which both the readinessProbe and the NLB ask for.",
        References = ["https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#unhealthy-target-connection-termination", PodDocs],
        Check = CheckReadinessOnLoad,
    };

    private static Rule ProbeOnWebSocketPath => new()
    {
        Id = "HF-B03",
        Name = "probe-on-ws-path",
        Severity = Severity.Error,
        Summary = "an httpGet probe asks for the path of the WebSockets",
        Why = "A WebSocket endpoint answers a plain GET with 400 or 426, and a probe takes 200 to 399 only. Such a pod never gets ready, or is restarted again and again with all of its sockets.",
        Fix = "Let the probe ask for a path of its own, such as /healthz, or use a tcpSocket probe.",
        NotClaimed = "A path that only looks like one of WebSockets is a warning: some servers answer a plain GET there too.",
        References = ["https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2", PodDocs],
        Check = CheckProbeOnWebSocketPath,
    };

    private static IEnumerable<Detection> CheckLivenessTooTight(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            if (container.Node["livenessProbe"] is not { Kind: NodeKind.Mapping } liveness)
                continue;
            var patience = Patience(liveness);
            var place = Place.Of(container.Node, "livenessProbe");
            if (Number(liveness, "timeoutSeconds", 1) <= 1 && patience < ShortStall)
            {
                yield return new Detection(workload.Object, place, $"container {container.Name} is restarted, with all of its WebSockets, after {Durations.Say(patience)} of answers that take longer than 1 s.") { Because = workload.Signs };
            }
            else if (container.Node["readinessProbe"] is { } readiness && Target(liveness) is { } target && target == Target(readiness) && patience <= Patience(readiness))
            {
                yield return new Detection(workload.Object, place, $"container {container.Name} is restarted as soon as it is unready: both probes ask for {target}, and this one gives up no later.")
                {
                    Severity = Severity.Advice,
                    Because = workload.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckReadinessOnLoad(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            if (container.Node.At("readinessProbe", "httpGet", "path") is not { } path || !SpeaksOfLoad(path.Text))
                continue;
            var service = workload.Services.Find(s => Balancer.Of(s) is { Kind: BalancerKind.AwsNlb } && s.Object.Annotation(NlbCheckPath)?.Text == path.Text
                && AwsAttributes.Get(s.Object.Annotation(NlbAttributes)?.Text, "target_health_state.unhealthy.connection_termination.enabled") != "false");
            if (service is not null)
                yield return new Detection(workload.Object, Place.Of(path), $"{path.Text} seems to answer by load, and the NLB of {service} asks for it too: when the pod is full its open connections are reset.") { Because = workload.Signs };
        }
    }

    private static bool SpeaksOfLoad(string path)
    {
        foreach (var word in path.Split(['/', '-', '_', '.', '?', '='], StringSplitOptions.RemoveEmptyEntries))
        {
            if (LoadWords.Contains(word, StringComparer.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    private static IEnumerable<Detection> CheckProbeOnWebSocketPath(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            // A path that carries everything else too says nothing.
            var paths = workload.Services.SelectMany(s => s.Routes).Where(r => r.IsWebSocket && LikelyWords.IsPath(r.Path)).Select(r => Trim(r.Path)).ToHashSet(StringComparer.Ordinal);
            foreach (var kind in Kinds)
            {
                if (container.Node.At(kind, "httpGet", "path") is not { } path)
                    continue;
                var asked = Trim(path.Text);
                var last = asked[(asked.LastIndexOf('/') + 1)..];
                if (!paths.Contains(asked) && (!LikelyWords.IsPath(last) || last.Equals("sockjs", StringComparison.OrdinalIgnoreCase)))
                    continue;
                yield return new Detection(workload.Object, Place.Of(path), $"{kind} of container {container.Name} sends a plain GET to {path.Text}, where a WebSocket server answers 400 or 426: the probe fails.")
                {
                    Severity = paths.Contains(asked) ? null : Severity.Warning,
                    Because = workload.Signs,
                };
            }
        }
    }

    private static IEnumerable<(Workload Workload, Container Container)> Containers(LintContext context) =>
        context.WebSocketWorkloads.SelectMany(w => w.Containers.Select(c => (w, c)));

    private static string Trim(string path) => "/" + path.Split('?')[0].Trim('/');

    /// <summary>How long a probe goes on failing before it has consequences.</summary>
    private static TimeSpan Patience(Node probe) => TimeSpan.FromSeconds((double)Number(probe, "periodSeconds", 10) * Number(probe, "failureThreshold", 3));

    private static int Number(Node probe, string key, int standard) => probe[key] is { AsInteger: > 0 and var value } ? value : standard;

    /// <summary>For a comparison and a message; null: it is no HTTP probe.</summary>
    private static string? Target(Node probe) =>
        probe["httpGet"] is { Kind: NodeKind.Mapping } get ? string.Create(CultureInfo.InvariantCulture, $"{get["path"]?.AsText ?? "/"} on port {get["port"]?.AsText}") : null;
}
