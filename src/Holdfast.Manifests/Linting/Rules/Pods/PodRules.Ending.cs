using System.Globalization;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>The time that a pod has to end, and what takes it away.</summary>
internal static partial class PodRules
{
    private const string Grace = "terminationGracePeriodSeconds";
    private const string SafeToEvict = "cluster-autoscaler.kubernetes.io/safe-to-evict";

    /// <summary>Of the sleep that a patch writes: endpoints and balancers need 5 to 15 s to follow.</summary>
    private const int SuggestedSleep = 10;

    /// <summary>--max-graceful-termination-sec of the cluster autoscaler.</summary>
    private static readonly TimeSpan AutoscalerCap = TimeSpan.FromSeconds(600);

    /// <summary>How long a pod has on a node that the cloud takes back, by the label that selects such nodes.</summary>
    private static readonly (string Label, string Value, int Seconds, string Cloud)[] TakenBack =
    [
        ("cloud.google.com/gke-spot", "true", 15, "GKE Spot"),
        ("cloud.google.com/gke-preemptible", "true", 15, "GKE preemptible"),
        ("kubernetes.azure.com/scalesetpriority", "spot", 30, "Azure Spot"),
        ("eks.amazonaws.com/capacityType", "SPOT", 120, "AWS Spot"),
        ("karpenter.sh/capacity-type", "spot", 120, "spot"),
    ];

    private static Rule ShortGrace => new()
    {
        Id = "HF-D01",
        Name = "grace-too-short",
        Severity = Severity.Error,
        Summary = "terminationGracePeriodSeconds is less than the preStop hook, the drain of connections and 10 s",
        Why = "The grace runs from the deletion of the pod and includes the preStop hook. When it is over, what still runs is killed: every WebSocket left is cut without a close frame, and all its clients come back at the same moment.",
        Fix = "Set terminationGracePeriodSeconds to the preStop hook, the drain and 10 s together.",
        NotClaimed = "How long a drain takes is not in manifests. Where holdfast.dev/drain does not say it, 30 s are assumed and it is only a warning.",
        References = [Termination],
        HasPatch = true,
        Check = CheckShortGrace,
    };

    private static Rule LongPreStop => new()
    {
        Id = "HF-D02",
        Name = "prestop-exceeds-grace",
        Severity = Severity.Error,
        Summary = "the preStop hook sleeps as long as terminationGracePeriodSeconds, or longer",
        Why = "SIGTERM comes after the preStop hook, and the grace includes both. A hook that uses it up leaves the application 2 s, the kubelet's minimum, to close all connections; then it is killed. A sleep action longer than the grace is refused by the API server.",
        Fix = "Make the grace longer than the preStop hook and the drain, or the hook shorter: 5 to 15 s are enough for endpoints to follow.",
        NotClaimed = "That SIGTERM never comes: the kubelet always leaves 2 s for it.",
        References = [Termination, HookDocs + "#hook-handler-execution", "https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/kuberuntime/kuberuntime_container.go"],
        HasPatch = true,
        Check = CheckLongPreStop,
    };

    private static Rule NoPreStop => new()
    {
        Id = "HF-D03",
        Name = "no-prestop-or-delay",
        Severity = Severity.Warning,
        Summary = "no preStop hook, and no sign of another delay before the application stops accepting",
        Why = "A deleted pod gets SIGTERM at the same time as its removal from the endpoints begins, which takes some seconds to reach every node, gateway and balancer. Until then new handshakes are still sent to it, and an application that has stopped listening refuses them.",
        Fix = "Let the pod wait before SIGTERM: lifecycle.preStop.sleep.seconds: 10 (Kubernetes 1.30 and later; before that exec with sleep, where the image has one).",
        NotClaimed = "An application may go on accepting after SIGTERM by itself. A variable or an argument that names a delay of shutdown is taken for that; Holdfast's own gateway does it (shutdown.delay).",
        References = [Termination, HookDocs, "https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/3960-pod-lifecycle-sleep-action"],
        HasPatch = true,
        Check = CheckNoPreStop,
    };

    private static Rule GraceOverCap => new()
    {
        Id = "HF-D12",
        Name = "grace-over-autoscaler-cap",
        Severity = Severity.Warning,
        Summary = "a grace that the node does not wait for: spot nodes, or more than 600 s with a cluster autoscaler",
        Why = "A cloud that takes a spot node back gives its pods a fixed time, whatever they ask for, and the cluster autoscaler waits 600 s for the pods of a node that it removes. Connections that are still being drained then are cut.",
        Fix = "Run WebSockets on nodes that are not taken back. With the cluster autoscaler set cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\" on the pods, or raise its --max-graceful-termination-sec.",
        NotClaimed = "Whether a cluster autoscaler runs cannot be seen, so more than 600 s is only advice; Karpenter has no such cap of its own. Spot times are the clouds' defaults: 15 s on GKE, 30 s on Azure, 120 s on AWS.",
        References =
        [
            "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#does-ca-respect-gracefultermination-in-scale-down", "https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms",
            "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html", "https://learn.microsoft.com/azure/aks/spot-node-pool",
        ],
        Check = CheckGraceOverCap,
    };

