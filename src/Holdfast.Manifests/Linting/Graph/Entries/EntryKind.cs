namespace Holdfast.Manifests.Linting.Graph.Entries;

/// <summary>What brings connections into the cluster's Services.</summary>
internal enum EntryKind
{
    /// <summary>Nothing tells which it is: rules about a certain one stay silent.</summary>
    Unknown,

    /// <summary>kubernetes/ingress-nginx.</summary>
    IngressNginx,

    /// <summary>F5's NGINX Ingress Controller, nginxinc/kubernetes-ingress.</summary>
    F5Nginx,

    /// <summary>NGINX Gateway Fabric.</summary>
    NginxGatewayFabric,

    Traefik,
    Istio,
    EnvoyGateway,
    Contour,
    Kgateway,
    Cilium,
    Kong,

    /// <summary>haproxytech/kubernetes-ingress.</summary>
    HaProxyTech,

    /// <summary>jcmoraisjr/haproxy-ingress.</summary>
    HaProxyIngress,

    /// <summary>OpenShift's router.</summary>
    OpenShiftRouter,

    /// <summary>AWS Application Load Balancer, by the AWS Load Balancer Controller.</summary>
    AwsAlb,

    /// <summary>Google's Ingress and Gateway controllers.</summary>
    Google,

    AzureApplicationGateway,
    Holdfast,
}
