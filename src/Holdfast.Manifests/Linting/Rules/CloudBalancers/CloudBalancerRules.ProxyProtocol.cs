using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.CloudBalancers;

/// <summary>The line before the first byte that tells who the client is: both sides must agree on it.</summary>
internal static partial class CloudBalancerRules
{
    /// <summary>Annotations of balancers that can send PROXY protocol, and the values by which they do not.</summary>
    private static readonly string[] ProxyProtocolKeys =
    [
        AwsPrefix + "proxy-protocol", AwsPrefix + "proxy-protocol-per-target-group", Balancer.Prefix + "do-loadbalancer-enable-proxy-protocol",
        Balancer.Prefix + "vultr-loadbalancer-proxy-protocol", "load-balancer.hetzner.cloud/uses-proxyprotocol", Balancer.Prefix + "linode-loadbalancer-default-proxy-protocol",
        "loadbalancer.openstack.org/proxy-protocol",
    ];

    /// <summary>Of these it is known that they could send it, and do not unless told to.</summary>
    private static readonly BalancerKind[] CanSend = [BalancerKind.AwsClassic, BalancerKind.AwsNlb, BalancerKind.DigitalOcean, BalancerKind.IbmVpc, BalancerKind.Vultr];

    private static Rule ProxyProtocolMismatch => new()
    {
        Id = "HF-C11",
        Name = "proxy-protocol-mismatch",
        Severity = Severity.Error,
        Summary = "the balancer sends PROXY protocol and the controller behind it does not expect it, or the other way round",
        Why = "With PROXY protocol a line about the client comes before the first byte of TLS or HTTP. A controller that does not expect it sees garbage and answers 400 or hangs up; one that insists on it hangs up on connections without. Either way no handshake succeeds.",
        Fix = "Turn it on on both sides (ingress-nginx: use-proxy-protocol; Traefik: proxyProtocol.trustedIPs of the entry point; Contour: --use-proxy-protocol), or on neither.",
        NotClaimed = "Only of ingress-nginx with its ConfigMap, and of Traefik and Contour with their arguments, among the manifests. That Traefik or Contour expect it in vain is not reported: Traefik takes connections without.",
        References =
        [
            "https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt", "https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/docs/user-guide/nginx-configuration/configmap.md#use-proxy-protocol",
            "https://doc.traefik.io/traefik/reference/install-configuration/entrypoints/", AwsServiceDocs + "#proxy-protocol-v2",
        ],
        Check = CheckProxyProtocolMismatch,
    };

    private static IEnumerable<Detection> CheckProxyProtocolMismatch(LintContext context)
    {
        foreach (var incoming in Balancers(context))
        {
            if (incoming.Entry is not { } entry || Expects(entry) is not { } expects)
                continue;
            var sends = SendsProxyProtocol(incoming.Service);
            if (sends is not null && !expects)
            {
                yield return new Detection(incoming.Service, Place.Of(sends), $"the balancer sends PROXY protocol, but {entry.Say()} does not expect it: every connection fails.") { Because = incoming.Signs };
            }
            else if (sends is null && expects && entry.Kind == EntryKind.IngressNginx && CanSend.Contains(incoming.Balancer.Kind))
            {
                yield return new Detection(entry.Config!, Place.Of(entry.Config!, "data", "use-proxy-protocol"), $"nginx expects PROXY protocol on every connection, but the balancer of {incoming.Service} does not send it: every connection fails.") { Because = incoming.Signs };
            }
        }
    }

    /// <summary>Null: the manifests do not tell.</summary>
    private static bool? Expects(Entry entry) => entry.Kind switch
    {
        EntryKind.IngressNginx when entry.Config is { } config => config.Root.At("data", "use-proxy-protocol") is { AsBoolean: true },
        // Traefik takes its static settings from arguments, a file or the environment, never from two of them.
        EntryKind.Traefik => Arguments(entry, "--entrypoints.") is { Count: > 0 } given ? given.Any(a => a.Contains(".proxyprotocol", StringComparison.OrdinalIgnoreCase)) : null,
        EntryKind.Contour => Arguments(entry, "serve") is { Count: > 0 } && Arguments(entry, "--config-path").Count == 0 ? Arguments(entry, "--use-proxy-protocol").Count > 0 : null,
        _ => null,
    };

    private static List<string> Arguments(Entry entry, string start) =>
        [.. entry.Controllers.SelectMany(c => c.Containers).SelectMany(c => c.CommandLine).Select(a => a.Text).Where(a => a.StartsWith(start, StringComparison.OrdinalIgnoreCase))];

    private static Node? SendsProxyProtocol(KubernetesObject service)
    {
        if (service.Annotation(AwsTargetGroup) is { } attributes && AwsAttributes.Get(attributes.Text, "proxy_protocol_v2.enabled") == "true")
            return attributes;
        if (Balancer.HasIbmFeature(service, "proxy-protocol"))
            return service.Annotations;
        return ProxyProtocolKeys.Select(service.Annotation).FirstOrDefault(v => v is { Text: not ("" or "false" or "none") });
    }
}
