using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Budgets;

/// <summary>HF-P: PodDisruptionBudgets of WebSocket workloads.</summary>
internal static class BudgetRules
{
    private const string Docs = "https://kubernetes.io/docs/tasks/run-application/configure-pdb/";
    private const string DisruptionDocs = "https://kubernetes.io/docs/concepts/workloads/pods/disruptions/";

    /// <summary>Labels that name one workload; others (a release, a tier) are shared by many.</summary>
    private static readonly string[] NamingLabels = ["app", "k8s-app", "app.kubernetes.io/name"];

    public static RuleFamily Family { get; } = new('P', "PodDisruptionBudgets", [Missing, Blocking, WrongSelector]);

    private static Rule Missing => new()
    {
        Id = "HF-P01",
        Name = "pdb-missing",
        Severity = Severity.Warning,
        Summary = "several replicas and no PodDisruptionBudget that selects them",
        Why = "When nodes are drained (an upgrade, an autoscaler), pods are evicted as fast as nodes are emptied. Without a budget several pods of one workload go at the same time, and all their clients reconnect to the few that are left.",
        Fix = "Add a PodDisruptionBudget with the workload's labels and maxUnavailable: 1.",
        NotClaimed = "Only what is among the manifests can be seen. A budget bounds evictions, not rollouts, scaling or crashes.",
        References = [DisruptionDocs + "#pod-disruption-budgets", Docs],
        Check = CheckMissing,
    };

    private static Rule Blocking => new()
    {
        Id = "HF-P02",
        Name = "pdb-blocking",
        Severity = Severity.Warning,
        Summary = "a PodDisruptionBudget that allows no eviction at all",
        Why = "Draining a node waits for an eviction that is never allowed. Upgrades hang or fail, until somebody (or the cloud, when its patience is over) removes the node with the pods on it, and nothing bounds what drops then.",
        Fix = "Set maxUnavailable: 1 (instead of minAvailable) and run at least two replicas.",
        NotClaimed = "A minAvailable number is compared with replicas or the autoscaler's minimum, when one is written.",
        References = [Docs, DisruptionDocs, "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-code-poddrainfailure"],
        HasPatch = true,
        Check = CheckBlocking,
    };

    private static Rule WrongSelector => new()
    {
        Id = "HF-P03",
        Name = "pdb-selector",
        Severity = Severity.Error,
        Summary = "a PodDisruptionBudget that misses the pods, shares them with another, or counts other workloads with them",
        Why = "Pods that two budgets select cannot be evicted at all: the eviction API answers with an error. A budget that selects nothing protects nothing. A minAvailable over several workloads is content with the pods of one, while all of the other are evicted.",
        Fix = "Give each workload one budget, whose selector has the labels of its pod template.",
        NotClaimed = "A budget without pods is reported only when its name or its label app (app.kubernetes.io/name) points at a WebSocket workload without a budget, and as a warning, since its pods may not be among the manifests. A shared maxUnavailable is stricter than two and not reported.",
        References = [Docs, "https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/registry/core/pod/storage/eviction.go"],
        Check = CheckWrongSelector,
    };

