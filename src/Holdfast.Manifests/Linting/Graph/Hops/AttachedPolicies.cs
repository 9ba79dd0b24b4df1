using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>Policies that are attached to an object in Gateway API's way: <c>targetRef</c> or <c>targetRefs</c>, in the same namespace.</summary>
internal sealed class AttachedPolicies(ObjectIndex objects)
{
    private static readonly string[] Kinds = ["ClientTrafficPolicy", "BackendTrafficPolicy", "GCPBackendPolicy", "BackendTLSPolicy"];

    private ILookup<(string Kind, string Namespace, string Name), KubernetesObject>? _policies;

    public IEnumerable<KubernetesObject> Of(string kind, KubernetesObject target)
    {
        _policies ??= Kinds.SelectMany(k => objects.OfKind(k)).SelectMany(p => Targets(p).Select(t => (Policy: p, Target: t)))
            .ToLookup(p => (p.Target.Kind, p.Policy.Namespace, p.Target.Name), p => p.Policy);
        return _policies[(target.Kind, target.Namespace, target.Name)].Where(p => p.Kind == kind);
    }

    private static IEnumerable<(string Kind, string Name)> Targets(KubernetesObject policy)
    {
        IEnumerable<Node> targets = policy.Spec?["targetRefs"]?.Items ?? [];
        if (policy.Spec?["targetRef"] is { } only)
            targets = targets.Append(only);
        foreach (var target in targets)
        {
            if (target["name"]?.AsText is { } name)
                yield return (target["kind"]?.AsText ?? "", name);
        }
    }
}
