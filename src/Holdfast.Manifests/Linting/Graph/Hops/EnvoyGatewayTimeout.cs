using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>
/// After how much silence Envoy Gateway closes a stream of a route, an open WebSocket too. Its internal/xds/translator/route.go: a
/// BackendTrafficPolicy on the route, or else on the Gateway, wins; then a ClientTrafficPolicy; then a request time-out of the route brings an hour
/// or itself, whichever is longer, and one of 0s none; without all that Envoy's 5 minutes hold.
/// </summary>
/// <param name="Value">In effect; null: never.</param>
/// <param name="Holder">Where it stands; null: nowhere.</param>
internal sealed record EnvoyGatewayTimeout(TimeSpan? Value, KubernetesObject? Holder, Node? At)
{
    public const string Setting = "streamIdleTimeout";

    public static readonly TimeSpan Default = TimeSpan.FromMinutes(5);

    public static EnvoyGatewayTimeout Of(AttachedPolicies policies, Entry entry, Route route)
    {
        var client = entry.Object is { } gateway ? policies.Of("ClientTrafficPolicy", gateway) : [];
        foreach (var policy in Backend(policies, entry, route).Concat(client))
        {
            if (policy.Spec?.At("timeout", "http", Setting) is { } at && Durations.Parse(at.AsText) is { } value)
                return new EnvoyGatewayTimeout(value == TimeSpan.Zero ? null : value, policy, at);
        }

        if (route.Rule.At("timeouts", "request") is { } request && Durations.Parse(request.AsText) is { } whole)
            return new EnvoyGatewayTimeout(whole == TimeSpan.Zero ? null : whole > TimeSpan.FromHours(1) ? whole : TimeSpan.FromHours(1), route.Object, request);
        return new EnvoyGatewayTimeout(Default, null, null);
    }

    /// <summary>One on the route hides those on the Gateway, unless it asks to be merged.</summary>
    public static IEnumerable<KubernetesObject> Backend(AttachedPolicies policies, Entry entry, Route route)
    {
        var own = policies.Of("BackendTrafficPolicy", route.Object).ToList();
        return entry.Object is null || own.Exists(p => p.Spec?["mergeType"] is null) ? own : own.Concat(policies.Of("BackendTrafficPolicy", entry.Object));
    }
}
