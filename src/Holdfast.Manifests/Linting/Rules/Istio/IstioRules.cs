using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Routes;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Istio;

/// <summary>
/// HF-I: Istio's VirtualServices, DestinationRules and proxies. Read against the schemas of 1.30.3 and its sources of August 2026; what an Envoy
/// does with an open WebSocket, against Envoy's.
/// </summary>
internal static partial class IstioRules
{
    private const string Source = "https://github.com/istio/istio/blob/master/";
    private const string Docs = "https://istio.io/latest/docs/reference/config/";
    private const string RuleDocs = Docs + "networking/destination-rule/";

    public static RuleFamily Family { get; } = new('I', "Istio",
    [
        WebSocketUpgrade, LeastConn, RouteTimeout, PoolTooSmall, MaxConnectionDuration, H2Upgrade, ShortDrain, EdgeProfile, HashWithLocality, OutlierEjectsAll,
    ]);

    /// <summary>A traffic policy that applies to a Service of WebSockets: of the whole rule, of a subset, or of a port within these.</summary>
    private readonly record struct Policy(KubernetesObject Rule, Node Node, Service Service);

    private static IEnumerable<Policy> Policies(LintContext context)
    {
        foreach (var rule in context.Graph.Objects.OfKind("DestinationRule", IstioRoutes.Group))
        {
            if (rule.Spec is not { } spec || IstioRoutes.ServiceName(spec["host"]?.AsText, rule.Namespace) is not { } named
                || context.Graph.Objects.Find("Service", named.Namespace, named.Name, rule) is not { } found
                || context.WebSocketServices.FirstOrDefault(s => s.Object == found) is not { } service)
            {
                continue;
            }

            foreach (var holder in (spec["subsets"]?.Items ?? []).Prepend(spec))
            {
                if (holder["trafficPolicy"] is not { } policy)
                    continue;
                foreach (var node in (policy["portLevelSettings"]?.Items ?? []).Where(p => CarriesWebSockets(service, p)).Prepend(policy))
                    yield return new Policy(rule, node, service);
            }
        }
    }

    /// <summary>Of several ports only those named for it are meant.</summary>
    private static bool CarriesWebSockets(Service service, Node settings)
    {
        var signed = service.Ports.Where(p => service.Signs.Any(s => s.At is { } at && ReferenceEquals(at.Source, p.Node.Source) && p.Node.Start <= at.Start && at.End <= p.Node.End)).ToList();
        return signed.Count == 0 || settings.At("port", "number")?.AsText is not { } number || signed.Exists(p => p.Number == number);
    }

    /// <summary>Rules of VirtualServices that carry WebSockets, once each.</summary>
    private static IEnumerable<(KubernetesObject VirtualService, Node Rule, Route Route)> Routes(LintContext context) =>
        context.Graph.Routes.Where(r => r.IsWebSocket && r.Object is { Kind: "VirtualService", Group: IstioRoutes.Group }).DistinctBy(r => r.Rule).Select(r => (r.Object, r.Rule, r));

    /// <summary>Pods that are Istio gateways for WebSockets.</summary>
    private static IEnumerable<(Workload Workload, Entry Entry)> Gateways(LintContext context) =>
        context.WebSocketEntries.Where(e => e.Kind == EntryKind.Istio).SelectMany(e => e.Controllers.Select(c => (Workload: c, Entry: e))).DistinctBy(g => g.Workload);
}
