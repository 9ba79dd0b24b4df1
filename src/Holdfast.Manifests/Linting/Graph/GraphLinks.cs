using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>Ties Services, routes, autoscalers, budgets and policies to the workloads they name or select.</summary>
internal sealed class GraphLinks
{
    private static readonly (string Kind, string Group, string Reference)[] AutoscalerKinds =
    [
        ("HorizontalPodAutoscaler", "autoscaling", "scaleTargetRef"),
        ("ScaledObject", "keda.sh", "scaleTargetRef"),
        ("VerticalPodAutoscaler", "autoscaling.k8s.io", "targetRef"),
    ];

    private readonly ObjectIndex _objects;
    private readonly IReadOnlyList<Service> _services;
    private readonly Dictionary<KubernetesObject, Workload> _workloads;
    private readonly ILookup<string, Workload> _byNamespace;
    private readonly Dictionary<(string Namespace, string Key, string Value), List<Workload>> _byLabel = [];

    public GraphLinks(ObjectIndex objects, IReadOnlyList<Workload> workloads, IReadOnlyList<Service> services)
    {
        (_objects, _services) = (objects, services);
        _workloads = workloads.ToDictionary(w => w.Object);
        _byNamespace = workloads.ToLookup(w => w.Object.Namespace, StringComparer.Ordinal);
        foreach (var workload in workloads)
        {
            foreach (var label in workload.PodLabels?.Entries ?? [])
            {
                var key = (workload.Object.Namespace, label.Key.Text, label.Value.Text);
                if (!_byLabel.TryGetValue(key, out var list))
                    _byLabel.Add(key, list = []);
                list.Add(workload);
            }
        }
    }

    public void Resolve(IReadOnlyList<Route> routes)
    {
        foreach (var service in _services)
        {
            foreach (var workload in Selected(service.Object, service.Selector, LabelSelector.MatchesMap))
            {
                service.Workloads.Add(workload);
                workload.Services.Add(service);
            }
        }

        ResolveAutoscalers();
        foreach (var budget in _objects.OfKind("PodDisruptionBudget", "policy"))
        {
            foreach (var workload in SelectedBy(budget, "selector"))
                workload.DisruptionBudgets.Add(budget);
        }

        foreach (var policy in _objects.OfKind("NetworkPolicy", "networking.k8s.io"))
        {
            foreach (var workload in SelectedBy(policy, "podSelector"))
                workload.NetworkPolicies.Add(policy);
        }

        var byObject = _services.ToDictionary(s => s.Object);
        foreach (var route in routes)
        {
            route.Service = _objects.Find("Service", route.ServiceNamespace, route.ServiceName, route.Object) is { Group: "" } found ? byObject.GetValueOrDefault(found) : null;
            route.Service?.Routes.Add(route);
        }
    }

    private void ResolveAutoscalers()
    {
        foreach (var (kind, group, reference) in AutoscalerKinds)
        {
            foreach (var item in _objects.OfKind(kind, group))
            {
                var target = item.Spec?[reference];
                if (target?["name"]?.AsText is { } name && _objects.Find(target["kind"]?.AsText ?? "Deployment", item.Namespace, name, item) is { } found
                    && _workloads.TryGetValue(found, out var workload))
                {
                    workload.Autoscalers.Add(item);
                }
            }
        }
    }

    private IEnumerable<Workload> SelectedBy(KubernetesObject item, string key) => Selected(item, item.Spec?[key], LabelSelector.Matches);

    private IEnumerable<Workload> Selected(KubernetesObject item, Node? selector, Func<Node?, Node?, bool> matches)
    {
        if (selector is null)
            return [];
        // One pair of the selector is enough to leave few candidates.
        var pair = selector["matchLabels"] is { Entries: [var inner, ..] } ? inner : selector is { Entries: [{ Value.Kind: NodeKind.Scalar } plain, ..] } ? plain : (NodeEntry?)null;
        IEnumerable<Workload> candidates = pair is { } first
            ? _byLabel.GetValueOrDefault((item.Namespace, first.Key.Text, first.Value.Text)) ?? []
            : _byNamespace[item.Namespace];
        return ObjectIndex.NearestOfEach([.. candidates.Where(w => matches(selector, w.PodLabels))], w => w.Object, item);
    }
}
