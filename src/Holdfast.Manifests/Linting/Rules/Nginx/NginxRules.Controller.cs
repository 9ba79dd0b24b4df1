using System.Globalization;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;

namespace Holdfast.Manifests.Linting.Rules.Nginx;

/// <summary>The controller's own pods, settings and Service.</summary>
internal static partial class NginxRules
{
    private const string WorkerShutdown = "worker-shutdown-timeout";
    private const string AwsProtocol = Balancer.Prefix + "aws-load-balancer-backend-protocol";

    /// <summary>A class that Azure maintains and supports by itself.</summary>
    private const string AzureManaged = "webapprouting.kubernetes.azure.com";

    private static readonly TimeSpan DefaultWorkerShutdown = TimeSpan.FromSeconds(240);

    /// <summary>--post-shutdown-grace-period, 10 s, and what the endpoints need to follow.</summary>
    private static readonly TimeSpan ShutdownMargin = TimeSpan.FromSeconds(30);

    /// <summary>Annotations that make a balancer read HTTP when they say http, https, http2 or http3.</summary>
    private static readonly string[] OtherProtocols =
    [
        Balancer.Prefix + "do-loadbalancer-protocol", Balancer.Prefix + "vultr-loadbalancer-protocol", Balancer.Prefix + "linode-loadbalancer-default-protocol",
        "load-balancer.hetzner.cloud/protocol",
    ];

    private static Rule Retired => new()
    {
        Id = "HF-N01",
        Name = "nginx-retired",
        Severity = Severity.Advice,
        Summary = "WebSockets come in through kubernetes/ingress-nginx",
        Why = "ingress-nginx had its last release in March 2026: no fixes, no security updates. It also reloads for most changes, and each reload ends old connections after worker-shutdown-timeout.",
        Fix = "Plan the move to an implementation of Gateway API; ingress2gateway converts, but turns proxy-read-timeout into a total time-out of ten times its value: set timeouts.request to 0s for WebSockets.",
        References =
        [
            "https://kubernetes.io/blog/2025/11/11/ingress-nginx-retirement/", "https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/README.md",
            "https://github.com/kubernetes-sigs/ingress2gateway",
        ],
        Check = CheckRetired,
    };

    private static Rule ReloadCutoff => new()
    {
        Id = "HF-N09",
        Name = "nginx-reload-cutoff",
        Severity = Severity.Warning,
        Summary = "worker-shutdown-timeout of a controller with WebSockets is 240 s (the default) or less",
        Why = "Most changes make nginx reload: a new or removed Ingress or path, a renewed certificate, most annotations. The old worker processes keep their connections for worker-shutdown-timeout and then drop them all, however busy. So any team's Ingress ends everybody's WebSockets.",
        Fix = "Raise worker-shutdown-timeout in the controller's ConfigMap (old workers cost memory meanwhile) and the controller's grace with it, give WebSockets a controller and class of their own, or move to a gateway that does not reload.",
        References = [ConfigMapDocs + "#worker-shutdown-timeout", Docs + "how-it-works.md#when-a-reload-is-required", "https://nginx.org/en/docs/ngx_core_module.html#worker_shutdown_timeout"],
        Check = CheckReloadCutoff,
    };

    private static Rule GraceMismatch => new()
    {
        Id = "HF-N10",
        Name = "nginx-grace-mismatch",
        Severity = Severity.Warning,
        Summary = "the controller's terminationGracePeriodSeconds is less than worker-shutdown-timeout and 30 s",
        Why = "On SIGTERM nginx lets its workers run for worker-shutdown-timeout. A shorter grace kills them in the middle, without a close frame for anyone.",
        Fix = "Set terminationGracePeriodSeconds to worker-shutdown-timeout and 60 s more; the chart has 300 for 240.",
        References = ["https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/charts/ingress-nginx/values.yaml", ConfigMapDocs + "#worker-shutdown-timeout"],
        HasPatch = true,
        Check = CheckGraceMismatch,
    };

    private static Rule BalancerReadsHttp => new()
    {
        Id = "HF-N17",
        Name = "nginx-lb-http-mode",
        Severity = Severity.Error,
        Summary = "the balancer before the controller is told to read HTTP",
        Why = "A balancer that reads HTTP decides itself about upgrades and silence. AWS's Classic Load Balancer passes no upgrade on in that mode; others have an idle time-out of their own, often 60 s.",
        Fix = "Let the balancer pass TCP on to ingress-nginx, with PROXY protocol on both sides to keep client addresses.",
        NotClaimed = "Of other clouds than AWS Classic only that a further idle time-out applies (a warning): they do pass WebSockets on.",
        References = [WebSocketDocs, "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html"],
        Check = CheckBalancerReadsHttp,
    };

