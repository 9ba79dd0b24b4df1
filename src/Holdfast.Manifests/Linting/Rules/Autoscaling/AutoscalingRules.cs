using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Autoscaling;

/// <summary>HF-H: what scales WebSocket workloads: HorizontalPodAutoscalers, KEDA's ScaledObjects, VerticalPodAutoscalers.</summary>
internal static partial class AutoscalingRules
{
    private const string Hpa = "HorizontalPodAutoscaler";
    private const string ScaledObject = "ScaledObject";
    private const string HpaDocs = "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/";
    private const string ScaledObjectDocs = "https://keda.sh/docs/latest/reference/scaledobject-spec/";

    public static RuleFamily Family { get; } = new('H', "Autoscaling", [CpuOnly, DefaultScaleDown, RemovedApi, ScaleToZero, SingleSample, Evictions]);

    /// <summary>What scales a WebSocket workload, of one kind.</summary>
    private static IEnumerable<(Workload Workload, KubernetesObject Autoscaler)> Of(LintContext context, params string[] kinds) =>
        context.WebSocketWorkloads.SelectMany(w => w.Autoscalers.Where(a => kinds.Contains(a.Kind, StringComparer.Ordinal)).Select(a => (w, a)));

    /// <summary>The HPA's own, or the one that KEDA gives to the HPA it makes.</summary>
    private static Node? ScaleDownOf(KubernetesObject autoscaler) =>
        autoscaler.Kind == Hpa ? autoscaler.Spec?.At("behavior", "scaleDown") : autoscaler.Spec?.At("advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown");

    /// <summary>Then nothing that the metrics say ends a pod.</summary>
    private static bool NeverScalesDown(KubernetesObject autoscaler) => ScaleDownOf(autoscaler)?["selectPolicy"] is { Text: "Disabled" };

    private static IEnumerable<Node> Triggers(KubernetesObject scaledObject) => scaledObject.Spec?["triggers"]?.Items ?? [];
}
