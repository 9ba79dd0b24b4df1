namespace Holdfast.Manifests.Linting.Reading;

/// <summary>A part of a text that holds at most one YAML document.</summary>
/// <param name="Line">Of its first character, from 1.</param>
internal readonly record struct DocumentRange(int Start, int End, int Line);

/// <summary>
/// Cuts a text at its document markers before anything is parsed, so that a broken document cannot hide the ones behind it. Exact, since YAML
/// gives <c>---</c> and <c>...</c> at the start of a line no other meaning, not even inside quotes (YAML 1.2.2, 9.1.2).
/// </summary>
internal static class DocumentSplitter
{
    public static IEnumerable<DocumentRange> Split(string text)
    {
        var (start, startLine) = (text.StartsWith('\uFEFF') ? 1 : 0, 1);
        var line = 0;
        var hasContent = false;
        for (var at = start; at < text.Length;)
        {
            line++;
            var end = text.IndexOf('\n', at);
            var next = end < 0 ? text.Length : end + 1;
            var content = text.AsSpan(at, next - at);
            if (IsMarker(content, "---"))
            {
                // Directives and comments before the first marker belong to its document.
                if (hasContent)
                {
                    yield return new DocumentRange(start, at, startLine);
                    (start, startLine) = (at, line);
                }

                hasContent = true;
            }
            else if (IsMarker(content, "..."))
            {
                if (hasContent)
                    yield return new DocumentRange(start, at, startLine);
                (start, startLine, hasContent) = (next, line + 1, false);
            }
            else if (!hasContent)
            {
                hasContent = content.TrimStart(" \t\r\n") is [not ('#' or '%'), ..];
            }

            at = next;
        }

        if (hasContent)
            yield return new DocumentRange(start, text.Length, startLine);
    }

    private static bool IsMarker(ReadOnlySpan<char> line, string marker)
    {
        line = line.TrimEnd("\r\n");
        return line.StartsWith(marker, StringComparison.Ordinal) && (line.Length == marker.Length || line[marker.Length] is ' ' or '\t');
    }
}
