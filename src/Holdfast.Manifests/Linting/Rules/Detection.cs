using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Signs;

namespace Holdfast.Manifests.Linting.Rules;

/// <summary>What a rule saw. What it leaves out is the rule's own.</summary>
/// <param name="Object">The object to change, which is also where an <c>ignore</c> annotation is looked for.</param>
/// <param name="At">The deciding value, or the nearest place where a missing one would stand.</param>
/// <param name="Message">One or two sentences without the object's name: what is so, and what it does to connections.</param>
internal sealed record Detection(KubernetesObject Object, Place At, string Message)
{
    public string? Fix { get; init; }

    public Patch? Patch { get; init; }

    public Severity? Severity { get; init; }

    /// <summary>Why this is about WebSockets: the signs of the workload, Service or route. Empty where the object itself says so.</summary>
    public IReadOnlyList<Sign> Because { get; init; } = [];
}
