using Holdfast.Api.Yaml;

namespace Holdfast.Manifests.Linting.Reading;

/// <summary>What texts hold: documents that look like Kubernetes objects, and what could not be read.</summary>
internal sealed class ManifestReader
{
    private const string SourceComment = "# Source: ";

    private readonly List<ManifestDocument> _documents = [];
    private readonly List<ReadProblem> _problems = [];

    /// <summary>Never throws for what a text holds.</summary>
    public static (IReadOnlyList<ManifestDocument> Documents, IReadOnlyList<ReadProblem> Problems) Read(IEnumerable<FoundSource> sources)
    {
        var reader = new ManifestReader();
        foreach (var source in sources)
            reader.Read(source);
        var documents = Kustomizations.LeaveOutPatches(reader._documents, reader._problems);
        return ([.. documents.Where(d => IsObject(d.Root))], reader._problems);
    }

    private void Read(FoundSource found)
    {
        var source = found.Text;
        var budget = new ComposeBudget();
        var faults = new List<YamlFault>();
        var objects = 0;
        foreach (var range in DocumentSplitter.Split(source.Text))
        {
            var (roots, fault) = NodeComposer.Compose(source, range, budget);
            // A folder holds other YAML too; only what claims to be an object is worth a complaint.
            if (fault is not null && (found.IsNamed || LooksLikeObject(source.Text.AsSpan(range.Start, range.End - range.Start))))
                faults.Add(fault);
            var template = roots.Count > 0 ? TemplateOf(source.Text.AsSpan(range.Start, range.End - range.Start)) : null;
            foreach (var root in roots)
                objects += Add(source, root, template);
        }

        if (faults.Count > 0 && source.HasTemplateAction)
            _problems.Add(new ReadProblem(source.Name, faults[0].Line, faults[0].Column, "a template, not a manifest: render it first, for example with `helm template`", IsFault: found.IsNamed));
        else
            _problems.AddRange(faults.Select(f => new ReadProblem(source.Name, f.Line, f.Column, f.Message, IsFault: true)));
        if (found.IsNamed && objects == 0 && faults.Count == 0)
            _problems.Add(new ReadProblem(source.Name, 0, 0, "holds no Kubernetes object", IsFault: false));
    }

    private int Add(SourceText source, Node root, string? template)
    {
        if (root.Kind != NodeKind.Mapping)
            return 0;
        if (root["kind"]?.AsText is { } kind && kind.EndsWith("List", StringComparison.Ordinal) && root["items"] is { Kind: NodeKind.Sequence } items)
        {
            var added = 0;
            foreach (var item in items.Items)
                added += Add(source, item, template);
            return added;
        }

        var isKustomization = Kustomizations.Is(source, root);
        if (!isKustomization && !IsObject(root))
            return 0;
        _documents.Add(new ManifestDocument(source, root.Line, root, template ?? OriginOf(root)));
        return 1;
    }

    private static bool IsObject(Node root) =>
        root["apiVersion"]?.AsText is { Length: > 0 } && root["kind"]?.AsText is { Length: > 0 } && root.At("metadata", "name")?.AsText is { Length: > 0 };

    private static bool LooksLikeObject(ReadOnlySpan<char> text) =>
        text.Contains("apiVersion", StringComparison.Ordinal) && text.Contains("kind", StringComparison.Ordinal);

    /// <summary>Helm writes the template's name as the first comment of each document.</summary>
    private static string? TemplateOf(ReadOnlySpan<char> document)
    {
        foreach (var range in document.Split('\n'))
        {
            var line = document[range].TrimEnd('\r');
            if (line.StartsWith(SourceComment, StringComparison.Ordinal))
                return line[SourceComment.Length..].Trim().ToString();
            if (line is not (['#', ..] or ['-', '-', '-', ..] or []))
                break;
        }

        return null;
    }

    /// <summary>Kustomize writes it with <c>buildMetadata: [originAnnotations]</c>.</summary>
    private static string? OriginOf(Node root)
    {
        foreach (var line in (root.At("metadata", "annotations", "config.kubernetes.io/origin")?.AsText ?? "").Split('\n'))
        {
            if (line.StartsWith("path: ", StringComparison.Ordinal))
                return line["path: ".Length..].Trim();
        }

        return null;
    }
}
