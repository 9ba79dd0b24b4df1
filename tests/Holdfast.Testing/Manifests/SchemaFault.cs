namespace Holdfast.Testing.Manifests;

/// <summary>One thing that the API server would refuse, or drop in silence.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
/// <param name="Path">For example <c>spec.template.spec.containers[0].image</c>; empty: the object itself.</param>
public sealed record SchemaFault(string File, int Line, int Column, string Path, string Message)
{
    public override string ToString() =>
        FormattableString.Invariant($"{File}:{Line}:{Column}: ") + (Path.Length == 0 ? "" : Path + ": ") + Message;
}
