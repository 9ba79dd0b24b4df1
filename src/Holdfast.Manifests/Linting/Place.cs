using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting;

/// <summary>Where a finding points. Lines and columns from 1, columns in UTF-16 units.</summary>
internal readonly record struct Place(SourceText Source, int Line, int Column)
{
    public static Place Of(Node node) => new(node.Source, node.Line, node.Column);

    /// <summary>Where a key of an object stands; when it is missing, the nearest mapping on the way that is written.</summary>
    public static Place Of(KubernetesObject item, params ReadOnlySpan<string> path) => Of(item.Root, path);

    /// <summary>As above, from any node.</summary>
    public static Place Of(Node root, params ReadOnlySpan<string> path)
    {
        var node = root;
        var place = Of(root);
        foreach (var key in path)
        {
            if (node.EntryOf(key) is not { } entry)
                break;
            place = Of(entry.Key);
            node = entry.Value;
        }

        return place;
    }
}
