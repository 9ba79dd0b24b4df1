namespace Holdfast.Manifests.Linting.Reading;

/// <summary>One document of a text.</summary>
/// <param name="Template">What Helm says it rendered this from (<c># Source: …</c>), or where Kustomize says it comes from.</param>
internal sealed record ManifestDocument(SourceText Source, int Line, Node Root, string? Template);
