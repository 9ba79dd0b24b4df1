using System.Text;
using Holdfast.Manifests.Linting.Rules;

namespace Holdfast.Manifests.Linting.Output;

/// <summary>Rules in words: what <c>--explain</c> prints, and the page of the reference.</summary>
internal static class RuleText
{
    public static string Explain(Rule rule)
    {
        var text = new StringBuilder();
        text.Append($"{rule.Id} {rule.Name} ({Names.Of(rule.Severity)})\n\n");
        TextOutput.Wrap(text, rule.Summary, "  ");
        text.Append("\nWhy\n");
        TextOutput.Wrap(text, rule.Why, "  ");
        text.Append("\nFix" + (rule.HasPatch ? " (--fix does it where it is mechanical)" : "") + "\n");
        TextOutput.Wrap(text, rule.Fix, "  ");
        if (rule.NotClaimed is { } notClaimed)
        {
            text.Append("\nNot claimed\n");
            TextOutput.Wrap(text, notClaimed, "  ");
        }

        text.Append("\nSee\n");
        foreach (var reference in rule.References)
            text.Append("  ").Append(reference).Append('\n');
        text.Append($"\nNot for you? On the object: {Suppressions.Annotation}: \"{rule.Id} the reason\"\n");
        return text.ToString();
    }

    /// <summary><c>docs/reference/lint-rules.md</c>.</summary>
    public static string Reference()
    {
        var text = new StringBuilder();
        text.Append("# Lint rules\n");
        text.Append("What `holdfast lint` looks for; [Linting](../lint.md) tells how to use it. This page is written from the code (a test compares them).\n\n");
        text.Append("*error*: connections will drop, or never open. *warning*: they drop in circumstances that are usual. *advice*: worth knowing. A finding may weigh\n");
        text.Append("less than its rule when it rests on an assumption. *patch*: `--fix` can do it.\n\n");
        foreach (var family in RuleCatalog.Families)
        {
            text.Append($"## {family.Title}\n| rule | severity | looks for | patch |\n|---|---|---|---|\n");
            foreach (var rule in family.Rules)
                text.Append($"| [`{rule.Id}`](#{Anchor(rule)}) {rule.Name} | {Names.Of(rule.Severity)} | {Escape(rule.Summary)} | {(rule.HasPatch ? "yes" : "")} |\n");
            text.Append('\n');
            foreach (var rule in family.Rules)
            {
                text.Append($"### {rule.Id} {rule.Name}\n{rule.Why}\n\n**Fix.** {rule.Fix}\n");
                if (rule.NotClaimed is { } notClaimed)
                    text.Append($"\n**Not claimed.** {notClaimed}\n");
                text.Append($"\nSee {string.Join(", ", rule.References.Select(r => $"<{r}>"))}\n\n");
            }
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    /// <summary>As Markdown makes it of the heading.</summary>
    private static string Anchor(Rule rule) => $"{rule.Id} {rule.Name}".ToLowerInvariant().Replace(' ', '-').Replace(".", "", StringComparison.Ordinal);

    private static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
