using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>Kubernetes' two forms of selecting by labels.</summary>
internal static class LabelSelector
{
    /// <summary>A plain mapping, as in a Service: every pair must be there. An empty or missing one selects nothing.</summary>
    public static bool MatchesMap(Node? selector, Node? labels) => selector is { Kind: NodeKind.Mapping, Entries.Count: > 0 } && HasAll(selector, labels);

    /// <summary>
    /// A <c>LabelSelector</c>, as in a PodDisruptionBudget: <c>matchLabels</c> and <c>matchExpressions</c>. An empty one selects everything, a
    /// missing one nothing.
    /// </summary>
    public static bool Matches(Node? selector, Node? labels)
    {
        if (selector is not { Kind: NodeKind.Mapping })
            return false;
        if (selector["matchLabels"] is { } wanted && !HasAll(wanted, labels))
            return false;
        foreach (var expression in selector["matchExpressions"]?.Items ?? [])
        {
            if (!Holds(expression, labels))
                return false;
        }

        return true;
    }

    private static bool HasAll(Node wanted, Node? labels)
    {
        foreach (var entry in wanted.Entries)
        {
            if (labels?[entry.Key.Text] is not { } value || !string.Equals(value.Text, entry.Value.Text, StringComparison.Ordinal))
                return false;
        }

        return true;
    }

    private static bool Holds(Node expression, Node? labels)
    {
        var value = labels?[expression["key"]?.AsText ?? ""];
        var isListed = value is not null && (expression["values"]?.Items ?? []).Any(v => string.Equals(v.Text, value.Text, StringComparison.Ordinal));
        return expression["operator"]?.AsText switch
        {
            "In" => isListed,
            "NotIn" => !isListed,
            "Exists" => value is not null,
            "DoesNotExist" => value is null,
            _ => false,
        };
    }
}
