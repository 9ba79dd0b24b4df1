using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>How pods are replaced by new ones.</summary>
internal static partial class PodRules
{
    /// <summary>The least that lets a wave of reconnects pass before the next pod ends.</summary>
    private const string SuggestedReady = "15";

    /// <summary>From where on a rollout that takes one grace per pod is worth a word.</summary>
    private static readonly TimeSpan LongGrace = TimeSpan.FromMinutes(5);

    private static Rule Recreate => new()
    {
        Id = "HF-D08",
        Name = "recreate-strategy",
        Severity = Severity.Error,
        Summary = "a Deployment with strategy Recreate",
        Why = "All pods are ended before the first new one starts: every WebSocket drops at the same time, and until a new pod is ready nobody answers the reconnects.",
        Fix = "Use RollingUpdate with maxUnavailable: 0. What keeps two pods from running at a time (a volume that only one node can mount) needs another place.",
        References = [DeploymentDocs + "#recreate-deployment"],
        HasPatch = true,
        Check = CheckRecreate,
    };

    private static Rule FastRollout => new()
    {
        Id = "HF-D09",
        Name = "rollout-too-fast",
        Severity = Severity.Warning,
        Summary = "a rollout takes pods away before the new ones serve, or does not wait between pods (minReadySeconds)",
        Why = "With maxUnavailable above 0 (the default is 25 %, rounded down) old pods end while their clients have fewer pods to go to. Without minReadySeconds the next pod ends as soon as a new one is ready, before the last wave of reconnects is over: some clients are moved again and again.",
        Fix = "Set maxUnavailable: 0, maxSurge: 1 and minReadySeconds: 15 to 30.",
        NotClaimed = "minReadySeconds alone is only advice: it spares clients repeated moves, but each pod's connections end in any case. One replica is not reported: with the default surge its successor is ready first.",
        References = [DeploymentDocs + "#rolling-update-deployment", DeploymentDocs + "#min-ready-seconds", Docs + "concepts/workloads/controllers/statefulset/#minimum-ready-seconds"],
        HasPatch = true,
        Check = CheckFastRollout,
    };

    private static Rule SurgeOnHostPort => new()
    {
        Id = "HF-D14",
        Name = "daemonset-hostport-surge",
        Severity = Severity.Warning,
        Summary = "a DaemonSet with ports of its host is rolled out with maxSurge",
        Why = "With maxSurge the new pod is to start on the node beside the old one, but both ask for the same port of the node. The new one stays pending (or fails to bind), the rollout hangs, and whoever helps it along by deleting pods cuts their connections.",
        Fix = "Set maxSurge: 0 and maxUnavailable: 1, or serve from a Deployment behind a balancer.",
        NotClaimed = "It drops nothing while the rollout hangs, so it is a warning. With hostNetwork only ports that the container declares count: a program may share others by SO_REUSEPORT.",
        References = [Docs + "tasks/manage-daemon/update-daemon-set/", "https://github.com/kubernetes/enhancements/tree/master/keps/sig-apps/1591-daemonset-surge"],
        Check = CheckSurgeOnHostPort,
    };

    private static Rule SerialDrain => new()
    {
        Id = "HF-D15",
        Name = "statefulset-serial-drain",
        Severity = Severity.Advice,
        Summary = "a StatefulSet with a grace above 300 s, rolled out one pod after the other",
        Why = "A StatefulSet replaces its pods one by one and waits for each to end. With long drains a rollout lasts up to the grace times the number of pods; who cannot wait deletes pods by force, and then nothing is drained.",
        Fix = "Use a Deployment where pods need no identity; or set updateStrategy.rollingUpdate.maxUnavailable (on by default since Kubernetes 1.35) together with podManagementPolicy: Parallel.",
        NotClaimed = "Guides name podManagementPolicy: Parallel alone as the cure. Alone it concerns scaling, not updates; and maxUnavailable may have no effect without it. A grace is an upper bound, so it is only advice.",
        References = [Docs + "concepts/workloads/controllers/statefulset/#rolling-updates", Docs + "concepts/workloads/controllers/statefulset/#parallel-pod-management"],
        Check = CheckSerialDrain,
    };

