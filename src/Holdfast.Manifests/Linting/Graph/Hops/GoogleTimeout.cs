using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>The backend time-out of Google's load balancer for a route: the life of a WebSocket, not its silence.</summary>
/// <param name="Value">In effect.</param>
/// <param name="Holder">The GCPBackendPolicy or BackendConfig of the Service; null: there is none.</param>
/// <param name="At">Null: nothing is set.</param>
internal sealed record GoogleTimeout(TimeSpan Value, KubernetesObject? Holder, Node? At)
{
    public static readonly TimeSpan Default = TimeSpan.FromSeconds(30);

    /// <summary>Google advises against more: it restarts its front ends.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(24);

    /// <summary>Where the time-out stands in the holder's spec.</summary>
    public static string[] PathIn(KubernetesObject holder) => holder.Kind == "BackendConfig" ? ["timeoutSec"] : ["default", "timeoutSec"];

    public static GoogleTimeout Of(ObjectIndex objects, AttachedPolicies policies, Route route, Service service)
    {
        var holder = route.Object.Kind == "Ingress" ? BackendConfig(objects, service.Object) : policies.Of("GCPBackendPolicy", service.Object).FirstOrDefault();
        return holder?.Spec?.At(PathIn(holder)) is { AsInteger: > 0 and var seconds } at
            ? new GoogleTimeout(TimeSpan.FromSeconds(seconds), holder, at)
            : new GoogleTimeout(Default, holder, null);
    }

    /// <summary><c>cloud.google.com/backend-config: '{"default": "chat"}'</c>, or by port.</summary>
    private static KubernetesObject? BackendConfig(ObjectIndex objects, KubernetesObject service)
    {
        var text = (service.Annotation("cloud.google.com/backend-config") ?? service.Annotation("beta.cloud.google.com/backend-config"))?.Text ?? "";
        return objects.OfKind("BackendConfig", "cloud.google.com").FirstOrDefault(c => c.Namespace == service.Namespace && text.Contains('"' + c.Name + '"', StringComparison.Ordinal));
    }

    /// <summary>Made of Envoy: of these Google's pages do not say clearly what the time-out does to a WebSocket.</summary>
    public static bool IsRegional(Entry entry) =>
        (entry.Class?.Name ?? entry.Object?.Spec?["gatewayClassName"]?.AsText ?? entry.Name) is var name
        && (name.Contains("regional", StringComparison.Ordinal) || name.Contains("rilb", StringComparison.Ordinal) || name == "gce-internal");
}