    private static IEnumerable<Detection> CheckRetired(LintContext context)
    {
        foreach (var entry in Controllers(context).Where(e => e.Name != AzureManaged))
        {
            var route = entry.Routes.First(r => r.IsWebSocket);
            // Told once per class, where it is easiest to see.
            var (item, at) = entry.Object is { } own ? (own, Place.Of(own, "spec", "controller"))
                : entry.Controllers.FirstOrDefault() is { } controller ? (controller.Object, Place.Of(controller.Object, "metadata", "name"))
                : (route.Object, Place.Of(route.Object, "spec", "ingressClassName"));
            yield return new Detection(item, at, $"{entry.Say()} serves WebSockets; ingress-nginx is retired, without fixes since March 2026.") { Because = route.Signs };
        }
    }

    private static IEnumerable<Detection> CheckReloadCutoff(LintContext context)
    {
        foreach (var entry in Controllers(context))
        {
            if (WorkerShutdownOf(entry) is not { } timeout || timeout > DefaultWorkerShutdown)
                continue;
            var set = Setting(entry, WorkerShutdown);
            var item = entry.Config ?? entry.Controllers[0].Object;
            yield return new Detection(
                item,
                entry.Config is null ? Place.Of(item, "metadata", "name") : Place.Of(item, "data", WorkerShutdown),
                $"{WorkerShutdown} is {(set is null ? "not set, so " : "")}{Durations.Say(timeout)}: that long after each reload every WebSocket of {entry.Say()} is dropped.")
            {
                Because = entry.Routes.First(r => r.IsWebSocket).Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckGraceMismatch(LintContext context)
    {
        foreach (var entry in Controllers(context))
        {
            if (WorkerShutdownOf(entry) is not { } timeout)
                continue;
            foreach (var controller in entry.Controllers)
            {
                var grace = context.BudgetOf(controller).Grace;
                if (grace >= timeout + ShutdownMargin)
                    continue;
                var wanted = Math.Ceiling((timeout + (2 * ShutdownMargin)).TotalSeconds).ToString("0", CultureInfo.InvariantCulture);
                yield return new Detection(
                    controller.Object,
                    Place.Of(controller.PodSpec, "terminationGracePeriodSeconds"),
                    $"the grace is {Durations.Say(grace)}, but {WorkerShutdown} lets nginx drain for {Durations.Say(timeout)}: what is still open then is killed.")
                {
                    Fix = $"Set terminationGracePeriodSeconds: {wanted}.",
                    Patch = Edits.Set($"set terminationGracePeriodSeconds: {wanted}", controller.PodSpec, ["terminationGracePeriodSeconds"], wanted),
                    Because = entry.Routes.First(r => r.IsWebSocket).Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckBalancerReadsHttp(LintContext context)
    {
        foreach (var entry in Controllers(context))
        {
            foreach (var service in entry.Services)
            {
                if (Balancer.Of(service) is not { } balancer)
                    continue;
                var signs = entry.Routes.First(r => r.IsWebSocket).Signs;
                if (balancer.Kind == BalancerKind.AwsClassic && service.Object.Annotation(AwsProtocol) is { Text: "http" or "https" } aws)
                    yield return new Detection(service.Object, Place.Of(aws), $"a Classic Load Balancer that speaks {aws.Text} to its backends passes no upgrade on: no WebSocket can open.") { Because = signs };
                foreach (var key in OtherProtocols)
                {
                    if (service.Object.Annotation(key) is { } protocol && protocol.Text.StartsWith("http", StringComparison.OrdinalIgnoreCase))
                    {
                        yield return new Detection(service.Object, Place.Of(protocol), $"the balancer reads {protocol.Text}, so its own idle time-out closes quiet WebSockets before nginx's does.")
                        {
                            Severity = Severity.Warning,
                            Because = signs,
                        };
                    }
                }
            }
        }
    }

    /// <summary>In effect; null when the manifests do not tell.</summary>
    private static TimeSpan? WorkerShutdownOf(Entry entry)
    {
        if (entry.Config is not null)
            return Setting(entry, WorkerShutdown) is { } set ? Durations.ParseNginx(set.AsText) : DefaultWorkerShutdown;
        // Settings that are somewhere else may say anything.
        return entry.Controllers.Count == 0 || entry.Controllers.Any(c => c.Containers.Any(o => o.Argument("--configmap") is not null)) ? null : DefaultWorkerShutdown;
    }
}
