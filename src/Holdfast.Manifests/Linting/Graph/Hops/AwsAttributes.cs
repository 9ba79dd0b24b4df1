namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>The attributes of AWS's load balancers as the AWS Load Balancer Controller takes them in an annotation: <c>a=1,b=2</c>.</summary>
internal static class AwsAttributes
{
    /// <summary>Null: not there. Of repeated ones the last.</summary>
    public static string? Get(string? attributes, string key)
    {
        foreach (var attribute in (attributes ?? "").Split(',', StringSplitOptions.TrimEntries).Reverse())
        {
            if (attribute.StartsWith(key, StringComparison.Ordinal) && attribute.AsSpan(key.Length).TrimStart() is ['=', .. var value])
                return value.Trim().ToString();
        }

        return null;
    }

    /// <summary>The same list with one of them set.</summary>
    public static string With(string? attributes, string key, string value)
    {
        var others = (attributes ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(a => Get(a, key) is null);
        return string.Join(',', others.Append(key + "=" + value));
    }
}
