using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Autoscaling;

/// <summary>How many pods an HPA leaves, and how fast it takes them away.</summary>
internal static partial class AutoscalingRules
{
    /// <summary>A window longer than Kubernetes' own is somebody's decision.</summary>
    private const int DefaultWindow = 300;

    private static Rule CpuOnly => new()
    {
        Id = "HF-H01",
        Name = "hpa-cpu-only",
        Severity = Severity.Warning,
        Summary = "pods with WebSockets are scaled by their use of CPU alone",
        Why = "Open connections that say little use almost no CPU. At night the autoscaler sees idle pods and ends them with all their connections; in the morning it starts pods only after the reconnects have made the others busy.",
        Fix = "Scale by open connections per pod: a Pods metric, or KEDA on a sum over the pods. CPU may stay as a second metric: the one that wants more pods counts.",
        NotClaimed = "Memory, which guides name together with CPU, is not reported: it does follow the number of connections in many servers.",
        References = [HpaDocs, HpaDocs + "#scaling-on-custom-metrics"],
        Check = CheckCpuOnly,
    };

    private static Rule DefaultScaleDown => new()
    {
        Id = "HF-H02",
        Name = "hpa-default-scaledown",
        Severity = Severity.Warning,
        Summary = "an autoscaler without policies for scaling down",
        Why = "By default an HPA may take away all surplus pods at once, 300 s after the load fell. The connections of all of them reconnect to the few that are left at the same moment.",
        Fix = "Set behavior.scaleDown.policies to one pod per 300 s or more (type: Pods, value: 1, periodSeconds: 300) and stabilizationWindowSeconds to 900 or more.",
        NotClaimed = "A stabilizationWindowSeconds above 300 without policies is not reported, though it only puts off the same step.",
        References = [HpaDocs + "#default-behavior", HpaDocs + "#scaling-policies"],
        Check = CheckDefaultScaleDown,
    };

    private static Rule RemovedApi => new()
    {
        Id = "HF-H03",
        Name = "hpa-removed-api",
        Severity = Severity.Error,
        Summary = "a HorizontalPodAutoscaler of autoscaling/v2beta1 or v2beta2",
        Why = "These versions are gone since Kubernetes 1.25 and 1.26. The API server refuses the manifest, so the pods are not scaled and connections pile up on the ones that are there.",
        Fix = "Write apiVersion: autoscaling/v2. From v2beta1 targetAverageUtilization becomes target: {type: Utilization, averageUtilization: N}; v2beta2 needs no other change.",
        References = ["https://kubernetes.io/docs/reference/using-api/deprecation-guide/#horizontalpodautoscaler-v125", "https://kubernetes.io/docs/reference/using-api/deprecation-guide/#horizontalpodautoscaler-v126"],
        HasPatch = true,
        Check = CheckRemovedApi,
    };

    private static IEnumerable<Detection> CheckCpuOnly(LintContext context)
    {
        foreach (var (workload, autoscaler) in Of(context, Hpa, ScaledObject))
        {
            if (NeverScalesDown(autoscaler) || !ScalesByCpuAlone(autoscaler))
                continue;
            yield return new Detection(
                autoscaler,
                Place.Of(autoscaler, "spec", autoscaler.Kind == ScaledObject ? "triggers" : autoscaler.ApiVersion == "autoscaling/v1" ? "targetCPUUtilizationPercentage" : "metrics"),
                $"{workload} is scaled by CPU alone: pods full of quiet connections look idle and are ended with them.")
            {
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckDefaultScaleDown(LintContext context)
    {
        foreach (var (workload, autoscaler) in Of(context, Hpa, ScaledObject))
        {
            var scaleDown = ScaleDownOf(autoscaler);
            if (NeverScalesDown(autoscaler) || scaleDown?["policies"] is { Items.Count: > 0 } || scaleDown?["stabilizationWindowSeconds"] is { AsInteger: > DefaultWindow })
                continue;
            yield return new Detection(
                autoscaler,
                autoscaler.Kind == Hpa ? Place.Of(autoscaler, "spec", "behavior", "scaleDown") : Place.Of(autoscaler, "spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown"),
                $"nothing limits how many pods of {workload} are taken away at once when the load falls, and with them their connections.")
            {
                Fix = autoscaler.Kind == ScaledObject ? "Set policies and stabilizationWindowSeconds below advanced.horizontalPodAutoscalerConfig.behavior.scaleDown: one pod per 300 s or more, and 900 s or more."
                    : autoscaler.ApiVersion == "autoscaling/v1" ? "Write it as autoscaling/v2, which has behavior.scaleDown, and set policies there: one pod per 300 s or more, with a stabilizationWindowSeconds of 900 or more."
                    : null,
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckRemovedApi(LintContext context)
    {
        foreach (var (workload, autoscaler) in Of(context, Hpa))
        {
            if (autoscaler.ApiVersion is not ("autoscaling/v2beta1" or "autoscaling/v2beta2") || autoscaler.Root["apiVersion"] is not { } version)
                continue;
            var isRename = autoscaler.ApiVersion == "autoscaling/v2beta2";
            yield return new Detection(
                autoscaler,
                Place.Of(version),
                $"{autoscaler.ApiVersion} is gone since Kubernetes {(isRename ? "1.26" : "1.25")}: this is refused, and {workload} is not scaled.")
            {
                Patch = isRename ? Edits.Replace("set apiVersion: autoscaling/v2", version, "autoscaling/v2") : null,
                Because = workload.Signs,
            };
        }
    }

    private static bool ScalesByCpuAlone(KubernetesObject autoscaler)
    {
        if (autoscaler.Kind == ScaledObject)
            return Triggers(autoscaler).Any() && Triggers(autoscaler).All(t => t["type"]?.AsText == "cpu");
        // Without metrics Kubernetes takes 80 % CPU.
        return autoscaler.ApiVersion == "autoscaling/v1" || (autoscaler.Spec?["metrics"]?.Items ?? []).All(m => m["type"]?.AsText switch
        {
            "Resource" => m.At("resource", "name")?.AsText == "cpu",
            "ContainerResource" => m.At("containerResource", "name")?.AsText == "cpu",
            _ => false,
        });
    }
}