    private static IEnumerable<Detection> CheckRecreate(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (workload.Object.Kind != "Deployment" || workload.Object.Spec?.At("strategy", "type") is not { Text: "Recreate" } type)
                continue;
            var hasVolume = (workload.PodSpec["volumes"]?.Items ?? []).Any(v => v["persistentVolumeClaim"] is not null);
            yield return new Detection(workload.Object, Place.Of(type), "strategy Recreate ends all pods before a new one starts: every WebSocket drops at once and none can be opened until then.")
            {
                // Two pods may not be able to share a claim.
                Patch = hasVolume ? null : Edits.Replace("set strategy.type: RollingUpdate", type, "RollingUpdate"),
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckFastRollout(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (ReplicaFloor.Of(workload) is not { Count: > 1 } floor || workload.Object.Spec is not { } spec)
                continue;
            var isDeployment = workload.Object.Kind == "Deployment";
            if (isDeployment && spec.At("strategy", "type") is { Text: "Recreate" } || !isDeployment && workload.Object.Kind != "StatefulSet"
                || spec.At("updateStrategy", "type") is { Text: "OnDelete" })
            {
                continue;
            }

            if (isDeployment && UnavailableOf(workload, floor) is > 0 and var unavailable)
            {
                var written = spec.At("strategy", "rollingUpdate", "maxUnavailable");
                yield return new Detection(
                    workload.Object,
                    Place.Of(workload.Object, "spec", "strategy", "rollingUpdate", "maxUnavailable"),
                    $"maxUnavailable is {written?.Text ?? "25% (the default)"}: of {floor.Count} pods {unavailable} may end before a new one serves, and the others take their reconnects.")
                {
                    Fix = "Set strategy.rollingUpdate.maxUnavailable: 0, with maxSurge: 1 or more.",
                    // Both may not be 0.
                    Patch = IntOrPercent.Of(spec.At("strategy", "rollingUpdate", "maxSurge"), floor.Count, roundUp: true) is 0
                        ? null
                        : Edits.Set("set maxUnavailable: 0", workload.Object.Root, ["spec", "strategy", "rollingUpdate", "maxUnavailable"], "0"),
                    Because = workload.Signs,
                };
            }

            if (spec["minReadySeconds"] is not { AsInteger: > 0 })
            {
                yield return new Detection(
                    workload.Object,
                    Place.Of(workload.Object, "spec", "minReadySeconds"),
                    "minReadySeconds is 0: the next pod ends as soon as one is ready, before the reconnects to it are over.")
                {
                    Severity = Severity.Advice,
                    Fix = "Set minReadySeconds: 15 to 30.",
                    Patch = Edits.Set($"set minReadySeconds: {SuggestedReady}", workload.Object.Root, ["spec", "minReadySeconds"], SuggestedReady),
                    Because = workload.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckSurgeOnHostPort(LintContext context)
    {
        // Controllers that bring WebSockets in are often DaemonSets on their nodes' ports.
        var controllers = context.WebSocketEntries.SelectMany(e => e.Controllers.Select(c => (Workload: c, e.Routes.First(r => r.IsWebSocket).Signs)));
        var all = context.WebSocketWorkloads.Select(w => (Workload: w, w.Signs)).Concat(controllers).DistinctBy(w => w.Workload);
        foreach (var (workload, signs) in all)
        {
            if (workload.Object.Kind != "DaemonSet" || workload.Object.Spec?.At("updateStrategy", "rollingUpdate", "maxSurge") is not { } surge
                || IntOrPercent.Of(surge, 100, roundUp: true) is not > 0 || HostPortOf(workload) is not { } port)
            {
                continue;
            }

            yield return new Detection(workload.Object, Place.Of(surge), $"maxSurge is {surge.Text}, but the old and the new pod cannot both have port {port} of their node: the rollout hangs.") { Because = signs };
        }
    }

    private static IEnumerable<Detection> CheckSerialDrain(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            if (workload.Object is not { Kind: "StatefulSet", Spec: { } spec } || ReplicaFloor.Of(workload) is not { Count: > 1 } floor || spec.At("updateStrategy", "type") is { Text: "OnDelete" })
                continue;
            var budget = context.BudgetOf(workload);
            var atOnce = spec["podManagementPolicy"] is { Text: "Parallel" } ? IntOrPercent.Of(spec.At("updateStrategy", "rollingUpdate", "maxUnavailable"), floor.Count, roundUp: true) ?? 1 : 1;
            if (budget.Grace <= LongGrace || atOnce > 1)
                continue;
            // Both numbers are whatever somebody wrote.
            var longest = TimeSpan.FromSeconds(Math.Min(budget.Grace.TotalSeconds * floor.Count, TimeSpan.FromDays(365).TotalSeconds));
            yield return new Detection(
                workload.Object,
                Place.Of(workload.PodSpec, Grace),
                $"{floor.Count} pods are replaced one after the other, each with up to {Durations.Say(budget.Grace)} to end: a rollout may last {Durations.Say(longest)}.")
            {
                Because = workload.Signs,
            };
        }
    }

    private static int UnavailableOf(Workload workload, ReplicaFloor floor)
    {
        var written = workload.Object.Spec?.At("strategy", "rollingUpdate", "maxUnavailable");
        return written is null ? floor.Count / 4 : IntOrPercent.Of(written, floor.Count, roundUp: false) ?? 0;
    }

    /// <summary>A port of the node that the pods ask for, as the scheduler sees it.</summary>
    private static string? HostPortOf(Workload workload)
    {
        var ports = workload.Containers.SelectMany(c => c.Node["ports"]?.Items ?? []);
        var onHost = workload.PodSpec["hostNetwork"] is { AsBoolean: true };
        return ports.Select(p => (p["hostPort"] ?? (onHost ? p["containerPort"] : null))?.AsText).FirstOrDefault(p => p is not null and not "0");
    }
}
