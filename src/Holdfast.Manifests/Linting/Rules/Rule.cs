namespace Holdfast.Manifests.Linting.Rules;

/// <summary>
/// One thing that drops WebSockets, and how it is seen in manifests. Ids and names never change their meaning and are never used again: they stand
/// in people's suppressions.
/// </summary>
internal sealed record Rule
{
    /// <summary><c>HF-N02</c>: the family's letter and a number.</summary>
    public required string Id { get; init; }

    /// <summary><c>nginx-read-timeout</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The highest that it reports.</summary>
    public required Severity Severity { get; init; }

    /// <summary>What it looks for, in one line.</summary>
    public required string Summary { get; init; }

    /// <summary>Why that drops connections.</summary>
    public required string Why { get; init; }

    /// <summary>What to do; a finding may say it more exactly.</summary>
    public required string Fix { get; init; }

    /// <summary>What is often claimed and not reported, because it could not be supported. Null: nothing.</summary>
    public string? NotClaimed { get; init; }

    /// <summary>What supports it: a page or a source file, each by URL.</summary>
    public required IReadOnlyList<string> References { get; init; }

    /// <summary>Whether some of its findings come with a patch.</summary>
    public bool HasPatch { get; init; }

    public required Func<LintContext, IEnumerable<Detection>> Check { get; init; }
}

/// <summary>The rules about one part of a cluster: one letter, one folder here.</summary>
/// <param name="Title">For the reference: <c>ingress-nginx</c>.</param>
internal sealed record RuleFamily(char Letter, string Title, IReadOnlyList<Rule> Rules);
