using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Fixing;

/// <summary>Replaces a part of a text; an empty part inserts.</summary>
internal sealed record TextEdit(SourceText Source, int Start, int End, string NewText);

/// <summary>A mechanical fix: applied as a whole or not at all.</summary>
/// <param name="Title">What it does, for a person: <c>set proxy-read-timeout to "3600"</c>.</param>
internal sealed record Patch(string Title, IReadOnlyList<TextEdit> Edits);
