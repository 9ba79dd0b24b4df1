using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>How many pods there are, and where.</summary>
internal static partial class PodRules
{
    private static Rule SingleReplica => new()
    {
        Id = "HF-D10",
        Name = "single-replica",
        Severity = Severity.Warning,
        Summary = "one pod holds all connections: replicas: 1, or an autoscaler that may go down to it",
        Why = "Whatever happens to the one pod or its node (a drain, a crash, an eviction) drops every connection, and nobody is there for the reconnects until another pod is ready.",
        Fix = "Run at least 2 replicas (minReplicas of the autoscaler: 2). State that keeps it at one needs a place outside the pod.",
        NotClaimed = "Where neither replicas nor an autoscaler is written it is only advice: what is not among the manifests may set it. Zero replicas are switched off and not reported; an autoscaler that goes down to zero is another rule's.",
        References = [Docs + "concepts/workloads/pods/disruptions/", Docs + "tasks/run-application/configure-pdb/"],
        Check = CheckSingleReplica,
    };

    private static Rule ReplicasWithAutoscaler => new()
    {
        Id = "HF-D11",
        Name = "replicas-with-hpa",
        Severity = Severity.Warning,
        Summary = "spec.replicas is written although an autoscaler sets it",
        Why = "Each time the manifest is applied, replicas goes back to the number in it, whatever the autoscaler had chosen: the surplus pods end at once with their connections, and are started again minutes later.",
        Fix = "Remove spec.replicas. Not by a plain apply, which would scale to 1 once: first remove it with kubectl apply edit-last-applied, or apply server-side.",
        NotClaimed = "It has no patch, because removing the field in the wrong way scales down to 1 by itself.",
        References = [Docs + "tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling"],
        Check = CheckReplicasWithAutoscaler,
    };

    private static Rule NoSpread => new()
    {
        Id = "HF-D13",
        Name = "no-spread",
        Severity = Severity.Advice,
        Summary = "several replicas without topologySpreadConstraints or podAntiAffinity",
        Why = "Nothing keeps the pods from running on the same node; when that ends, most connections end with it, and all of their clients reconnect to the rest.",
        Fix = "Add topologySpreadConstraints over kubernetes.io/hostname and topology.kubernetes.io/zone with maxSkew: 1.",
        NotClaimed = "It is only advice: the scheduler prefers to spread the pods of a Service by itself, but its defaults (a skew of 3 over nodes, 5 over zones) leave few replicas where they fall.",
        References = [Docs + "concepts/scheduling-eviction/topology-spread-constraints/", Docs + "concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints"],
        Check = CheckNoSpread,
    };

    private static IEnumerable<Detection> CheckSingleReplica(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (ReplicaFloor.Of(workload) is not { Count: 1 } floor)
                continue;
            var isAutoscaled = floor.Object != workload.Object;
            yield return new Detection(
                floor.Object,
                Place.Of(floor.Object, "spec", floor.Field),
                isAutoscaled ? $"{workload} may be scaled down to one pod: whatever happens to that drops every connection at once."
                    : floor.IsWritten ? "one pod holds all connections: whatever happens to it drops them all at once."
                    : "neither replicas nor an autoscaler is among the manifests, so one pod holds all connections.")
            {
                Severity = floor.IsWritten ? null : Severity.Advice,
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckReplicasWithAutoscaler(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (workload.Replicas is not { AsInteger: not null } replicas || workload.Autoscalers.FirstOrDefault(a => a.Kind is "HorizontalPodAutoscaler" or "ScaledObject") is not { } autoscaler)
                continue;
            yield return new Detection(workload.Object, Place.Of(workload.Object, "spec", "replicas"), $"each apply sets {replicas.Text} pods, whatever {autoscaler} had chosen: the surplus pods end with their connections.")
            {
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckNoSpread(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (ReplicaFloor.Of(workload) is not { Count: > 1 } floor || workload.IsSpread)
                continue;
            yield return new Detection(
                workload.Object,
                Place.Of(workload.PodSpec, "topologySpreadConstraints"),
                $"nothing keeps the {floor.Count} pods apart: one node may hold most connections.")
            {
                Because = workload.Signs,
            };
        }
    }
}
