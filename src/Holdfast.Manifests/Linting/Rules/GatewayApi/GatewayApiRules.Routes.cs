using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.GatewayApi;

/// <summary>What an HTTPRoute's rule says, and the port that it leads to.</summary>
internal static partial class GatewayApiRules
{
    private const string Crd = "httproutes.gateway.networking.k8s.io";
    private const string Channel = "gateway.networking.k8s.io/channel";

    /// <summary>Built on Envoy, which ends a route's time-out with the answer to the upgrade.</summary>
    private static readonly EntryKind[] Envoys = [EntryKind.EnvoyGateway, EntryKind.Istio, EntryKind.Contour, EntryKind.Kgateway, EntryKind.Cilium];

    private static readonly string[] OldPersistence = ["sessionName", "cookieConfig"];
    private static readonly string[] NewPersistence = ["cookie", "header"];

    private static Rule RouteTimeout => new()
    {
        Id = "HF-G01",
        Name = "route-timeout-on-ws",
        Severity = Severity.Warning,
        Summary = "timeouts.request or timeouts.backendRequest on a rule for WebSockets",
        Why = "timeouts.request is for a whole request with its answer, and Gateway API does not say whether that goes on after an upgrade. Where it does, each WebSocket is cut at that age however busy it is. ingress2gateway makes such a time-out of proxy-read-timeout, which was one for silence: ten times its value.",
        Fix = "Set it to 0s on the rule for WebSockets, or leave it out; limit silence with your implementation's own idle time-out.",
        NotClaimed = "That Envoy cuts at it (Envoy Gateway, Istio, Contour, kgateway, Cilium): since 1.36 its time-out ends with the upgrade, older versions were reported to do either. There it is advice.",
        References = [Types, "https://github.com/kubernetes-sigs/ingress2gateway", "https://github.com/envoyproxy/envoy/pull/41075"],
        HasPatch = true,
        Check = CheckRouteTimeout,
    };

    private static Rule MissingAppProtocol => new()
    {
        Id = "HF-G02",
        Name = "missing-ws-appprotocol",
        Severity = Severity.Advice,
        Summary = "a port of WebSockets behind an HTTPRoute without appProtocol: kubernetes.io/ws",
        Why = "appProtocol is how Gateway API learns that a port speaks WebSocket. Many implementations pass upgrades anyway, and are allowed not to.",
        Fix = "Set appProtocol: kubernetes.io/ws on the Service's port.",
        References = [Docs + "guides/user-guides/backend-protocol/", Docs + "geps/gep-1911/"],
        HasPatch = true,
        Check = CheckMissingAppProtocol,
    };

    private static Rule WssWithoutTlsPolicy => new()
    {
        Id = "HF-G03",
        Name = "wss-without-backendtls",
        Severity = Severity.Error,
        Summary = "an HTTPRoute leads to a port with appProtocol: kubernetes.io/wss, and no BackendTLSPolicy is for that Service",
        Why = "kubernetes.io/wss asks for TLS between gateway and pod. Without a BackendTLSPolicy the gateway cannot verify the pod: the route gets ResolvedRefs=False, reason UnsupportedProtocol, and answers 500.",
        Fix = "Add a BackendTLSPolicy for the Service, or write kubernetes.io/ws when the pods speak plain WebSocket.",
        References = [Docs + "geps/gep-1911/", Docs + "api-types/backendtlspolicy/"],
        Check = CheckWssWithoutTlsPolicy,
    };

    private static Rule SessionPersistenceSchema => new()
    {
        Id = "HF-G04",
        Name = "session-persistence-schema",
        Severity = Severity.Error,
        Summary = "sessionPersistence in a form that the installed HTTPRoute definition does not have",
        Why = "sessionPersistence is experimental: the standard channel does not have it, v1.6 dropped idleTimeout, and later drafts replace sessionName and cookieConfig by cookie and header. What the definition does not know is refused, or vanishes, and clients do not come back to their pod.",
        Fix = "Write it as the installed bundle-version has it; a permanent cookie needs absoluteTimeout. Or leave stickiness to a policy of your implementation.",
        NotClaimed = "Without the CustomResourceDefinition among the manifests only what no version takes is an error; idleTimeout is then a warning.",
        References = [Docs + "geps/gep-1619/", "https://github.com/kubernetes-sigs/gateway-api/blob/main/CHANGELOG/1.6-CHANGELOG.md"],
        Check = CheckSessionPersistenceSchema,
    };

    private static Rule MirrorOrRetry => new()
    {
        Id = "HF-G07",
        Name = "mirror-or-retry-on-ws",
        Severity = Severity.Warning,
        Summary = "retry or a RequestMirror filter on a rule for WebSockets",
        Why = "A failed handshake is tried again by the gateway and by the client: when all reconnect at once, the storm is multiplied just when the pods cannot take it. A mirror gets a copy of each handshake, and Gateway API does not say what becomes of the copy.",
        Fix = "Match WebSockets in a rule of their own, without retry and mirror.",
        NotClaimed = "What a mirror does to an upgrade differs by implementation: only advice.",
        References = [Types, Docs + "geps/gep-1731/"],
        HasPatch = true,
        Check = CheckMirrorOrRetry,
    };

