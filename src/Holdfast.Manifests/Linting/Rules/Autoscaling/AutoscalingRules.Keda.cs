using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Autoscaling;

/// <summary>KEDA.</summary>
internal static partial class AutoscalingRules
{
    private const string Aggregate = "aggregateFromKubeServiceEndpoints";

    private static Rule ScaleToZero => new()
    {
        Id = "HF-H04",
        Name = "keda-zero",
        Severity = Severity.Warning,
        Summary = "a ScaledObject may take WebSocket pods down to zero (minReplicaCount 0 or absent, idleReplicaCount: 0)",
        Why = "When no trigger is active for the cooldown (300 s), KEDA takes away every pod, whatever connections they hold, unless a trigger counts just those. Then no handshake succeeds until a trigger has started a pod again.",
        Fix = "Set minReplicaCount: 2 and remove idleReplicaCount.",
        NotClaimed = "Triggers of the types cpu and memory alone never scale to zero and are not reported.",
        References = [ScaledObjectDocs + "#minreplicacount", ScaledObjectDocs + "#idlereplicacount", ScaledObjectDocs + "#cooldownperiod", "https://keda.sh/docs/latest/scalers/cpu/"],
        HasPatch = true,
        Check = CheckScaleToZero,
    };

    private static Rule SingleSample => new()
    {
        Id = "HF-H05",
        Name = "keda-single-sample",
        Severity = Severity.Warning,
        Summary = "a metrics-api trigger asks the workload's own Service, so one pod answers for all",
        Why = "Each request to the Service reaches one pod of several, and KEDA takes its number for that of the whole workload. The count jumps with the pod that answers, and pods are started and ended for no reason, with their connections.",
        Fix = "Set aggregateFromKubeServiceEndpoints: \"true\" with aggregationType: sum (known to KEDA 2.20; the url then names the pods' port), or take the sum from Prometheus.",
        NotClaimed = "Only a url is reported whose Service is among the manifests and selects the scaled pods: another may well answer with a total.",
        References = ["https://keda.sh/docs/latest/scalers/metrics-api/"],
        Check = CheckSingleSample,
    };

    private static IEnumerable<Detection> CheckScaleToZero(LintContext context)
    {
        foreach (var (workload, autoscaler) in Of(context, ScaledObject))
        {
            if (Triggers(autoscaler).All(t => t["type"]?.AsText is "cpu" or "memory"))
                continue;
            var least = autoscaler.Spec?["minReplicaCount"];
            var idle = autoscaler.Spec?["idleReplicaCount"];
            if ((least?.AsInteger ?? 0) == 0)
            {
                yield return new Detection(
                    autoscaler,
                    Place.Of(autoscaler, "spec", "minReplicaCount"),
                    $"minReplicaCount is {(least is null ? "not set, so " : "")}0: {workload} loses all pods when its triggers rest, with every connection that is still open.")
                {
                    Fix = "Set minReplicaCount: 2.",
                    Patch = Edits.Set("set minReplicaCount: 2", autoscaler.Root, ["spec", "minReplicaCount"], "2"),
                    Because = workload.Signs,
                };
            }
            else if (idle is { AsInteger: 0 })
            {
                yield return new Detection(autoscaler, Place.Of(idle), $"idleReplicaCount is 0: {workload} loses all pods when its triggers rest, with every connection that is still open.")
                {
                    Fix = "Remove idleReplicaCount.",
                    Patch = Edits.Remove("remove idleReplicaCount", autoscaler.Root, ["spec", "idleReplicaCount"]),
                    Because = workload.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckSingleSample(LintContext context)
    {
        foreach (var (workload, autoscaler) in Of(context, ScaledObject))
        {
            foreach (var trigger in Triggers(autoscaler))
            {
                if (trigger["type"]?.AsText != "metrics-api" || trigger.At("metadata", "url") is not { } url || trigger.At("metadata", Aggregate) is { AsBoolean: true })
                    continue;
                var service = workload.Services.FirstOrDefault(s => Names(url, s, autoscaler.Namespace));
                if (service is null)
                    continue;
                yield return new Detection(autoscaler, Place.Of(url), $"the url leads to {service}: one pod answers each time, and its count is taken for that of all pods of {workload}.") { Because = workload.Signs };
            }
        }
    }

    /// <summary><c>http://chat:9090/metrics</c>, <c>http://chat.shop.svc.cluster.local/…</c>. KEDA asks from a namespace of its own, but short names are written nevertheless.</summary>
    private static bool Names(Node url, Service service, string ns)
    {
        if (!Uri.TryCreate(url.AsText, UriKind.Absolute, out var uri) || !string.Equals(service.Object.Namespace, ns, StringComparison.Ordinal))
            return false;
        var labels = uri.Host.Split('.');
        return labels[0] == service.Object.Name && (labels.Length == 1 || labels[1] == ns && (labels.Length == 2 || labels[2] == "svc"));
    }
}
