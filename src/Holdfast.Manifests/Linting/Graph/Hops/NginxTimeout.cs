using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>What ingress-nginx really uses for a time-out: the Ingress's annotation, else the controller's ConfigMap, else the default.</summary>
/// <param name="Value">In effect.</param>
/// <param name="At">Null: nothing is set, or not in a way that is read.</param>
/// <param name="Rejected">An annotation whose value ingress-nginx does not take.</param>
internal sealed record NginxTimeout(TimeSpan Value, Node? At, Node? Rejected)
{
    public const string Prefix = "nginx.ingress.kubernetes.io/";

    /// <summary>Of <c>proxy-read-timeout</c> and <c>proxy-send-timeout</c> alike.</summary>
    public static readonly TimeSpan Default = TimeSpan.FromSeconds(60);

    /// <param name="name"><c>proxy-read-timeout</c>.</param>
    public static NginxTimeout Of(KubernetesObject ingress, Entry entry, string name)
    {
        var annotation = ingress.Annotation(Prefix + name);
        if (annotation is { AsInteger: >= 0 and var own })
            return new NginxTimeout(TimeSpan.FromSeconds(own), annotation, null);
        var global = entry.Config?.Root.At("data", name);
        return global is { AsInteger: >= 0 and var seconds }
            ? new NginxTimeout(TimeSpan.FromSeconds(seconds), global, annotation)
            : new NginxTimeout(Default, null, annotation);
    }
}
