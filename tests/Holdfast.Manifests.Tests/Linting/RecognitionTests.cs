using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>Who is taken for a user of WebSockets, and who is left in peace.</summary>
public class RecognitionTests
{
    [Theory]
    [InlineData("name: chat", "", true)]
    [InlineData("name: chat-websocket", "likely, Deployment default/chat-websocket is named so", false)]
    [InlineData("name: orders-ws", "", true)]
    [InlineData("name: chat, annotations: {holdfast.dev/websocket: \"true\"}", "Deployment default/chat says holdfast.dev/websocket: \"true\"", false)]
    [InlineData("name: chat-websocket, annotations: {holdfast.dev/websocket: \"false\"}", "", true)]
    public void A_workload_by_itself(string metadata, string because, bool silent)
    {
        var context = Context($"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{{metadata}}}\nspec: {{template: {{spec: {{containers: [{{name: c}}]}}}}}}\n");
        Assert.Equal(silent, context.WebSocketWorkloads.Count == 0);
        if (!silent)
            Assert.Equal(because, Say(context.WebSocketWorkloads[0].Signs[0]));
    }

    [Theory]
    [InlineData("env: [{name: WS_PORT}]", true)]
    [InlineData("env: [{name: ENABLE_WEBSOCKETS}]", true)]
    [InlineData("env: [{name: SOCKET_IO_PATH}]", true)]
    [InlineData("env: [{name: BACKEND_WS_URL}]", false)]
    [InlineData("env: [{name: WEBSOCKET_HOST}]", false)]
    [InlineData("env: [{name: NEWS_FEED}]", false)]
    [InlineData("ports: [{name: ws, containerPort: 80}]", true)]
    [InlineData("ports: [{name: http-ws, containerPort: 80}]", true)]
    [InlineData("ports: [{name: aws, containerPort: 80}]", false)]
    public void A_workload_by_its_containers(string container, bool recognised)
    {
        var context = Context($"apiVersion: v1\nkind: Pod\nmetadata: {{name: chat}}\nspec: {{containers: [{{name: c, {container}}}]}}\n");
        Assert.Equal(recognised, context.WebSocketWorkloads.Count == 1);
    }

    [Theory]
    [InlineData("/ws", true)]
    [InlineData("/api/socket.io/", true)]
    [InlineData("/socket\\.io(/|$)(.*)", true)]
    [InlineData("/ws(/|$)(.*)", true)]
    [InlineData("/chat-ws", true)]
    [InlineData("/signalr/hub", true)]
    [InlineData("/Live/WebSocket", true)]
    [InlineData("/", false)]
    [InlineData("/news", false)]
    [InlineData("/aws", false)]
    [InlineData("/wsdl", false)]
    [InlineData("/laws/", false)]
    public void A_path_by_its_segments(string path, bool recognised) => Assert.Equal(recognised, LikelyWords.IsPath(path));

    [Theory]
    [InlineData("nginx.org/websocket-services: \"other, chat\"", true)]
    [InlineData("nginx.org/websocket-services: other", false)]
    [InlineData("nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\"", true)]
    [InlineData("nginx.ingress.kubernetes.io/proxy-read-timeout: \"300\"", false)]
    [InlineData("nginx.ingress.kubernetes.io/configuration-snippet: proxy_set_header Upgrade $http_upgrade;", true)]
    [InlineData("nginx.ingress.kubernetes.io/configuration-snippet: deny all;", false)]
    [InlineData("haproxy.org/timeout-tunnel: 1h", true)]
    [InlineData("example.com/websocket-support: enabled", true)]
    [InlineData("example.com/websocket-support: \"false\"", false)]
    [InlineData("holdfast.dev/websocket: \"true\"", true)]
    public void An_Ingress_by_its_annotations(string annotation, bool recognised)
    {
        var context = Context(App("/", annotation));
        Assert.Equal(recognised, context.ExposedObjects.Count == 1);
        Assert.Equal(recognised, context.WebSocketWorkloads.Count == 1);
    }

