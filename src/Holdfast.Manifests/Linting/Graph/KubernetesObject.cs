using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>An object as its manifest says it, with the few fields that every kind has.</summary>
internal sealed class KubernetesObject
{
    /// <summary>Where objects without a namespace are put: they are applied together, into the same one.</summary>
    public const string DefaultNamespace = "default";

    private static readonly HashSet<string> ClusterScoped = new(StringComparer.Ordinal)
    {
        "Namespace", "Node", "IngressClass", "GatewayClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume", "PriorityClass",
        "StorageClass", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "IngressClassParams",
    };

    private readonly string _id;

    public KubernetesObject(ManifestDocument document)
    {
        (Source, Root, Template) = (document.Source, document.Root, document.Template);
        Kind = Root["kind"]?.AsText ?? "";
        ApiVersion = Root["apiVersion"]?.AsText ?? "";
        var slash = ApiVersion.IndexOf('/', StringComparison.Ordinal);
        Group = slash < 0 ? "" : ApiVersion[..slash];
        Name = Root.At("metadata", "name")?.AsText ?? "";
        Namespace = ClusterScoped.Contains(Kind) ? "" : Root.At("metadata", "namespace")?.AsText ?? DefaultNamespace;
        _id = Namespace.Length == 0 ? $"{Kind} {Name}" : $"{Kind} {Namespace}/{Name}";
    }

    public SourceText Source { get; }

    public Node Root { get; }

    /// <summary>The template this was rendered from, when the renderer says so.</summary>
    public string? Template { get; }

    public string Kind { get; }

    public string ApiVersion { get; }

    /// <summary>The API group; empty for the core one.</summary>
    public string Group { get; }

    public string Name { get; }

    /// <summary>Empty for what has none.</summary>
    public string Namespace { get; }

    public Node? Annotations => Root.At("metadata", "annotations");

    public Node? Labels => Root.At("metadata", "labels");

    public Node? Spec => Root["spec"];

    /// <summary>The value's node, also of one that was written without quotes.</summary>
    public Node? Annotation(string key) => Annotations?[key];

    /// <summary>How findings and <c>ignore</c> name it: <c>Ingress shop/chat</c>, <c>IngressClass nginx</c>.</summary>
    public override string ToString() => _id;
}