    private static IEnumerable<Detection> CheckMissing(LintContext context)
    {
        var astray = Astray(context, Selections(context)).Select(a => a.Workload).ToHashSet();
        foreach (var workload in context.WebSocketWorkloads)
        {
            // Where a budget is there and misses, the third rule says so.
            if (workload.DisruptionBudgets.Count > 0 || ReplicaFloor.Of(workload) is not { Count: > 1 } floor || astray.Contains(workload))
                continue;
            yield return new Detection(workload.Object, Place.Of(workload.Object, "metadata", "name"), $"no PodDisruptionBudget selects its {floor.Count} pods: draining nodes may evict several at a time.")
            {
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckBlocking(LintContext context)
    {
        var selections = Selections(context);
        foreach (var workload in context.WebSocketWorkloads)
        {
            foreach (var budget in workload.DisruptionBudgets)
            {
                if (BlockerOf(budget, selections[budget]) is not { } blocker)
                    continue;
                var (value, ofPods) = blocker;
                var isMaximum = ReferenceEquals(value, budget.Spec?["maxUnavailable"]);
                var so = isMaximum ? $"maxUnavailable is {value.Text}: no pod may ever be evicted" : ofPods is null ? $"minAvailable is {value.Text}: no pod may ever be evicted" : $"minAvailable is {value.Text} of {ofPods}: while there are no more pods, none may be evicted";
                yield return new Detection(budget, Place.Of(value), so + ", so draining its node blocks until somebody removes it by force.")
                {
                    Patch = isMaximum ? Edits.Replace("set maxUnavailable: 1", value, "1") : null,
                    Because = workload.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckWrongSelector(LintContext context)
    {
        var selections = Selections(context);
        foreach (var (workload, budget) in Astray(context, selections))
        {
            yield return new Detection(budget, Place.Of(budget, "spec", "selector"), $"it selects no pods among the manifests; the labels of {workload} differ, so nothing bounds its evictions.")
            {
                Severity = Severity.Warning,
                Because = workload.Signs,
            };
        }

        foreach (var workload in context.WebSocketWorkloads)
        {
            // The same one may be there for several environments.
            foreach (var budget in workload.DisruptionBudgets.DistinctBy(b => b.Name, StringComparer.Ordinal).Skip(1))
            {
                yield return new Detection(budget, Place.Of(budget, "spec", "selector"), $"{workload.DisruptionBudgets[0]} selects the pods of {workload} too: with two budgets they cannot be evicted, and draining their nodes fails.")
                {
                    Because = workload.Signs,
                };
            }

            foreach (var budget in workload.DisruptionBudgets)
            {
                if (budget.Spec?["minAvailable"] is null || selections[budget].FirstOrDefault(w => w != workload) is not { } other)
                    continue;
                yield return new Detection(budget, Place.Of(budget, "spec", "selector"), $"minAvailable counts the pods of {workload} and {other} together: those of one may all be evicted while the other's are enough.")
                {
                    Severity = Severity.Warning,
                    Because = workload.Signs,
                };
            }
        }
    }

    /// <summary>The value that forbids every eviction, and of how many pods at least; null: whatever their number.</summary>
    private static (Node Value, long? OfPods)? BlockerOf(KubernetesObject budget, IEnumerable<Workload> selected)
    {
        if (budget.Spec?["maxUnavailable"] is { } most)
            return most.Text is "0" or "0%" ? (most, null) : null;
        if (budget.Spec?["minAvailable"] is not { } least)
            return null;
        if (least.Text == "100%")
            return (least, null);
        var floors = selected.Select(ReplicaFloor.Of).ToList();
        if (floors.Any(f => f is not { IsWritten: true, Count: > 0 }))
            return null;
        var total = floors.Sum(f => (long)f!.Count);
        return total <= int.MaxValue && IntOrPercent.Of(least, (int)total, roundUp: true) >= total ? (least, total) : null;
    }

    /// <summary>What each budget selects, WebSocket workloads and others.</summary>
    private static ILookup<KubernetesObject, Workload> Selections(LintContext context) =>
        context.Graph.Workloads.SelectMany(w => w.DisruptionBudgets.Select(b => (Budget: b, Workload: w))).ToLookup(s => s.Budget, s => s.Workload);

    /// <summary>Budgets that select nothing, with the WebSocket workload that they seem to be for.</summary>
    private static IEnumerable<(Workload Workload, KubernetesObject Budget)> Astray(LintContext context, ILookup<KubernetesObject, Workload> selections)
    {
        var unprotected = context.WebSocketWorkloads.Where(w => w.DisruptionBudgets.Count == 0).ToLookup(w => w.Object.Namespace, StringComparer.Ordinal);
        foreach (var budget in context.Graph.Objects.OfKind("PodDisruptionBudget", "policy"))
        {
            if (!selections.Contains(budget) && unprotected[budget.Namespace].FirstOrDefault(w => IsMeantFor(budget, w)) is { } meant)
                yield return (meant, budget);
        }
    }

    private static bool IsMeantFor(KubernetesObject budget, Workload workload)
    {
        var name = workload.Object.Name;
        if (budget.Name == name || budget.Name == name + "-pdb")
            return true;
        var wanted = budget.Spec?.At("selector", "matchLabels");
        return NamingLabels.Any(l => wanted?[l]?.AsText is { } value && workload.PodLabels?[l]?.AsText == value);
    }
}
