using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Routes;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.GatewayApi;

/// <summary>HF-G: Gateway API as of v1.6.1, and what stands behind it or beside it: Envoy Gateway 1.9, Contour, GKE's controllers.</summary>
internal static partial class GatewayApiRules
{
    private const string Docs = "https://gateway-api.sigs.k8s.io/";
    private const string Types = "https://github.com/kubernetes-sigs/gateway-api/blob/v1.6.1/apis/v1/httproute_types.go";

    public static RuleFamily Family { get; } = new('G', "Gateway API, Envoy Gateway, Contour, GKE",
    [
        RouteTimeout, MissingAppProtocol, WssWithoutTlsPolicy, SessionPersistenceSchema, MissingReferenceGrant, ListenerNotAllowingRoute, MirrorOrRetry, EnvoyGatewayStreamIdle,
        EnvoyGatewayDrain, ContourWebSocketsOff, GoogleBackendTimeout,
    ]);

    /// <summary>Rules of HTTPRoutes that carry WebSockets, once each.</summary>
    private static IEnumerable<(KubernetesObject HttpRoute, Node Rule, Route Route)> HttpRules(LintContext context) =>
        HttpRoutes(context).DistinctBy(r => r.Rule).Select(r => (r.Object, r.Rule, r));

    private static IEnumerable<Route> HttpRoutes(LintContext context) =>
        context.Graph.Routes.Where(r => r.IsWebSocket && r.Object is { Kind: "HTTPRoute", Group: GatewayApiRoutes.Group });

    /// <summary>Routes of WebSockets with each of the controllers of one kind that serve them.</summary>
    private static IEnumerable<(Route Route, Entry Entry)> Through(LintContext context, EntryKind kind) =>
        context.Graph.Routes.Where(r => r.IsWebSocket).SelectMany(r => r.Entries.Where(e => e.Kind == kind).Select(e => (r, e)));

    /// <summary>One written without a namespace gets it from whoever applies it: then nothing is known of what is beside it.</summary>
    private static bool SaysNamespace(KubernetesObject item) => item.Root.At("metadata", "namespace") is not null;
}