    private static IEnumerable<Detection> CheckRouteTimeout(LintContext context)
    {
        foreach (var (item, rule, route) in HttpRules(context))
        {
            var isEnvoy = route.Entries.Count > 0 && route.Entries.All(e => Envoys.Contains(e.Kind));
            foreach (var name in (string[])["request", "backendRequest"])
            {
                if (rule.At("timeouts", name) is not { } at || Durations.Parse(at.AsText) is not { Ticks: > 0 } timeout)
                    continue;
                yield return new Detection(
                    item,
                    Place.Of(at),
                    $"timeouts.{name} is {Durations.Say(timeout)}: " + (isEnvoy ? "older Envoys may cut WebSockets at that age, newer ones only give up on slow handshakes." : "the implementation may cut each WebSocket at that age, however busy it is."))
                {
                    Severity = isEnvoy ? Severity.Advice : null,
                    Patch = Edits.Replace($"set timeouts.{name} to 0s", at, "0s", isText: true),
                    Because = route.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckMissingAppProtocol(LintContext context)
    {
        foreach (var route in HttpRoutes(context))
        {
            if (route.Service is not { } service || service.Port(route.ServicePort) is not { AppProtocol: null } port)
                continue;
            yield return new Detection(service.Object, Place.Of(port.Node), $"port {port.Number} does not say that it speaks WebSocket, and {route.Object} leads to it.")
            {
                // What only looks like WebSockets should not come to be declared by a tool.
                Patch = route.Signs[0].IsDeclared ? Edits.Set("set appProtocol: kubernetes.io/ws", port.Node, ["appProtocol"], "kubernetes.io/ws") : null,
                Because = route.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckWssWithoutTlsPolicy(LintContext context)
    {
        var policies = new AttachedPolicies(context.Graph.Objects);
        foreach (var route in HttpRoutes(context))
        {
            if (route.Service is not { } service || service.Port(route.ServicePort)?.AppProtocol is not { Text: "kubernetes.io/wss" } protocol || policies.Of("BackendTLSPolicy", service.Object).Any())
                continue;
            yield return new Detection(service.Object, Place.Of(protocol), $"{route.Object} leads here, and nothing tells the gateway how to verify the TLS of these pods.") { Because = route.Signs };
        }
    }

    private static IEnumerable<Detection> CheckSessionPersistenceSchema(LintContext context)
    {
        foreach (var (item, rule, route) in HttpRules(context))
        {
            if (rule.EntryOf("sessionPersistence") is not { Value: { Kind: NodeKind.Mapping } settings } persistence)
                continue;
            var definition = context.Graph.Objects.Find("CustomResourceDefinition", "", Crd, item);
            foreach (var (at, message, severity) in Faults(definition, item.ApiVersion, persistence.Key, settings))
                yield return new Detection(item, Place.Of(at), message) { Severity = severity, Because = route.Signs };
        }
    }

    private static IEnumerable<(Node At, string Message, Severity? Severity)> Faults(KubernetesObject? definition, string apiVersion, Node key, Node settings)
    {
        if (definition?.Annotation(Channel) is { Text: "standard" })
        {
            yield return (key, "the HTTPRoute definition among these manifests is of the standard channel, which has no sessionPersistence.", null);
            yield break;
        }

        var known = definition is null ? null : PropertiesOf(definition, apiVersion[(apiVersion.LastIndexOf('/') + 1)..]);
        foreach (var entry in settings.Entries)
        {
            var name = entry.Key.Text;
            if (known is not null && known.EntryOf(name) is null)
                yield return (entry.Key, $"the HTTPRoute definition among these manifests has no sessionPersistence.{name}.", null);
            else if (known is null && name == "idleTimeout")
                yield return (entry.Key, "idleTimeout was dropped in Gateway API v1.6.", Severity.Warning);
            else if (known is null && NewPersistence.Contains(name, StringComparer.Ordinal) && OldPersistence.Any(o => settings[o] is not null))
                yield return (entry.Key, $"no version has {name} together with {OldPersistence.First(o => settings[o] is not null)}.", null);
        }

        var lifetime = settings.At("cookieConfig", "lifetimeType") ?? settings.At("cookie", "lifetimeType");
        if (lifetime is { Text: "Permanent" } && settings["absoluteTimeout"] is null)
            yield return (lifetime, "a permanent cookie needs absoluteTimeout: without it the route is refused.", null);
    }

    private static Node? PropertiesOf(KubernetesObject definition, string version) =>
        definition.Spec?["versions"]?.Items.FirstOrDefault(v => v["name"]?.AsText == version)
            ?.At("schema", "openAPIV3Schema", "properties", "spec", "properties", "rules", "items", "properties", "sessionPersistence", "properties");

    private static IEnumerable<Detection> CheckMirrorOrRetry(LintContext context)
    {
        foreach (var (item, rule, route) in HttpRules(context))
        {
            if (rule.EntryOf("retry") is { Value.IsNull: false } retry)
            {
                yield return new Detection(item, Place.Of(retry.Key), "the gateway repeats failed handshakes, and so do the clients.")
                {
                    Patch = Edits.Remove("remove retry", rule, ["retry"]),
                    Because = route.Signs,
                };
            }

            foreach (var filter in (rule["filters"]?.Items ?? []).Concat((rule["backendRefs"]?.Items ?? []).SelectMany(b => b["filters"]?.Items ?? [])))
            {
                if (filter["type"] is { Text: "RequestMirror" } type)
                    yield return new Detection(item, Place.Of(type), "handshakes of WebSockets are mirrored; what becomes of the copies is up to the implementation.") { Severity = Severity.Advice, Because = route.Signs };
            }
        }
    }
}
