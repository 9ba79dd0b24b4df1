using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting;

/// <summary>What people have decided not to hear: by an annotation on the object, or in the configuration.</summary>
internal sealed class Suppressions(LintSettings settings)
{
    /// <summary><c>HF-D04,HF-N02 the reason</c>: ids or names, separated by commas; whatever follows is the reason.</summary>
    public const string Annotation = "lint.holdfast.dev/ignore";

    private readonly Dictionary<KubernetesObject, (HashSet<Rule> Rules, string Reason)> _annotated = [];

    /// <summary>Null when the finding is to be told.</summary>
    public Suppression? Find(Rule rule, KubernetesObject item)
    {
        if (item.Annotation(Annotation)?.AsText is { } text)
        {
            if (!_annotated.TryGetValue(item, out var ignored))
                _annotated.Add(item, ignored = Parse(text, out _));
            if (ignored.Rules.Contains(rule))
                return new Suppression(ignored.Reason.Length > 0 ? ignored.Reason : "no reason given", IsInSource: true);
        }

        foreach (var ignore in settings.Ignore)
        {
            if ((ignore.Rules.Count == 0 || ignore.Rules.Any(r => RuleCatalog.Find(r) == rule)) && (ignore.Objects.Count == 0 || ignore.Objects.Any(o => Matches(o, item.ToString()))))
                return new Suppression(ignore.Reason, IsInSource: false);
        }

        return null;
    }

    /// <summary>Annotations that name no rule: a misspelt one would leave its author puzzled.</summary>
    public static IEnumerable<ReadProblem> Unknown(IEnumerable<KubernetesObject> objects)
    {
        foreach (var item in objects)
        {
            if (item.Annotation(Annotation) is not { AsText: { } text } node)
                continue;
            Parse(text, out var unknown);
            foreach (var word in unknown)
                yield return new ReadProblem(item.Source.Name, node.Line, node.Column, $"{Annotation} of {item} names '{word}', which is no rule; `holdfast lint --explain HF-N02` shows one", IsFault: false);
        }
    }

    private static (HashSet<Rule> Rules, string Reason) Parse(string text, out List<string> unknown)
    {
        var rules = new HashSet<Rule>();
        unknown = [];
        var rest = text.AsSpan().Trim();
        while (rest.Length > 0)
        {
            var end = rest.IndexOfAny(" ,\t\n");
            var word = (end < 0 ? rest : rest[..end]).TrimEnd(':').ToString();
            if (RuleCatalog.Find(word) is { } rule)
                rules.Add(rule);
            else if (word.StartsWith("HF-", StringComparison.OrdinalIgnoreCase) || rules.Count == 0)
                unknown.Add(word);
            else
                break;
            rest = end < 0 ? default : rest[end..].TrimStart(" ,\t\n");
            // Without a rule at the start the whole text is a reason for nothing; one word of it is enough to tell.
            if (rules.Count == 0 && unknown.Count > 0)
                break;
        }

        return (rules, rest.Trim().ToString());
    }

    /// <summary><c>*</c> stands for any run of characters. Linear: the earliest place for each part is as good as any.</summary>
    internal static bool Matches(string pattern, string text)
    {
        var parts = pattern.Split('*');
        if (parts.Length == 1)
            return pattern == text;
        if (!text.StartsWith(parts[0], StringComparison.Ordinal))
            return false;
        var at = parts[0].Length;
        foreach (var part in parts.AsSpan(1, parts.Length - 2))
        {
            var found = text.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0)
                return false;
            at = found + part.Length;
        }

        return text.Length - at >= parts[^1].Length && text.EndsWith(parts[^1], StringComparison.Ordinal);
    }
}