    private static IEnumerable<Detection> CheckShortGrace(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            var budget = context.BudgetOf(workload);
            // A hook as long as the grace is the next rule's.
            if (budget.IsEnough || budget.PreStop >= budget.Grace)
                continue;
            var isAssumed = budget.DrainSource == DrainSource.Assumed;
            yield return new Detection(
                workload.Object,
                Place.Of(workload.PodSpec, Grace),
                $"the grace is {SayGrace(budget)}, but {Durations.Say(budget.Required)} are needed ({budget.Say()}{(isAssumed ? $"; the drain is assumed, {RolloutBudget.DrainAnnotation} tells it" : "")}): what is open then is cut without a close frame.")
            {
                Severity = isAssumed ? Severity.Warning : null,
                Fix = $"Set {Grace}: {Seconds(budget.Required)}.",
                Patch = SetGrace(workload, budget),
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckLongPreStop(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            var budget = context.BudgetOf(workload);
            if (budget.PreStop == TimeSpan.Zero || budget.PreStop < budget.Grace)
                continue;
            var isRefused = budget.PreStopAt?["sleep"] is not null && budget.PreStop > budget.Grace;
            yield return new Detection(
                workload.Object,
                budget.PreStopAt is { } hook ? Place.Of(hook) : Place.Of(workload.PodSpec, Grace),
                $"the preStop hook takes {Durations.Say(budget.PreStop)} and the grace is {SayGrace(budget)}: "
                    + (isRefused ? "the API server refuses a sleep longer than the grace." : "2 s are left to close all connections, then the rest is cut."))
            {
                Fix = $"Set {Grace}: {Seconds(budget.Required)} ({budget.Say()}), or let the hook sleep 5 to 15 s.",
                Patch = SetGrace(workload, budget),
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckNoPreStop(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (workload.Containers.Any(c => c.Node.At("lifecycle", "preStop") is not null || DelaysShutdown(c)) || workload.Serving.FirstOrDefault() is not { } container)
                continue;
            var seconds = SuggestedSleep.ToString(CultureInfo.InvariantCulture);
            yield return new Detection(
                workload.Object,
                Place.Of(container.Node, "lifecycle"),
                $"container {container.Name} gets SIGTERM while gateways still send it new handshakes: for some seconds of each rollout they are refused.")
            {
                Patch = context.BudgetOf(workload).Grace.TotalSeconds > SuggestedSleep
                    ? Edits.Set($"set lifecycle.preStop.sleep.seconds: {seconds}", container.Node, ["lifecycle", "preStop", "sleep", "seconds"], seconds)
                    : null,
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckGraceOverCap(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            var budget = context.BudgetOf(workload);
            var taken = TakenBack.FirstOrDefault(t => SelectsNodes(workload.PodSpec, t.Label, t.Value) is not null && budget.Grace > TimeSpan.FromSeconds(t.Seconds));
            if (taken.Label is not null)
            {
                yield return new Detection(
                    workload.Object,
                    Place.Of(SelectsNodes(workload.PodSpec, taken.Label, taken.Value)!),
                    $"the grace is {SayGrace(budget)}, but a {taken.Cloud} node that is taken back leaves its pods {taken.Seconds} s.")
                {
                    Fix = "Run WebSockets on nodes that are not taken back, or make the drain fit into that time.",
                    Because = workload.Signs,
                };
            }
            else if (budget.Grace > AutoscalerCap && workload.PodAnnotations?[SafeToEvict] is not { Text: "false" })
            {
                yield return new Detection(
                    workload.Object,
                    Place.Of(workload.PodSpec, Grace),
                    $"the grace is {SayGrace(budget)}, but a cluster autoscaler that removes the node waits {Durations.Say(AutoscalerCap)} unless told otherwise.")
                {
                    Severity = Severity.Advice,
                    Because = workload.Signs,
                };
            }
        }
    }

    private static string SayGrace(RolloutBudget budget) => Durations.Say(budget.Grace) + (budget.GraceAt is null ? " (the default)" : "");

    private static Patch? SetGrace(Workload workload, RolloutBudget budget) =>
        Edits.Set($"set {Grace}: {Seconds(budget.Required)}", workload.PodSpec, [Grace], Seconds(budget.Required));

    private static string Seconds(TimeSpan duration) => Math.Ceiling(duration.TotalSeconds).ToString("0", CultureInfo.InvariantCulture);

    /// <summary><c>SHUTDOWN_DELAY</c>, <c>--shutdown-delay-duration=10s</c> and the like.</summary>
    private static bool DelaysShutdown(Container container) =>
        IsHoldfastGateway(container) || (container.Node["env"]?.Items ?? []).Select(v => v["name"]?.AsText).OfType<string>().Concat(container.CommandLine.Select(w => w.Text)).Any(NamesDelay);

    private static bool IsHoldfastGateway(Container container) =>
        container.CommandLine.Any(w => w.Text == "gateway") && Program(container.Image).Split(':', '@')[0] == "holdfast";

    private static bool NamesDelay(string word)
    {
        var has = (string part) => word.Contains(part, StringComparison.OrdinalIgnoreCase);
        return (has("shutdown") || has("termination") || has("sigterm")) && (has("delay") || has("wait"));
    }

    /// <summary>Where pods are bound to nodes with that label, by nodeSelector or a required affinity that allows no other value.</summary>
    private static Node? SelectsNodes(Node podSpec, string label, string value)
    {
        if (podSpec.At("nodeSelector", label) is { } selected && selected.Text == value)
            return selected;
        var terms = podSpec.At("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")?.Items ?? [];
        // Terms are alternatives.
        if (terms.Count != 1)
            return null;
        return (terms[0]["matchExpressions"]?.Items ?? []).FirstOrDefault(e =>
            e["key"]?.AsText == label && e["operator"]?.AsText == "In" && e["values"] is { Items: [var only] } && only.Text == value);
    }
}
