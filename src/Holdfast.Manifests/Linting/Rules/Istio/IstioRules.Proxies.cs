using System.Buffers;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Istio;

/// <summary>The proxies themselves: gateways, and sidecars in pods.</summary>
internal static partial class IstioRules
{
    private const string ProxyConfig = "proxy.istio.io/config";
    private const string NativeSidecar = "sidecar.istio.io/nativeSidecar";
    private const string Inject = "sidecar.istio.io/inject";
    private const string DrainSetting = "terminationDrainDuration";
    private const string ZeroConnections = "EXIT_ON_ZERO_ACTIVE_CONNECTIONS";

    private static readonly SearchValues<char> ValueEnds = SearchValues.Create(" \"',}\r\n");

    /// <summary>Of the EDGE profile.</summary>
    private static readonly TimeSpan EdgeIdle = TimeSpan.FromMinutes(5);

    private static Rule ShortDrain => new()
    {
        Id = "HF-I07",
        Name = "istio-drain-5s",
        Severity = Severity.Error,
        Summary = "a gateway, or a sidecar of the old kind, that ends 5 s after SIGTERM with all of its connections",
        Why = "On SIGTERM Istio's agent drains for terminationDrainDuration, 5 s unless set, and then ends Envoy: every WebSocket through it is cut, whatever the application or the pod's grace would allow.",
        Fix = "Annotate the pods proxy.istio.io/config with terminationDrainDuration as long as the drain, or with proxyMetadata: {EXIT_ON_ZERO_ACTIVE_CONNECTIONS: \"true\"}, and give them the grace for it.",
        NotClaimed = "Sidecars are reported only where sidecar.istio.io/nativeSidecar is \"false\": since Istio 1.27 they are native ones by default, which end after the application. Settings of the whole mesh are looked for in ConfigMaps and IstioOperators among the manifests.",
        References = [Source + "pkg/envoy/agent.go", Source + "pkg/config/mesh/mesh.go", "https://istio.io/latest/news/releases/1.27.x/announcing-1.27/change-notes/", Docs + "istio.mesh.v1alpha1/#ProxyConfig"],
        Check = CheckShortDrain,
    };

    private static Rule EdgeProfile => new()
    {
        Id = "HF-I08",
        Name = "istio-edge-profile",
        Severity = Severity.Warning,
        Summary = "connectionSettings with profile EDGE and no httpStreamIdleTimeout, at a gateway for WebSockets",
        Why = "Without a profile Istio closes no stream for its silence. EDGE sets httpStreamIdleTimeout to 5 minutes at gateways: a WebSocket that is quiet for so long is cut.",
        Fix = "Set httpStreamIdleTimeout beside the profile (1h, or 0s for none), or let the server ping every minute or more often.",
        References = [Source + "pilot/pkg/networking/core/connection_settings.go", Docs + "istio.mesh.v1alpha1/#ProxyConfig"],
        Check = CheckEdgeProfile,
    };

