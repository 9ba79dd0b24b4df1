using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>One thing between a client and a pod that may close a connection by itself.</summary>
/// <param name="Name">For a message: <c>AWS NLB</c>.</param>
/// <param name="Idle">Closed after so long without a byte. Null: not by silence, or not known.</param>
/// <param name="Lifetime">Closed after so long whatever passes. Null: not.</param>
/// <param name="Setting">What decides, and whether it is set: <c>proxy-read-timeout is not set</c>.</param>
/// <param name="Object">Where it would be set.</param>
/// <param name="At">Null: nothing is set.</param>
internal sealed record Hop(string Name, TimeSpan? Idle, TimeSpan? Lifetime, string Setting, KubernetesObject? Object, Node? At);
