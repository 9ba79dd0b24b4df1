using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Autoscaling;

/// <summary>VerticalPodAutoscalers.</summary>
internal static partial class AutoscalingRules
{
    private const string VpaDocs = "https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/docs/";

    private static Rule Evictions => new()
    {
        Id = "HF-H06",
        Name = "vpa-evicts",
        Severity = Severity.Warning,
        Summary = "a VerticalPodAutoscaler in the mode Recreate (the default) or Auto",
        Why = "In these modes it evicts a running pod whenever its recommendation differs enough from what the pod has, at any time of the day; all connections of the pod drop.",
        Fix = "Set updatePolicy.updateMode: Initial (new pods only) or \"Off\" (recommendations only); or InPlaceOrRecreate, which resizes running pods where it can.",
        NotClaimed = "InPlaceOrRecreate may still evict a pod that cannot be resized, but seldom; it is not reported.",
        References = [VpaDocs + "quickstart.md", VpaDocs + "features.md", "https://kubernetes.io/docs/concepts/workloads/autoscaling/vertical-pod-autoscale/"],
        HasPatch = true,
        Check = CheckEvictions,
    };

    private static IEnumerable<Detection> CheckEvictions(LintContext context)
    {
        foreach (var (workload, autoscaler) in Of(context, "VerticalPodAutoscaler"))
        {
            var mode = autoscaler.Spec?.At("updatePolicy", "updateMode");
            if (mode?.AsText is not (null or "Recreate" or "Auto") || IsOffForAll(autoscaler))
                continue;
            yield return new Detection(
                autoscaler,
                Place.Of(autoscaler, "spec", "updatePolicy", "updateMode"),
                $"updateMode is {mode?.AsText ?? "Recreate (the default)"}: pods of {workload} are evicted whenever the recommendation changes, with their connections.")
            {
                Patch = Edits.Set("set updatePolicy.updateMode: Initial", autoscaler.Root, ["spec", "updatePolicy", "updateMode"], "Initial"),
                Because = workload.Signs,
            };
        }
    }

    private static bool IsOffForAll(KubernetesObject autoscaler) =>
        autoscaler.Spec?.At("resourcePolicy", "containerPolicies") is { Items: [var only] } && only["containerName"]?.AsText == "*" && only["mode"]?.AsText == "Off";
}
