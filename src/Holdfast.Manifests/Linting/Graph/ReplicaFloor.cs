namespace Holdfast.Manifests.Linting.Graph;

/// <summary>The fewest pods that a workload runs with: what its autoscaler may go down to, else its replicas.</summary>
/// <param name="IsWritten">False: neither is among the manifests; the 1 of Kubernetes may well be changed by something that is not.</param>
/// <param name="Object">The autoscaler or the workload.</param>
/// <param name="Field">Below its <c>spec</c>.</param>
internal sealed record ReplicaFloor(int Count, bool IsWritten, KubernetesObject Object, string Field)
{
    /// <summary>One pod where nothing is written. Other kinds (Knative's) decide for themselves.</summary>
    private static readonly string[] OneByDefault = ["Deployment", "StatefulSet", "ReplicaSet", "Rollout", "CloneSet"];

    /// <summary>Null where the number does not follow from replicas: a Pod, a DaemonSet.</summary>
    public static ReplicaFloor? Of(Workload workload)
    {
        if (workload.Object.Kind is "Pod" or "DaemonSet")
            return null;
        foreach (var autoscaler in workload.Autoscalers)
        {
            if (autoscaler.Kind == "HorizontalPodAutoscaler")
                return Of(autoscaler, "minReplicas", 1);
            if (autoscaler.Kind == "ScaledObject")
                return Of(autoscaler, "minReplicaCount", 0);
        }

        if (workload.Replicas is { AsInteger: { } count })
            return new ReplicaFloor(count, true, workload.Object, "replicas");
        return OneByDefault.Contains(workload.Object.Kind, StringComparer.Ordinal) ? new ReplicaFloor(1, false, workload.Object, "replicas") : null;
    }

    private static ReplicaFloor Of(KubernetesObject autoscaler, string field, int standard) =>
        new(autoscaler.Spec?[field]?.AsInteger ?? standard, true, autoscaler, field);
}
