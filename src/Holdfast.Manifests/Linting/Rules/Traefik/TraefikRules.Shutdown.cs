using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Traefik;

/// <summary>How Traefik's own pods end: on SIGTERM it first accepts on, then waits for what is open, then cuts it.</summary>
internal static partial class TraefikRules
{
    private const string LifeCycle = ".transport.lifecycle.";

    /// <summary>Traefik's own default.</summary>
    private static readonly TimeSpan DefaultGraceTimeOut = TimeSpan.FromSeconds(10);

    /// <summary>Entry points that serve the dashboard and the metrics in the chart.</summary>
    private static readonly string[] NotServing = ["traefik", "metrics"];

    private static Rule GraceTimeOut => new()
    {
        Id = "HF-T03",
        Name = "traefik-grace",
        Severity = Severity.Warning,
        Summary = "graceTimeOut of an entry point with WebSockets is not set, or longer than the pod's grace",
        Why = "Traefik waits for open WebSockets for graceTimeOut after SIGTERM, 10 s unless set, and then cuts them: every rollout of Traefik ends all of its sockets within 10 s. When the pod's grace ends earlier, it is killed instead.",
        Fix = "Set --entryPoints.NAME.transport.lifeCycle.graceTimeOut as long as your clients may take to leave, and terminationGracePeriodSeconds 10 s longer than it, requestAcceptGraceTimeout and preStop together.",
        NotClaimed = "Only where arguments define the entry points: what a configuration file or the environment says is not seen.",
        References = [Source + "pkg/server/server_entrypoint_tcp.go", Docs + "reference/install-configuration/entrypoints/"],
        Check = CheckGraceTimeOut,
    };

    private static Rule NoAcceptGrace => new()
    {
        Id = "HF-T04",
        Name = "traefik-no-accept-grace",
        Severity = Severity.Warning,
        Summary = "Traefik stops accepting as soon as it is told to end: no requestAcceptGraceTimeout and no preStop",
        Why = "The load balancer and kube-proxy learn of a leaving pod some seconds after SIGTERM. Until then they send handshakes to a Traefik that accepts none.",
        Fix = "Set --entryPoints.NAME.transport.lifeCycle.requestAcceptGraceTimeout=10s (or a preStop sleep), and the pod's grace longer by as much.",
        NotClaimed = "Only where arguments define the entry points: what a configuration file or the environment says is not seen.",
        References = [Docs + "reference/install-configuration/entrypoints/", "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow"],
        Check = CheckNoAcceptGrace,
    };

    private static IEnumerable<Detection> CheckGraceTimeOut(LintContext context)
    {
        foreach (var (workload, entry) in Controllers(context))
        {
            var budget = context.BudgetOf(workload);
            foreach (var (name, definition, arguments) in EntryPoints(workload, entry))
            {
                var set = Find(arguments, name, "gracetimeout");
                var wait = set is null ? DefaultGraceTimeOut : Value(set) ?? DefaultGraceTimeOut;
                var accept = (Find(arguments, name, "requestacceptgracetimeout") is { } node ? Value(node) : null) ?? TimeSpan.Zero;
                var signs = entry.Routes.First(r => r.IsWebSocket).Signs;
                if (set is null)
                {
                    yield return new Detection(workload.Object, Place.Of(definition), $"entry point {name} has no graceTimeOut: 10 s after SIGTERM Traefik cuts every WebSocket that is open through it.") { Because = signs };
                }
                else if (budget.PreStop + accept + wait >= budget.Grace)
                {
                    yield return new Detection(workload.Object, Place.Of(set), $"entry point {name} waits {Durations.Say(wait)} for open WebSockets{(accept > TimeSpan.Zero ? $" after {Durations.Say(accept)} of accepting" : "")}, but the pod is killed {Durations.Say(budget.Grace)} after it is told to end.")
                    {
                        Because = signs,
                    };
                }
            }
        }
    }

    private static IEnumerable<Detection> CheckNoAcceptGrace(LintContext context)
    {
        foreach (var (workload, entry) in Controllers(context))
        {
            if (context.BudgetOf(workload).PreStopAt is not null)
                continue;
            foreach (var (name, definition, arguments) in EntryPoints(workload, entry))
            {
                if (Find(arguments, name, "requestacceptgracetimeout") is { } set && Value(set) is not { Ticks: 0 })
                    continue;
                yield return new Detection(workload.Object, Place.Of(Find(arguments, name, "requestacceptgracetimeout") ?? definition), $"entry point {name} accepts nothing after SIGTERM, while new WebSockets are still sent to the pod.") { Because = entry.Routes.First(r => r.IsWebSocket).Signs };
            }
        }
    }

    /// <summary>Those that arguments define with an address and WebSockets come through; their names are lower case.</summary>
    private static IEnumerable<(string Name, Node Definition, IReadOnlyList<Node> Arguments)> EntryPoints(Workload workload, Entry entry)
    {
        var named = entry.Routes.Where(r => r.IsWebSocket).Select(r => NamedEntryPoints(r.Object)).ToList();
        // One that names none comes through all.
        var used = named.Exists(n => n.Count == 0) ? null : named.SelectMany(n => n).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var container in workload.Containers)
        {
            var arguments = container.CommandLine.ToList();
            foreach (var argument in arguments)
            {
                var text = argument.Text.ToLowerInvariant();
                if (!text.StartsWith("--entrypoints.", StringComparison.Ordinal) || text.IndexOf(".address=", StringComparison.Ordinal) is not (> 14 and var end) || text.Contains("/udp", StringComparison.Ordinal))
                    continue;
                var name = text["--entrypoints.".Length..end];
                if (used?.Contains(name) ?? !NotServing.Contains(name, StringComparer.Ordinal))
                    yield return (name, argument, arguments);
            }
        }
    }

    private static List<string> NamedEntryPoints(KubernetesObject route) => route.Kind == "Ingress"
        ? [.. (route.Annotation(Prefix + "router.entrypoints")?.Text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)]
        : [.. (route.Spec?["entryPoints"]?.Items ?? []).Select(e => e.Text)];

    private static Node? Find(IReadOnlyList<Node> arguments, string entryPoint, string setting) =>
        arguments.FirstOrDefault(a => a.Text.StartsWith($"--entrypoints.{entryPoint}{LifeCycle}{setting}=", StringComparison.OrdinalIgnoreCase));

    /// <summary>A Go duration, or a bare number of seconds.</summary>
    private static TimeSpan? Value(Node argument) => Durations.ParseNginx(argument.Text[(argument.Text.IndexOf('=', StringComparison.Ordinal) + 1)..]);
}