    [Theory]
    [InlineData("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {rules: [{matches: [{headers: [{name: Upgrade, value: websocket}]}], backendRefs: [{name: chat}]}]}\n")]
    [InlineData("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {rules: [{matches: [{path: {value: /ws}}], backendRefs: [{name: chat}]}]}\n")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\nspec: {hosts: [a], http: [{match: [{headers: {upgrade: {exact: websocket}}}], route: [{destination: {host: chat}}]}]}\n")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\nspec: {hosts: [a], http: [{match: [{uri: {prefix: /ws}}], route: [{destination: {host: chat.default.svc.cluster.local}}]}]}\n")]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\nspec: {hosts: [a], http: [{websocketUpgrade: true, route: [{destination: {host: chat}}]}]}\n")]
    [InlineData("apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\nspec: {routes: [{match: \"Host(`a`) && PathPrefix(`/ws`)\", services: [{name: chat, port: 80}]}]}\n")]
    [InlineData("apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\nspec: {routes: [{match: \"Header(`Upgrade`, `websocket`)\", services: [{name: chat, port: 80}]}]}\n")]
    [InlineData("apiVersion: projectcontour.io/v1\nkind: HTTPProxy\nmetadata: {name: r}\nspec: {routes: [{enableWebsockets: true, services: [{name: chat, port: 80}]}]}\n")]
    [InlineData("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: r}\nspec: {path: /ws, to: {kind: Service, name: chat}}\n")]
    public void Every_kind_of_route_leads_to_its_workload(string route)
    {
        var context = Context(Pods() + "---\n" + route);
        Assert.Equal("Deployment default/chat", Assert.Single(context.WebSocketWorkloads).ToString());
        Assert.Single(context.Paths);
    }

    [Fact]
    public void Of_two_routes_of_a_host_the_one_with_a_sign_carries_them()
    {
        var context = Context(Pods("appProtocol: kubernetes.io/ws") + "---\n" + Ingress("web", "/", "") + "---\n" + Ingress("sockets", "/ws", ""));
        Assert.Equal(["Ingress default/sockets"], context.ExposedObjects.Select(e => e.Object.ToString()));
    }

    [Fact]
    public void Of_two_ports_the_one_with_a_sign_carries_them()
    {
        var text = """
            apiVersion: v1
            kind: Service
            metadata: {name: chat}
            spec: {selector: {app: chat}, ports: [{name: web, port: 80}, {name: live, port: 81, appProtocol: kubernetes.io/ws}]}
            ---
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: chat}
            spec:
              rules:
              - {host: web, http: {paths: [{path: /, backend: {service: {name: chat, port: {name: web}}}}]}}
              - {host: live, http: {paths: [{path: /, backend: {service: {name: chat, port: {number: 81}}}}]}}
            """;
        Assert.Equal(["live/"], Context(text).ExposedObjects.SelectMany(e => e.Routes).Select(r => r.Address));
    }

    [Fact]
    public void Of_two_Services_the_one_with_a_sign_carries_them()
    {
        var context = Context(Pods("appProtocol: kubernetes.io/ws") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: metrics}\nspec: {selector: {app: chat}, ports: [{port: 9090}]}\n");
        Assert.Equal(["Service default/chat"], context.WebSocketServices.Select(s => s.ToString()));
    }

    [Fact]
    public void The_command_line_and_the_configuration_decide()
    {
        var text = App("/", "a: b");
        Assert.Empty(Context(text).ExposedObjects);
        var named = Lint.Text(text, new LintSettings { WebSocket = ["default/chat"] }).Context;
        Assert.Equal((1, 1), (named.ExposedObjects.Count, named.WebSocketWorkloads.Count));
        Assert.True(named.WebSocketWorkloads[0].Signs[0].IsDeclared);
        var denied = Lint.Text(App("/ws", "a: b"), new LintSettings { NotWebSocket = ["default/chat"] }).Context;
        Assert.Equal((0, 0, 0), (denied.ExposedObjects.Count, denied.WebSocketWorkloads.Count, denied.WebSocketServices.Count));
    }

    [Theory]
    [InlineData("", "", null, false)]
    [InlineData("holdfast.dev/ping-interval: 25s", "", 25, true)]
    [InlineData("", "holdfast.dev/ping-interval: 20s", 20, true)]
    [InlineData("holdfast.dev/ping-interval: 25s", "holdfast.dev/ping-interval: 20s", 25, true)]
    [InlineData("holdfast.dev/ping-interval: often", "", null, false)]
    public void The_nearest_declared_ping_counts(string onPods, string onService, int? seconds, bool declared)
    {
        var text = Pods("appProtocol: kubernetes.io/ws").Replace("labels: {app: chat}", $"labels: {{app: chat}}, annotations: {{{onPods}}}", StringComparison.Ordinal)
            .Replace("kind: Service\nmetadata: {name: chat}", $"kind: Service\nmetadata: {{name: chat, annotations: {{{onService}}}}}", StringComparison.Ordinal);
        var ping = Assert.Single(Context(text).WebSocketWorkloads).Ping;
        Assert.Equal((seconds, declared), ((int?)ping.Interval?.TotalSeconds, ping.IsDeclared));
        if (seconds is not null)
            return;
        var assumed = Assert.Single(Lint.Text(text, new LintSettings { Assume = new LintAssumptions { PingInterval = TimeSpan.FromSeconds(15) } }).Context.WebSocketWorkloads).Ping;
        Assert.Equal((15, false), ((int)assumed.Interval!.Value.TotalSeconds, assumed.IsDeclared));
    }

    private static string App(string path, string annotation) => Pods() + "---\n" + Ingress("chat", path, annotation);

    private static string Pods(string port = "name: any") =>
        $"apiVersion: v1\nkind: Service\nmetadata: {{name: chat}}\nspec: {{selector: {{app: chat}}, ports: [{{port: 80, {port}}}]}}\n---\n"
        + "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\nspec: {template: {metadata: {labels: {app: chat}}, spec: {containers: [{name: c}]}}}\n";

    private static string Ingress(string name, string path, string annotation) =>
        $"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, annotations: {{{annotation}}}}}\n"
        + $"spec: {{rules: [{{host: a, http: {{paths: [{{path: {path}, backend: {{service: {{name: chat, port: {{number: 80}}}}}}}}]}}}}]}}\n";

    private static LintContext Context(string text) => Lint.Text(text).Context;

    private static string Say(Sign sign) => (sign.IsDeclared ? "" : "likely, ") + sign.Text;
}
