using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>A balancer that a cloud makes for a Service of type LoadBalancer.</summary>
internal enum BalancerKind
{
    /// <summary>Nothing tells whose: rules about a certain cloud stay silent.</summary>
    Unknown,

    /// <summary>AWS Classic Load Balancer: what the in-tree controller makes without a type.</summary>
    AwsClassic,

    AwsNlb,
    Azure,

    /// <summary>Google's passes packets on and closes nothing.</summary>
    Google,

    DigitalOcean,
    IbmVpc,
    Vultr,
}

/// <param name="Service">Whose annotations configure it.</param>
internal sealed record Balancer(BalancerKind Kind, KubernetesObject Service)
{
    /// <summary>The prefix of most clouds' annotations.</summary>
    public const string Prefix = "service.beta.kubernetes.io/";

    public const string AwsType = Prefix + "aws-load-balancer-type";

    /// <summary>Of VPC clusters; in classic ones the balancer is another.</summary>
    public const string IbmVpcPrefix = "service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-";

    private const string IbmFeatures = "service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features";

    private static readonly string[] NlbClasses = ["service.k8s.aws/nlb", "eks.amazonaws.com/nlb"];
    private static readonly string[] NlbTypes = ["nlb", "nlb-ip", "external"];

    private static readonly (string Prefix, BalancerKind Kind)[] Annotations =
    [
        (Prefix + "aws-load-balancer-", BalancerKind.AwsClassic),
        (Prefix + "azure-", BalancerKind.Azure),
        (Prefix + "do-loadbalancer-", BalancerKind.DigitalOcean),
        ("kubernetes.digitalocean.com/", BalancerKind.DigitalOcean),
        (IbmVpcPrefix, BalancerKind.IbmVpc),
        (Prefix + "vultr-loadbalancer-", BalancerKind.Vultr),
        ("networking.gke.io/", BalancerKind.Google),
        ("cloud.google.com/", BalancerKind.Google),
    ];

    /// <summary>Null: the Service asks for none.</summary>
    public static Balancer? Of(Service service) => service.Type == "LoadBalancer" ? new Balancer(KindOf(service.Object), service.Object) : null;

    /// <summary><c>nlb</c> makes it one that passes packets on, <c>proxy-protocol</c> makes it send that.</summary>
    public static bool HasIbmFeature(KubernetesObject service, string feature) =>
        (service.Annotation(IbmFeatures)?.Text ?? "").Split(',', StringSplitOptions.TrimEntries).Contains(feature, StringComparer.Ordinal);

    private static BalancerKind KindOf(KubernetesObject service)
    {
        if (service.Spec?["loadBalancerClass"]?.AsText is { } name && NlbClasses.Contains(name, StringComparer.Ordinal))
            return BalancerKind.AwsNlb;
        if (service.Annotation(AwsType)?.AsText is { } type && NlbTypes.Contains(type, StringComparer.Ordinal))
            return BalancerKind.AwsNlb;
        IReadOnlyList<NodeEntry> annotations = service.Annotations?.Entries ?? [];
        return Annotations.FirstOrDefault(a => annotations.Any(e => e.Key.Text.StartsWith(a.Prefix, StringComparison.Ordinal))).Kind;
    }
}
