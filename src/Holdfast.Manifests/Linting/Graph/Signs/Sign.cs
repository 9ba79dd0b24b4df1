using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Signs;

/// <summary>One reason to take something for a user of WebSockets.</summary>
/// <param name="IsDeclared">Somebody says so; false: it only looks like it.</param>
/// <param name="Text">What was seen, ready for "because …".</param>
/// <param name="At">Null: it stands in no manifest.</param>
internal sealed record Sign(bool IsDeclared, string Text, Node? At)
{
    /// <summary>On a workload, its pods, a Service or a route: <c>"true"</c> declares WebSockets, <c>"false"</c> denies them whatever the signs.</summary>
    public const string Annotation = "holdfast.dev/websocket";
}
