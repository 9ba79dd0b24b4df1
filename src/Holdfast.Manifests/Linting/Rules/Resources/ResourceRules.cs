using System.Globalization;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Resources;

/// <summary>HF-R: memory and CPU of pods that hold WebSockets.</summary>
internal static class ResourceRules
{
    private const string Docs = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/";
    private const string ResizeDocs = "https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/";

    /// <summary>
    /// What Linux itself keeps for an established TCP socket, charged to the container: struct tcp_sock, inode, file and dentry came to 3.5 KiB on
    /// Linux 6.18 (/proc/slabinfo), without any buffer or byte of the application.
    /// </summary>
    private const double LeastPerConnection = 3584;

    public static RuleFamily Family { get; } = new('R', "Resources", [UnsizedMemory, CpuLimit, RestartOnResize]);

    private static Rule UnsizedMemory => new()
    {
        Id = "HF-R01",
        Name = "memory-unsized",
        Severity = Severity.Warning,
        Summary = "no memory request, or a memory limit below what the connections need",
        Why = "Memory follows the number of connections. A pod without a request is among the first that a node short of memory kills or evicts; one whose limit is below its connections is killed when they come. Either drops every connection of the pod at once.",
        Fix = "Measure the memory per connection, set requests.memory to that times connections per pod and some room, and limits.memory to the same.",
        NotClaimed = "What a connection needs is the application's: a limit is reported only against holdfast.dev/connections-per-pod and what Linux alone takes for a TCP socket, 3.5 KiB. A LimitRange or a VerticalPodAutoscaler may set requests and silences the rule.",
        References = [Docs, "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/", "https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"],
        Check = CheckUnsizedMemory,
    };

    private static Rule CpuLimit => new()
    {
        Id = "HF-R02",
        Name = "cpu-limit",
        Severity = Severity.Advice,
        Summary = "a CPU limit below one CPU",
        Why = "A container at its CPU limit stands still for the rest of each period. Handshakes after a rollout are work for the CPU; while it is throttled, pings are answered late, peers give up, and come back with more handshakes.",
        Fix = "Keep requests.cpu and remove limits.cpu, or raise it to what a wave of reconnects takes.",
        References = [Docs + "#how-pods-with-resource-limits-are-run", "https://docs.kernel.org/scheduler/sched-bwc.html"],
        Check = CheckCpuLimit,
    };

    private static Rule RestartOnResize => new()
    {
        Id = "HF-R03",
        Name = "resize-restarts",
        Severity = Severity.Advice,
        Summary = "resizePolicy RestartContainer",
        Why = "A pod whose resources are changed in place keeps its connections; with RestartContainer the container is restarted instead, and they drop.",
        Fix = "Set restartPolicy: NotRequired in resizePolicy (the default), at least for cpu. A runtime that reads its memory limit only at its start may need the restart for memory.",
        References = [ResizeDocs, "https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/1287-in-place-update-pod-resources"],
        HasPatch = true,
        Check = CheckRestartOnResize,
    };

    private static IEnumerable<Detection> CheckUnsizedMemory(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            var connections = workload.Annotation(RolloutBudget.ConnectionsAnnotation)?.AsInteger ?? context.Settings.Assume.ConnectionsPerPod;
            var isSetElsewhere = IsSetElsewhere(workload, context);
            foreach (var container in workload.Serving)
            {
                var limit = container.Node.At("resources", "limits", "memory");
                // A request that is not written is the limit's.
                if (limit is null && container.Node.At("resources", "requests", "memory") is null)
                {
                    if (!isSetElsewhere)
                    {
                        yield return new Detection(workload.Object, Place.Of(container.Node, "resources"), $"container {container.Name} requests no memory: it is among the first to be killed or evicted when its node runs short, with all connections.")
                        {
                            Because = workload.Signs,
                        };
                    }
                }
                else if (Quantity.Of(limit) is { } bytes && bytes < connections * LeastPerConnection)
                {
                    var least = Math.Ceiling(connections * LeastPerConnection / (1 << 20)).ToString("0", CultureInfo.InvariantCulture);
                    yield return new Detection(workload.Object, Place.Of(limit!), $"limits.memory is {limit!.Text}, but Linux alone needs {least}Mi for {connections} connections: the container is killed before it has them.")
                    {
                        Because = workload.Signs,
                    };
                }
            }
        }
    }

    private static IEnumerable<Detection> CheckCpuLimit(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            foreach (var container in workload.Serving)
            {
                if (container.Node.At("resources", "limits", "cpu") is not { } limit || Quantity.Of(limit) is not < 1)
                    continue;
                yield return new Detection(workload.Object, Place.Of(limit), $"limits.cpu is {limit.Text}: a wave of handshakes is throttled, and pings of open connections are late.") { Because = workload.Signs };
            }
        }
    }

    private static IEnumerable<Detection> CheckRestartOnResize(LintContext context)
    {
        foreach (var workload in context.WebSocketWorkloads)
        {
            foreach (var policy in workload.Containers.SelectMany(c => c.Node["resizePolicy"]?.Items ?? []))
            {
                if (policy["restartPolicy"] is not { Text: "RestartContainer" } restart)
                    continue;
                var resource = policy["resourceName"]?.AsText ?? "a resource";
                yield return new Detection(workload.Object, Place.Of(restart), $"changing {resource} in place restarts the container: its connections drop.")
                {
                    Patch = resource == "cpu" ? Edits.Replace("set restartPolicy: NotRequired", restart, "NotRequired") : null,
                    Because = workload.Signs,
                };
            }
        }
    }

    private static bool IsSetElsewhere(Workload workload, LintContext context) =>
        workload.PodSpec.At("resources", "requests", "memory") is not null || workload.PodSpec.At("resources", "limits", "memory") is not null
        || workload.Autoscalers.Any(a => a.Kind == "VerticalPodAutoscaler" && a.Spec?.At("updatePolicy", "updateMode") is not { Text: "Off" })
        || context.Graph.Objects.OfKind("LimitRange", "").Any(l => l.Namespace == workload.Object.Namespace
            && (l.Spec?["limits"]?.Items ?? []).Any(i => i["type"]?.AsText == "Container" && (i.At("defaultRequest", "memory") ?? i.At("default", "memory")) is not null));
}
