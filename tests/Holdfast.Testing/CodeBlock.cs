namespace Holdfast.Testing;

/// <summary>A fenced block of a Markdown page.</summary>
/// <param name="Page">Relative to the repository.</param>
/// <param name="Line">Of its first line, from 1.</param>
/// <param name="Language">What stands after the opening fence; may be empty.</param>
/// <param name="Text">Without the fences.</param>
public sealed record CodeBlock(string Page, int Line, string Language, string Text)
{
    private const string Fence = "```";

    public static IReadOnlyList<CodeBlock> Read(string page)
    {
        var blocks = new List<CodeBlock>();
        var lines = Repository.Read(page).Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            if (!lines[i].StartsWith(Fence, StringComparison.Ordinal))
                continue;
            var start = i + 1;
            do
                i++;
            while (i < lines.Length && lines[i].TrimEnd() != Fence);
            blocks.Add(new CodeBlock(page, start + 1, lines[start - 1][Fence.Length..].Trim(), string.Join('\n', lines[start..i]) + "\n"));
        }

        return blocks;
    }

    /// <summary>The only block of a page in a language.</summary>
    public static CodeBlock Only(string page, string language) => Read(page).Single(b => b.Language == language);
}
