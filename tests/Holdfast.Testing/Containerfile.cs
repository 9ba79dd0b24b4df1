using System.Text.Json;
using System.Text.RegularExpressions;

namespace Holdfast.Testing;

/// <summary>One line of a Containerfile, continuation lines joined.</summary>
/// <param name="Keyword">Upper case.</param>
public sealed record ContainerInstruction(string Keyword, string Arguments)
{
    public IReadOnlyList<string> Words => Arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The words of the exec form, <c>["a", "b"]</c>. Throws for the shell form.</summary>
    public IReadOnlyList<string> Exec() => JsonSerializer.Deserialize<string[]>(Arguments)!;
}

/// <summary>A Containerfile's stages in order, each beginning with its <c>FROM</c>.</summary>
public sealed partial record Containerfile(IReadOnlyList<IReadOnlyList<ContainerInstruction>> Stages)
{
    /// <summary>The last stage: what the image becomes.</summary>
    public IReadOnlyList<ContainerInstruction> Final => Stages[^1];

    public static Containerfile Parse(string text)
    {
        var stages = new List<List<ContainerInstruction>>();
        foreach (var line in Continuation().Replace(text, " ").Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#'))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            var instruction = new ContainerInstruction(line[..space].ToUpperInvariant(), line[(space + 1)..].Trim());
            if (instruction.Keyword == "FROM")
                stages.Add([]);
            stages[^1].Add(instruction);
        }

        return new Containerfile([.. stages]);
    }

    [GeneratedRegex(@"\s*\\\n\s*")]
    private static partial Regex Continuation();
}
