using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Graph.Signs;

namespace Holdfast.Manifests.Linting.Rules.CloudBalancers;

/// <summary>
/// HF-C: what clouds put before a cluster, by the annotations of Services and Ingresses. Where nothing in the manifests tells which cloud it is,
/// nothing is said.
/// </summary>
internal static partial class CloudBalancerRules
{
    private const string AwsControllerDocs = "https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/";
    private const string AwsServiceDocs = AwsControllerDocs + "service/annotations/";
    private const string AwsIngressDocs = AwsControllerDocs + "ingress/annotations/";

    public static RuleFamily Family { get; } = new('C', "Clouds' load balancers",
    [
        AlbIdle, NlbIdle, NlbTlsFixed, NlbUnhealthyTermination, AwsNoReadinessGate, ClassicAnnotationOnNlb, AzureIdle, DigitalOceanIdle, IbmIdle, VultrIdle, ProxyProtocolMismatch,
    ]);

    /// <summary>A balancer through which WebSockets come in.</summary>
    /// <param name="Entry">What stands behind it; null: the application itself.</param>
    /// <param name="Ping">The slowest behind it.</param>
    private sealed record Incoming(Balancer Balancer, Entry? Entry, PingInterval Ping, IReadOnlyList<Sign> Signs)
    {
        public KubernetesObject Service => Balancer.Service;

        public Hop? Hop { get; } = BalancerHops.Of(Balancer);

        /// <summary>It closes connections of an application that pings as declared, or that nothing says of that it pings.</summary>
        public bool IsTooShort => Hop?.Idle < Ping.RequiredIdle;
    }

    private static IEnumerable<Incoming> Balancers(LintContext context, BalancerKind kind) => Balancers(context).Where(b => b.Balancer.Kind == kind);

    private static IEnumerable<Incoming> Balancers(LintContext context)
    {
        var direct = context.WebSocketServices.Select(s => (Service: s, Entry: (Entry?)null, s.Ping, s.Signs));
        var throughEntries = context.WebSocketEntries.SelectMany(e => e.Services.SelectMany(s => e.Routes.Where(r => r.IsWebSocket).Select(r => (Service: s, Entry: (Entry?)e, r.Ping, r.Signs))));
        return direct.Concat(throughEntries).GroupBy(b => b.Service).Select(g => g.MaxBy(b => b.Ping.RequiredIdle))
            .Select(b => Balancer.Of(b.Service) is { } balancer ? new Incoming(balancer, b.Entry, b.Ping, b.Signs) : null).OfType<Incoming>();
    }

    /// <summary>A value that somebody chose may well suit an application whose pings nothing declares.</summary>
    private static Severity? Soften(Severity severity, PingInterval ping, bool isSet) =>
        ping.Interval is null && isSet && severity > Severity.Advice ? severity - 1 : null;

    /// <summary><c>x is not set, so the default of 60 s holds</c>, or <c>x is 60 s</c>.</summary>
    private static string Say(string setting, TimeSpan idle, bool isSet) =>
        isSet ? $"{setting} is {Durations.Say(idle)}" : $"{setting} is not set, so the default of {Durations.Say(idle)} holds";

    private static TimeSpan Wanted(PingInterval ping) => ping.RequiredIdle > PingInterval.IdleWithoutPing ? ping.RequiredIdle : PingInterval.IdleWithoutPing;
}
