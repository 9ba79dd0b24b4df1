using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Istio;

/// <summary>VirtualServices.</summary>
internal static partial class IstioRules
{
    private const string Upgrade = "websocketUpgrade";

    private static Rule WebSocketUpgrade => new()
    {
        Id = "HF-I01",
        Name = "istio-websocket-upgrade",
        Severity = Severity.Error,
        Summary = "websocketUpgrade in a VirtualService, a field that Istio no longer has",
        Why = "The field was removed: Istio always lets WebSockets through. kubectl refuses a manifest with an unknown field, so this route is not applied at all; other tools let the field vanish.",
        Fix = "Delete the line; nothing has to be written instead.",
        References = [Docs + "networking/virtual-service/", Source + "pilot/pkg/networking/core/listener_builder.go"],
        HasPatch = true,
        Check = CheckWebSocketUpgrade,
    };

    private static Rule RouteTimeout => new()
    {
        Id = "HF-I03",
        Name = "istio-route-timeout",
        Severity = Severity.Advice,
        Summary = "timeout or perTryTimeout on a route of WebSockets",
        Why = "What Envoy does with a route's time-out after an upgrade has changed: people saw WebSockets cut at it (after 300 s in Kubeflow), at other times it was ignored, and since Envoy 1.36 it covers the handshake only.",
        Fix = "Match WebSockets in a rule of their own, without timeout and retries.perTryTimeout.",
        NotClaimed = "That it cuts open WebSockets with a current Istio: Envoy disarms it when the upgrade is answered. Therefore advice only.",
        References = ["https://github.com/envoyproxy/envoy/pull/41075", "https://github.com/kubeflow/kubeflow/pull/6126", Docs + "networking/virtual-service/"],
        HasPatch = true,
        Check = CheckRouteTimeout,
    };

    private static IEnumerable<Detection> CheckWebSocketUpgrade(LintContext context)
    {
        foreach (var (item, rule, route) in Routes(context))
        {
            if (rule.EntryOf(Upgrade) is not { } upgrade)
                continue;
            // Where the field is all that tells of WebSockets, its removal would end every other finding about them.
            var isOnlySign = route.Signs.All(s => ReferenceEquals(s.At, upgrade.Value));
            yield return new Detection(item, Place.Of(upgrade.Key), $"{Upgrade} is no field of Istio's: kubectl refuses this VirtualService.")
            {
                Fix = isOnlySign ? $"Delete the line, and say appProtocol: kubernetes.io/ws on the port of Service {route.ServiceName}, so that it stays known what this is." : null,
                Patch = isOnlySign ? null : Edits.Remove($"remove {Upgrade}", rule, [Upgrade]),
                Because = route.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckRouteTimeout(LintContext context)
    {
        foreach (var (item, rule, route) in Routes(context))
        {
            foreach (var path in (string[][])[["timeout"], ["retries", "perTryTimeout"]])
            {
                if (rule.At(path) is not { } timeout || Durations.Parse(timeout.AsText) is not { Ticks: > 0 } value)
                    continue;
                yield return new Detection(item, Place.Of(timeout), $"{path[^1]} is {Durations.Say(value)}: older Istio may cut WebSockets after that time however busy they are, newer ones only give up on slow handshakes.")
                {
                    Patch = Edits.Remove($"remove {path[^1]}", rule, path),
                    Because = route.Signs,
                };
            }
        }
    }
}
