using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class GraphTests
{
    private const string Chat = """
        apiVersion: v1
        kind: Service
        metadata: {name: chat, namespace: shop}
        spec:
          selector: {app: chat}
          ports: [{port: 80, appProtocol: kubernetes.io/ws}]
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: chat, namespace: shop}
        spec:
          template:
            metadata: {labels: {app: chat, tier: web}}
            spec: {containers: [{name: chat, image: chat}]}

        """;

    [Fact]
    public void A_path_leads_from_the_balancer_to_the_pods()
    {
        var path = Assert.Single(Context(Chat + """
            ---
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: chat, namespace: shop}
            spec:
              ingressClassName: nginx
              rules: [{host: chat.example.com, http: {paths: [{path: /ws, backend: {service: {name: chat, port: {number: 80}}}}]}}]
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: controller, namespace: ingress}
            spec:
              template:
                metadata: {labels: {app: ingress}}
                spec: {containers: [{name: c, image: registry.k8s.io/ingress-nginx/controller:v1, args: [--ingress-class=nginx]}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: controller, namespace: ingress, annotations: {service.beta.kubernetes.io/aws-load-balancer-type: external}}
            spec: {type: LoadBalancer, selector: {app: ingress}, ports: [{port: 443}]}
            """).Paths);
        Assert.Equal("chat.example.com/ws", path.Route!.Address);
        Assert.Equal(["AWS NLB 350", "ingress-nginx 60"], path.Hops.Select(h => $"{h.Name} {h.Idle!.Value.TotalSeconds}"));
        Assert.Equal(("ingress-nginx", "Service shop/chat", "Deployment shop/chat"), (path.Shortest!.Name, path.Service.ToString(), path.Workload!.ToString()));
    }

    [Theory]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout: \"30\"}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "Azure load balancer 1800")]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {service.beta.kubernetes.io/aws-load-balancer-type: external, service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-443: tcp.idle_timeout.seconds=6000}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "AWS NLB 6000")]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {service.beta.kubernetes.io/aws-load-balancer-internal: \"true\"}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "AWS Classic ELB 60")]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {kubernetes.digitalocean.com/x: y}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "")]
    [InlineData("alb.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: chat, namespace: shop, annotations: {alb.ingress.kubernetes.io/load-balancer-attributes: \"a=b, idle_timeout.timeout_seconds=600\"}}\nspec: {ingressClassName: alb, defaultBackend: {service: {name: chat, port: {number: 80}}}}\n", "AWS ALB 600")]
    [InlineData("alb-gateway.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat, namespace: shop}\nspec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: chat, port: 80}]}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\nspec: {gatewayClassName: c}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: c}\nspec: {controllerName: gateway.k8s.aws/alb, parametersRef: {kind: LoadBalancerConfiguration, name: l, namespace: aws}}\n---\napiVersion: gateway.k8s.aws/v1\nkind: LoadBalancerConfiguration\nmetadata: {name: l, namespace: aws}\nspec: {loadBalancerAttributes: [{key: idle_timeout.timeout_seconds, value: \"900\"}]}\n", "AWS ALB 900")]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {service.beta.kubernetes.io/do-loadbalancer-type: REGIONAL}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "")]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {service.beta.kubernetes.io/do-loadbalancer-protocol: https}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "DigitalOcean load balancer 60")]
    [InlineData("Service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: shop, annotations: {service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-lb-name: chat}}\nspec: {type: LoadBalancer, selector: {app: chat}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n", "IBM VPC load balancer 50")]
    [InlineData("f5.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: chat, namespace: shop, annotations: {nginx.org/proxy-read-timeout: 5m}}\nspec: {ingressClassName: nginx, defaultBackend: {service: {name: chat, port: {number: 80}}}}\n", "F5 NGINX Ingress Controller 300")]
    [InlineData("contour.yaml", "apiVersion: projectcontour.io/v1\nkind: HTTPProxy\nmetadata: {name: chat, namespace: shop}\nspec: {virtualhost: {fqdn: a.b}, routes: [{enableWebsockets: true, services: [{name: chat, port: 80}]}]}\n", "Contour 300")]
    [InlineData("contour-0s.yaml", "apiVersion: projectcontour.io/v1\nkind: HTTPProxy\nmetadata: {name: chat, namespace: shop}\nspec: {virtualhost: {fqdn: a.b}, routes: [{enableWebsockets: true, timeoutPolicy: {idle: 0s}, services: [{name: chat, port: 80}]}]}\n", "Contour 300")]
    [InlineData("eg-request.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat, namespace: shop}\nspec: {parentRefs: [{name: edge}], rules: [{timeouts: {request: 10s}, backendRefs: [{name: chat, port: 80}]}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\nspec: {gatewayClassName: eg}\n", "Envoy Gateway 3600")]
    [InlineData("eg-both.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat, namespace: shop}\nspec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: chat, port: 80}]}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\nspec: {gatewayClassName: eg}\n---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: ClientTrafficPolicy\nmetadata: {name: p, namespace: shop}\nspec: {targetRefs: [{kind: Gateway, name: edge}], timeout: {http: {streamIdleTimeout: 1h}}}\n---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: BackendTrafficPolicy\nmetadata: {name: b, namespace: shop}\nspec: {targetRef: {kind: Gateway, name: edge}, timeout: {http: {streamIdleTimeout: 20m}}}\n", "Envoy Gateway 1200")]
    [InlineData("eg.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat, namespace: shop}\nspec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: chat, port: 80}]}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\nspec: {gatewayClassName: eg}\n---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: ClientTrafficPolicy\nmetadata: {name: p, namespace: shop}\nspec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}], timeout: {http: {streamIdleTimeout: 1h}}}\n", "Envoy Gateway 3600")]
    [InlineData("gke.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat, namespace: shop}\nspec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: chat, port: 80}]}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\nspec: {gatewayClassName: gke-l7-global-external-managed}\n", "Google's load balancer at most 30")]
    public void The_chain_of_time_outs_is_read_from_what_is_set(string name, string text, string hops)
    {
        var chat = name == "Service.yaml" ? Chat[Chat.IndexOf("---", StringComparison.Ordinal)..] : Chat;
        var path = Assert.Single(Context(chat + "---\n" + text).Paths);
        Assert.Equal(hops, string.Join(", ", path.Hops.Select(h => h.Idle is { } idle ? $"{h.Name} {idle.TotalSeconds}" : $"{h.Name} at most {h.Lifetime!.Value.TotalSeconds}")));
    }

    [Fact]
    public void The_nearest_of_several_environments_is_meant()
    {
        var ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: chat, namespace: shop}\nspec: {defaultBackend: {service: {name: chat, port: {number: 80}}}}\n";
        var context = Lint.Sources(null, Lint.Source(Chat, "k8s/dev/app.yaml"), Lint.Source(ingress, "k8s/dev/in.yaml"), Lint.Source(Chat, "k8s/prod/app.yaml"), Lint.Source(ingress, "k8s/prod/in.yaml")).Context;
        Assert.Equal(2, context.Paths.Count);
        Assert.All(context.Paths, p =>
        {
            var folder = p.Route!.Object.Source.Folder;
            Assert.Equal((folder, folder), (p.Service.Object.Source.Folder, p.Workload!.Object.Source.Folder));
        });
    }

    [Fact]
    public void What_targets_or_selects_a_workload_is_tied_to_it()
    {
        var workload = Assert.Single(Context(Chat + """
            ---
            apiVersion: autoscaling/v2
            kind: HorizontalPodAutoscaler
            metadata: {name: h, namespace: shop}
            spec: {scaleTargetRef: {kind: Deployment, name: chat}}
            ---
            apiVersion: keda.sh/v1alpha1
            kind: ScaledObject
            metadata: {name: s, namespace: shop}
            spec: {scaleTargetRef: {name: chat}}
            ---
            apiVersion: autoscaling.k8s.io/v1
            kind: VerticalPodAutoscaler
            metadata: {name: v, namespace: shop}
            spec: {targetRef: {kind: Deployment, name: chat}}
            ---
            apiVersion: autoscaling/v2
            kind: HorizontalPodAutoscaler
            metadata: {name: other, namespace: elsewhere}
            spec: {scaleTargetRef: {kind: Deployment, name: chat}}
            ---
            apiVersion: policy/v1
            kind: PodDisruptionBudget
            metadata: {name: p, namespace: shop}
            spec: {selector: {matchLabels: {app: chat}, matchExpressions: [{key: tier, operator: In, values: [web, api]}, {key: x, operator: DoesNotExist}]}}
            ---
            apiVersion: policy/v1
            kind: PodDisruptionBudget
            metadata: {name: none, namespace: shop}
            spec: {selector: {matchLabels: {app: chat}, matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}}
            ---
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: all, namespace: shop}
            spec: {podSelector: {}}
            """).WebSocketWorkloads);
        Assert.Equal(["h", "s", "v"], workload.Autoscalers.Select(a => a.Name));
        Assert.Equal(["p"], workload.DisruptionBudgets.Select(a => a.Name));
        Assert.Equal(["all"], workload.NetworkPolicies.Select(a => a.Name));
    }

    [Theory]
    [InlineData("apps/v1", "Deployment", true)]
    [InlineData("argoproj.io/v1alpha1", "Rollout", true)]
    [InlineData("batch/v1", "Job", false)]
    public void What_serves_is_a_workload(string apiVersion, string kind, bool isOne)
    {
        var text = $"apiVersion: {apiVersion}\nkind: {kind}\nmetadata: {{name: chat, annotations: {{holdfast.dev/websocket: \"true\"}}}}\nspec: {{template: {{spec: {{containers: [{{name: c}}]}}}}}}\n";
        Assert.Equal(isOne ? 1 : 0, Context(text).WebSocketWorkloads.Count);
    }

    [Theory]
    [InlineData("nginx", "", nameof(EntryKind.IngressNginx))]
    [InlineData("nginx-internal", "", nameof(EntryKind.IngressNginx))]
    [InlineData("nginx", "nginx.org/x: y", nameof(EntryKind.F5Nginx))]
    [InlineData("nginx", "nginx.org/x: y, nginx.ingress.kubernetes.io/x: y", nameof(EntryKind.IngressNginx))]
    [InlineData("edge", "nginx.ingress.kubernetes.io/x: y", nameof(EntryKind.IngressNginx))]
    [InlineData("edge", "", nameof(EntryKind.Unknown))]
    [InlineData("traefik", "nginx.ingress.kubernetes.io/x: y", nameof(EntryKind.Traefik))]
    [InlineData("alb", "", nameof(EntryKind.AwsAlb))]
    [InlineData("gce", "", nameof(EntryKind.Google))]
    [InlineData("holdfast", "", nameof(EntryKind.Holdfast))]
    public void A_class_that_is_not_there_is_known_by_name_or_annotations(string name, string annotations, string kind)
    {
        var context = Context(Chat + $"---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: chat, namespace: shop, annotations: {{{annotations}}}}}\nspec: {{ingressClassName: {name}, defaultBackend: {{service: {{name: chat}}}}}}\n");
        Assert.Equal(kind, Assert.Single(context.ExposedObjects).Entry.Kind.ToString());
    }

    [Theory]
    [InlineData("k8s.io/ingress-nginx", nameof(EntryKind.IngressNginx))]
    [InlineData("k8s.io/internal-ingress-nginx", nameof(EntryKind.IngressNginx))]
    [InlineData("nginx.org/ingress-controller", nameof(EntryKind.F5Nginx))]
    [InlineData("example.com/own", nameof(EntryKind.Unknown))]
    public void A_class_that_is_there_decides(string controller, string kind)
    {
        var context = Context(Chat + "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: chat, namespace: shop}\nspec: {defaultBackend: {service: {name: chat}}}\n"
            + $"---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: any, annotations: {{ingressclass.kubernetes.io/is-default-class: \"true\"}}}}\nspec: {{controller: {controller}}}\n");
        Assert.Equal(kind, Assert.Single(context.ExposedObjects).Entry.Kind.ToString());
    }

    [Theory]
    [InlineData("", "", 30, 40, false)]
    [InlineData("terminationGracePeriodSeconds: 60, ", "lifecycle: {preStop: {sleep: {seconds: 20}}}", 60, 60, true)]
    [InlineData("terminationGracePeriodSeconds: 60, ", "lifecycle: {preStop: {exec: {command: [sh, -c, \"sleep 20; sleep 5 && x\"]}}}", 60, 65, false)]
    [InlineData("terminationGracePeriodSeconds: 90, ", "lifecycle: {preStop: {exec: {command: [/bin/sleep, \"15\"]}}}", 90, 55, true)]
    public void The_time_to_end_is_added_up(string spec, string container, int grace, int needed, bool enough)
    {
        var budget = Budget($"apiVersion: v1\nkind: Pod\nmetadata: {{name: chat, annotations: {{holdfast.dev/websocket: \"true\"}}}}\nspec: {{{spec}containers: [{{name: c, {container}}}]}}\n", null);
        Assert.Equal((grace, needed, enough), ((int)budget.Grace.TotalSeconds, (int)budget.Required.TotalSeconds, budget.IsEnough));
        Assert.Equal(DrainSource.Assumed, budget.DrainSource);
    }

    [Fact]
    public void The_drain_is_declared_or_follows_from_connections_and_handshakes()
    {
        const string Pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: chat, annotations: {holdfast.dev/websocket: \"true\", ANNOTATION}}\nspec: {containers: [{name: c}]}\n";
        var declared = Budget(Pod.Replace("ANNOTATION", "holdfast.dev/drain: 2m", StringComparison.Ordinal), null);
        Assert.Equal((120, DrainSource.Declared), ((int)declared.Drain.TotalSeconds, declared.DrainSource));
        var computed = Budget(Pod.Replace("ANNOTATION", "holdfast.dev/connections-per-pod: \"10001\", holdfast.dev/handshakes-per-second: \"100\"", StringComparison.Ordinal), null);
        Assert.Equal((101, DrainSource.Computed), ((int)computed.Drain.TotalSeconds, computed.DrainSource));
        var assumed = Budget(Pod.Replace("ANNOTATION", "a: b", StringComparison.Ordinal), new LintSettings { Assume = new LintAssumptions { ConnectionsPerPod = 500, HandshakesPerSecond = 10 } });
        Assert.Equal((50, DrainSource.Computed), ((int)assumed.Drain.TotalSeconds, assumed.DrainSource));
    }

    [Theory]
    [InlineData("1h30m", 5400.0)]
    [InlineData("1.5s", 1.5)]
    [InlineData("0", 0.0)]
    [InlineData("90", null)]
    [InlineData("1h 30m", null)]
    [InlineData("-5s", null)]
    [InlineData("9999999999h", null)]
    [InlineData("", null)]
    [InlineData("..s", null)]
    public void Go_durations_are_read(string text, double? seconds) => Assert.Equal(seconds, Durations.Parse(text)?.TotalSeconds);

    [Theory]
    [InlineData("90", 90.0)]
    [InlineData(" 90 ", 90.0)]
    [InlineData("5m", 300.0)]
    [InlineData("1d", 86400.0)]
    [InlineData("x", null)]
    [InlineData("99999999999999999999", null)]
    public void Nginx_durations_are_read(string text, double? seconds) => Assert.Equal(seconds, Durations.ParseNginx(text)?.TotalSeconds);

    private static LintContext Context(string text) => Lint.Text(text).Context;

    private static RolloutBudget Budget(string text, LintSettings? settings)
    {
        var context = Lint.Text(text, settings).Context;
        return context.BudgetOf(Assert.Single(context.WebSocketWorkloads));
    }
}
