using System.Globalization;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>
/// The idle time-outs of the clouds' balancers before a Service. Defaults as the clouds document them (docs/reference/lint-rules.md names the
/// pages); a balancer that closes nothing by itself is no hop.
/// </summary>
internal static class BalancerHops
{
    public const string AwsListener = Balancer.Prefix + "aws-load-balancer-listener-attributes.";
    public const string AwsCertificate = Balancer.Prefix + "aws-load-balancer-ssl-cert";
    public const string NlbAttribute = "tcp.idle_timeout.seconds";
    public const string AzureIdle = Balancer.Prefix + "azure-load-balancer-tcp-idle-timeout";
    public const string DigitalOceanIdle = Balancer.Prefix + "do-loadbalancer-http-idle-timeout-seconds";
    public const string IbmIdle = Balancer.IbmVpcPrefix + "idle-connection-timeout";
    public const string VultrIdle = Balancer.Prefix + "vultr-loadbalancer-timeout";

    private const string AwsIdle = Balancer.Prefix + "aws-load-balancer-connection-idle-timeout";
    private const string DigitalOceanType = Balancer.Prefix + "do-loadbalancer-type";
    private const string DigitalOceanProtocol = Balancer.Prefix + "do-loadbalancer-protocol";
    private const string DigitalOceanPassthrough = Balancer.Prefix + "do-loadbalancer-tls-passthrough";

    private static readonly string[] DigitalOceanHttpPorts =
    [
        Balancer.Prefix + "do-loadbalancer-http-ports", Balancer.Prefix + "do-loadbalancer-tls-ports", Balancer.Prefix + "do-loadbalancer-http2-ports",
        Balancer.Prefix + "do-loadbalancer-http3-port", Balancer.Prefix + "do-loadbalancer-certificate-id", Balancer.Prefix + "do-loadbalancer-certificate-name",
    ];

    public static Hop? Of(Balancer balancer) => balancer.Kind switch
    {
        BalancerKind.AwsNlb => Nlb(balancer.Service),
        BalancerKind.AwsClassic => Annotated(balancer.Service, "AWS Classic ELB", AwsIdle, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(1)),
        BalancerKind.Azure => Annotated(balancer.Service, "Azure load balancer", AzureIdle, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(1)),
        BalancerKind.DigitalOcean when ReadsHttp(balancer.Service) =>
            Annotated(balancer.Service, "DigitalOcean load balancer", DigitalOceanIdle, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(1)),
        BalancerKind.IbmVpc when !Balancer.HasIbmFeature(balancer.Service, "nlb") => Annotated(balancer.Service, "IBM VPC load balancer", IbmIdle, TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(1)),
        BalancerKind.Vultr => Annotated(balancer.Service, "Vultr load balancer", VultrIdle, TimeSpan.FromSeconds(600), TimeSpan.FromSeconds(1)),
        _ => null,
    };

    private static Hop Nlb(KubernetesObject service)
    {
        var standard = TimeSpan.FromSeconds(350);
        if (service.Annotation(AwsCertificate) is { } certificate)
            return new Hop("AWS NLB", standard, null, "fixed for TLS listeners", service, certificate);
        var listeners = (service.Annotations?.Entries ?? []).Where(e => e.Key.Text.StartsWith(AwsListener, StringComparison.Ordinal))
            .Select(e => (e.Value, Idle: IdleAttribute(e.Value.Text))).Where(e => e.Idle is not null).ToList();
        if (listeners.Count == 0)
            return new Hop("AWS NLB", standard, null, NlbAttribute + " is not set", service, null);
        var (at, idle) = listeners.MinBy(l => l.Idle);
        return new Hop("AWS NLB", idle, null, NlbAttribute, service, at);
    }

    private static TimeSpan? IdleAttribute(string attributes) =>
        int.TryParse(AwsAttributes.Get(attributes, NlbAttribute), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>
    /// Only a regional one that is told to read HTTP on some port has the idle time-out; by default it passes TCP on, as the network type always does.
    /// </summary>
    private static bool ReadsHttp(KubernetesObject service) =>
        service.Annotation(DigitalOceanType)?.Text != "REGIONAL_NETWORK"
        && (service.Annotation(DigitalOceanProtocol)?.Text.StartsWith("http", StringComparison.Ordinal) == true || DigitalOceanHttpPorts.Any(k => service.Annotation(k) is not null))
        && service.Annotation(DigitalOceanPassthrough) is not { Text: "true" };

    private static Hop Annotated(KubernetesObject service, string name, string annotation, TimeSpan standard, TimeSpan unit)
    {
        var key = annotation[(annotation.LastIndexOf('/') + 1)..];
        return service.Annotation(annotation) is { AsInteger: > 0 and var number } at
            ? new Hop(name, number * unit, null, key, service, at)
            : new Hop(name, standard, null, key + " is not set", service, null);
    }
}
