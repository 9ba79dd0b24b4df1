namespace Holdfast.Manifests.Linting.Reading;

/// <summary>
/// Folders of Kustomize hold patches: pieces of objects that would be judged for what they leave to their base. What a kustomization lists as a
/// patch is left out, and told once.
/// </summary>
internal static class Kustomizations
{
    private static readonly string[] FileNames = ["kustomization.yaml", "kustomization.yml"];

    public static bool Is(SourceText source, Node root) =>
        root["kind"]?.AsText is "Kustomization" or "Component" && root["apiVersion"]?.AsText?.StartsWith("kustomize.config.k8s.io/", StringComparison.Ordinal) == true
        || FileNames.Contains(Path.GetFileName(source.Name), StringComparer.Ordinal) && root["apiVersion"] is null;

    public static IEnumerable<ManifestDocument> LeaveOutPatches(List<ManifestDocument> documents, List<ReadProblem> problems)
    {
        var patches = new HashSet<string>(StringComparer.Ordinal);
        foreach (var document in documents)
        {
            if (!document.Source.IsFile || !Is(document.Source, document.Root))
                continue;
            var before = patches.Count;
            foreach (var path in PatchesOf(document.Root))
                patches.Add(Path.GetFullPath(Path.Combine(document.Source.Folder, path)));
            if (patches.Count > before)
            {
                var folder = document.Source.Folder is { Length: > 1 } named ? named[..^1] : ".";
                problems.Add(new ReadProblem(document.Source.Name, 0, 0, $"its patches are not looked at; for what it really applies: `kustomize build {folder} | holdfast lint -`", IsFault: false));
            }
        }

        return patches.Count == 0 ? documents : documents.Where(d => !d.Source.IsFile || !patches.Contains(Path.GetFullPath(d.Source.Name)));
    }

    private static IEnumerable<string> PatchesOf(Node root)
    {
        foreach (var key in (string[])["patches", "patchesJson6902", "patchesStrategicMerge"])
        {
            foreach (var item in root[key]?.Items ?? [])
            {
                // A strategic merge patch is a path, or the patch itself in place.
                var path = item.Kind == NodeKind.Scalar ? item.Text : item["path"]?.AsText;
                if (path is { Length: > 0 and < 1024 } && !path.Contains('\n', StringComparison.Ordinal) && !path.Contains('\0', StringComparison.Ordinal))
                    yield return path;
            }
        }
    }
}
