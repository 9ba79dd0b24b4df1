using System.Globalization;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>
/// The idle time-outs of the clouds' balancers before a Service. Defaults as the clouds document them (docs/reference/lint-rules.md names the
/// pages); a balancer that closes nothing by itself is no hop.
/// </summary>
internal static class BalancerHops
{
    private const string AwsListener = Balancer.Prefix + "aws-load-balancer-listener-attributes.";
    private const string AwsIdle = Balancer.Prefix + "aws-load-balancer-connection-idle-timeout";
    private const string AwsCertificate = Balancer.Prefix + "aws-load-balancer-ssl-cert";
    private const string AzureIdle = Balancer.Prefix + "azure-load-balancer-tcp-idle-timeout";
    private const string DigitalOceanType = Balancer.Prefix + "do-loadbalancer-type";
    private const string DigitalOceanProtocol = Balancer.Prefix + "do-loadbalancer-protocol";
    private const string DigitalOceanIdle = Balancer.Prefix + "do-loadbalancer-http-idle-timeout-seconds";
    private const string IbmIdle = "service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-idle-connection-timeout";
    private const string VultrIdle = Balancer.Prefix + "vultr-loadbalancer-timeout";

    public static Hop? Of(Balancer balancer) => balancer.Kind switch
    {
        BalancerKind.AwsNlb => Nlb(balancer.Service),
        BalancerKind.AwsClassic => Annotated(balancer.Service, "AWS Classic ELB", AwsIdle, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(1)),
        BalancerKind.Azure => Annotated(balancer.Service, "Azure load balancer", AzureIdle, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(1)),
        BalancerKind.DigitalOcean when ReadsHttp(balancer.Service) =>
            Annotated(balancer.Service, "DigitalOcean load balancer", DigitalOceanIdle, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(1)),
        BalancerKind.IbmVpc => Annotated(balancer.Service, "IBM VPC load balancer", IbmIdle, TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(1)),
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
            return new Hop("AWS NLB", standard, null, "tcp.idle_timeout.seconds is not set", service, null);
        var (at, idle) = listeners.MinBy(l => l.Idle);
        return new Hop("AWS NLB", idle, null, "tcp.idle_timeout.seconds", service, at);
    }

    private static TimeSpan? IdleAttribute(string attributes)
    {
        foreach (var attribute in attributes.Split(',', StringSplitOptions.TrimEntries))
        {
            if (attribute.StartsWith("tcp.idle_timeout.seconds=", StringComparison.Ordinal)
                && int.TryParse(attribute.AsSpan("tcp.idle_timeout.seconds=".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            {
                return TimeSpan.FromSeconds(seconds);
            }
        }

        return null;
    }

    /// <summary>Its default type passes packets on; only one that reads HTTP has the idle time-out.</summary>
    private static bool ReadsHttp(KubernetesObject service) =>
        service.Annotation(DigitalOceanType)?.Text == "REGIONAL" || service.Annotation(DigitalOceanProtocol)?.Text.StartsWith("http", StringComparison.Ordinal) == true;

    private static Hop Annotated(KubernetesObject service, string name, string annotation, TimeSpan standard, TimeSpan unit)
    {
        var key = annotation[(annotation.LastIndexOf('/') + 1)..];
        return service.Annotation(annotation) is { AsInteger: > 0 and var number } at
            ? new Hop(name, number * unit, null, key, service, at)
            : new Hop(name, standard, null, key + " is not set", service, null);
    }
}
