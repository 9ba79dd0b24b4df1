using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Entries;

/// <summary>The names by which controllers are known: to users, in classes, in annotations and in images.</summary>
internal static class EntryNames
{
    /// <summary>What an IngressClass or GatewayClass says in <c>controller</c> or <c>controllerName</c>; the first that is contained wins.</summary>
    private static readonly (string Part, EntryKind Kind)[] Controllers =
    [
        ("ingress-nginx", EntryKind.IngressNginx),
        ("gateway.nginx.org/", EntryKind.NginxGatewayFabric),
        ("nginx.org/", EntryKind.F5Nginx),
        ("traefik.io/", EntryKind.Traefik),
        ("istio.io/", EntryKind.Istio),
        ("gateway.envoyproxy.io/", EntryKind.EnvoyGateway),
        ("projectcontour.io/", EntryKind.Contour),
        ("kgateway.dev/", EntryKind.Kgateway),
        ("cilium", EntryKind.Cilium),
        ("konghq.com/", EntryKind.Kong),
        ("haproxy.org/", EntryKind.HaProxyTech),
        ("haproxy-ingress.github.io/", EntryKind.HaProxyIngress),
        ("openshift.io/ingress-to-route", EntryKind.OpenShiftRouter),
        ("ingress.k8s.aws/alb", EntryKind.AwsAlb),
        ("eks.amazonaws.com/alb", EntryKind.AwsAlb),
        ("gateway.k8s.aws/alb", EntryKind.AwsAlb),
        ("networking.gke.io/", EntryKind.Google),
        ("azure/application-gateway", EntryKind.AzureApplicationGateway),
        ("holdfast.dev/", EntryKind.Holdfast),
    ];

    /// <summary>Names that classes have by convention, for when the class itself is not among the manifests.</summary>
    private static readonly Dictionary<string, EntryKind> Classes = new(StringComparer.Ordinal)
    {
        ["webapprouting.kubernetes.azure.com"] = EntryKind.IngressNginx,
        ["traefik"] = EntryKind.Traefik,
        ["istio"] = EntryKind.Istio,
        ["eg"] = EntryKind.EnvoyGateway,
        ["envoy-gateway"] = EntryKind.EnvoyGateway,
        ["contour"] = EntryKind.Contour,
        ["kgateway"] = EntryKind.Kgateway,
        ["cilium"] = EntryKind.Cilium,
        ["kong"] = EntryKind.Kong,
        ["haproxy"] = EntryKind.HaProxyTech,
        ["openshift-default"] = EntryKind.OpenShiftRouter,
        ["alb"] = EntryKind.AwsAlb,
        ["aws-alb"] = EntryKind.AwsAlb,
        ["gce"] = EntryKind.Google,
        ["gce-internal"] = EntryKind.Google,
        ["azure-application-gateway"] = EntryKind.AzureApplicationGateway,
        ["azure/application-gateway"] = EntryKind.AzureApplicationGateway,
        ["holdfast"] = EntryKind.Holdfast,
    };

    private static readonly (string Prefix, EntryKind Kind)[] Annotations =
    [
        ("nginx.ingress.kubernetes.io/", EntryKind.IngressNginx),
        ("nginx.org/", EntryKind.F5Nginx),
        ("nginx.com/", EntryKind.F5Nginx),
        ("traefik.ingress.kubernetes.io/", EntryKind.Traefik),
        ("alb.ingress.kubernetes.io/", EntryKind.AwsAlb),
        ("appgw.ingress.kubernetes.io/", EntryKind.AzureApplicationGateway),
        ("haproxy.org/", EntryKind.HaProxyTech),
        ("haproxy-ingress.github.io/", EntryKind.HaProxyIngress),
        ("konghq.com/", EntryKind.Kong),
        ("projectcontour.io/", EntryKind.Contour),
    ];

    private static readonly (string Part, EntryKind Kind)[] Images =
    [
        ("ingress-nginx/controller", EntryKind.IngressNginx),
        ("ingress-nginx-controller", EntryKind.IngressNginx),
        ("nginx-ingress-controller", EntryKind.IngressNginx),
        ("nginx/nginx-ingress", EntryKind.F5Nginx),
        ("nginx-plus-ingress", EntryKind.F5Nginx),
        ("nginx-gateway-fabric", EntryKind.NginxGatewayFabric),
        ("haproxytech/kubernetes-ingress", EntryKind.HaProxyTech),
        ("jcmoraisjr/haproxy-ingress", EntryKind.HaProxyIngress),
        ("projectcontour/contour", EntryKind.Contour),
        ("kong/kubernetes-ingress-controller", EntryKind.Kong),
    ];

    public static string Of(EntryKind kind) => kind switch
    {
        EntryKind.IngressNginx => "ingress-nginx",
        EntryKind.F5Nginx => "F5 NGINX Ingress Controller",
        EntryKind.NginxGatewayFabric => "NGINX Gateway Fabric",
        EntryKind.Traefik => "Traefik",
        EntryKind.Istio => "Istio",
        EntryKind.EnvoyGateway => "Envoy Gateway",
        EntryKind.Contour => "Contour",
        EntryKind.Kgateway => "kgateway",
        EntryKind.Cilium => "Cilium",
        EntryKind.Kong => "Kong",
        EntryKind.HaProxyTech => "HAProxy Kubernetes Ingress",
        EntryKind.HaProxyIngress => "HAProxy Ingress",
        EntryKind.OpenShiftRouter => "OpenShift's router",
        EntryKind.AwsAlb => "AWS ALB",
        EntryKind.Google => "Google's load balancer",
        EntryKind.AzureApplicationGateway => "Azure Application Gateway",
        EntryKind.Holdfast => "Holdfast",
        _ => "an unknown controller",
    };

    public static EntryKind OfController(string? controller) =>
        controller is null ? EntryKind.Unknown : Controllers.FirstOrDefault(c => controller.Contains(c.Part, StringComparison.Ordinal)).Kind;

    /// <summary>By a class's name alone. <c>nginx</c> is not in the table: two controllers use it.</summary>
    public static EntryKind OfClass(string name) => Classes.TryGetValue(name, out var kind) ? kind
        : name.StartsWith("gke-", StringComparison.Ordinal) ? EntryKind.Google
        : EntryKind.Unknown;

    /// <summary>By the prefixes of an Ingress's annotations, in the order of the table.</summary>
    public static EntryKind OfAnnotations(Node? annotations) =>
        annotations is null ? EntryKind.Unknown : Annotations.FirstOrDefault(a => annotations.Entries.Any(e => e.Key.Text.StartsWith(a.Prefix, StringComparison.Ordinal))).Kind;

    public static EntryKind OfImage(string image)
    {
        var found = Images.FirstOrDefault(i => image.Contains(i.Part, StringComparison.Ordinal)).Kind;
        if (found != EntryKind.Unknown)
            return found;
        // traefik:v3.4, docker.io/library/traefik, but not acme/traefik-forward-auth.
        var name = image[(image.LastIndexOf('/') + 1)..];
        var end = name.AsSpan().IndexOfAny(':', '@');
        return (end < 0 ? name : name[..end]) == "traefik" ? EntryKind.Traefik : EntryKind.Unknown;
    }
}