    private static IEnumerable<Detection> CheckShortDrain(LintContext context)
    {
        if (Meshes(context).Any(m => m.Text.Contains(DrainSetting, StringComparison.Ordinal) || m.Text.Contains(ZeroConnections, StringComparison.Ordinal)))
            yield break;
        foreach (var (workload, entry) in Gateways(context))
        {
            if (!SaysDrain(workload))
                yield return new Detection(workload.Object, AnnotationPlace(workload), "this gateway ends 5 s after SIGTERM: a rollout, a drained node or a scale-down cuts all WebSockets through it.") { Because = entry.Routes.First(r => r.IsWebSocket).Signs };
        }

        foreach (var workload in context.WebSocketWorkloads)
        {
            var isInjected = workload.PodLabels?[Inject] is { Text: "true" } || workload.PodAnnotations?[Inject] is { Text: "true" }
                || context.Graph.Objects.Find("Namespace", "", workload.Object.Namespace, workload.Object) is { } ns && (ns.Labels?["istio-injection"] is { Text: "enabled" } || ns.Labels?["istio.io/rev"] is not null);
            if (!isInjected || workload.PodAnnotations?[NativeSidecar] is not { Text: "false" } native || SaysDrain(workload))
                continue;
            yield return new Detection(workload.Object, Place.Of(native), $"the sidecar ends 5 s after SIGTERM, while the pod is given {Durations.Say(context.BudgetOf(workload).Grace)}: its WebSockets are cut before the application has closed them.")
            {
                Fix = "Remove the annotation, so that the sidecar ends after the application; or set terminationDrainDuration in proxy.istio.io/config.",
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckEdgeProfile(LintContext context)
    {
        foreach (var (workload, entry) in Gateways(context))
        {
            var ping = entry.Routes.Where(r => r.IsWebSocket).Select(r => r.Ping).MaxBy(p => p.RequiredIdle)!;
            if (ping.RequiredIdle <= EdgeIdle)
                continue;
            var own = workload.PodAnnotations?[ProxyConfig];
            var found = Meshes(context).Select(m => (m.Object, m.Node, m.Text)).Append((workload.Object, own ?? workload.PodSpec, own?.Text ?? "")).Where(m => IsEdge(m.Item3)).ToList();
            if (found.Count == 0 || own?.Text.Contains("httpStreamIdleTimeout", StringComparison.Ordinal) == true || found.Exists(f => f.Item3.Contains("httpStreamIdleTimeout", StringComparison.Ordinal)))
                continue;
            yield return new Detection(found[0].Item1, Place.Of(found[0].Item2), $"profile EDGE closes streams that were silent for 5 minutes at {workload}, and {ping.Say()}.") { Because = entry.Routes.First(r => r.IsWebSocket).Signs };
        }
    }

    private static bool IsEdge(string text) => text.Contains("connectionSettings", StringComparison.Ordinal) && Setting(text, "profile") == "EDGE";

    /// <summary>The value of a setting in proxy configuration, which is YAML or JSON within a text. Null: not there.</summary>
    private static string? Setting(string text, string name)
    {
        var at = text.IndexOf(name, StringComparison.Ordinal);
        if (at < 0)
            return null;
        var rest = text.AsSpan(at + name.Length).TrimStart("\"'");
        if (rest is not [':', .. var value])
            return null;
        value = value.TrimStart(" \"'");
        var end = value.IndexOfAny(ValueEnds);
        return (end < 0 ? value : value[..end]).ToString();
    }

    /// <summary>A duration that the configuration of gateways, or of the whole mesh, sets; longer than none.</summary>
    private static IEnumerable<(KubernetesObject Object, Node At, TimeSpan Value, IReadOnlyList<Sign> Signs)> GatewaySettings(LintContext context, string name)
    {
        foreach (var (workload, entry) in Gateways(context))
        {
            var own = workload.PodAnnotations?[ProxyConfig];
            foreach (var (item, at, text) in Meshes(context).Append((workload.Object, own ?? workload.PodSpec, own?.Text ?? "")))
            {
                if (Durations.Parse(Setting(text, name)) is { Ticks: > 0 } value)
                    yield return (item, at, value, entry.Routes.First(r => r.IsWebSocket).Signs);
            }
        }
    }

    private static bool SaysDrain(Workload workload) =>
        workload.PodAnnotations?[ProxyConfig]?.Text is { } text && (text.Contains(DrainSetting, StringComparison.Ordinal) || text.Contains(ZeroConnections, StringComparison.Ordinal))
        || workload.Containers.Any(c => c.Node["env"]?.Items.Any(e => e["name"] is { Text: ZeroConnections or "TERMINATION_DRAIN_DURATION_SECONDS" }) == true);

    private static Place AnnotationPlace(Workload workload) => workload.PodMetadata is { } metadata ? Place.Of(metadata, "annotations") : Place.Of(workload.Object, "metadata", "name");

    /// <summary>Configuration of the whole mesh: the ConfigMap istio, and what an IstioOperator makes it from.</summary>
    private static IEnumerable<(KubernetesObject Object, Node Node, string Text)> Meshes(LintContext context)
    {
        foreach (var map in context.Graph.Objects.OfKind("ConfigMap", ""))
        {
            if (map.Root.At("data", "mesh") is { } mesh)
                yield return (map, mesh, mesh.Text);
        }

        foreach (var item in context.Graph.Objects.OfKind("IstioOperator"))
        {
            if (item.Spec?.At("meshConfig", "defaultConfig") is { } config)
                yield return (item, config, config.Source.Text[config.Start..config.End]);
        }

        foreach (var item in context.Graph.Objects.OfKind("ProxyConfig", "networking.istio.io"))
        {
            if (item.Spec?["environmentVariables"] is { } variables)
                yield return (item, variables, variables.Source.Text[variables.Start..variables.End]);
        }
    }
}
