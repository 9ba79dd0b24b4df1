using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>HF-D: how pods that hold WebSockets end, and how they are replaced. Read against Kubernetes 1.36.</summary>
internal static partial class PodRules
{
    private const string Docs = "https://kubernetes.io/docs/";
    private const string Termination = Docs + "concepts/workloads/pods/pod-lifecycle/#pod-termination";
    private const string HookDocs = Docs + "concepts/containers/container-lifecycle-hooks/";
    private const string DeploymentDocs = Docs + "concepts/workloads/controllers/deployment/";

    public static RuleFamily Family { get; } = new('D', "Pods and rollouts",
    [
        ShortGrace, LongPreStop, NoPreStop, SocketCountingPreStop, ShellWithoutShell, TcpSocketHook, ShellAsInit, Recreate, FastRollout, SingleReplica, ReplicasWithAutoscaler,
        GraceOverCap, NoSpread, SurgeOnHostPort, SerialDrain,
    ]);

    /// <summary>The words of an exec hook; empty for another hook.</summary>
    private static List<string> ExecOf(Node? hook) => [.. (hook?.At("exec", "command")?.Items ?? []).Select(w => w.Text)];

    /// <summary><c>sh</c> of <c>/bin/sh</c>.</summary>
    private static string Program(string word) => word[(word.LastIndexOf('/') + 1)..];

    private static bool IsShell(string word) => Program(word) is "sh" or "bash" or "ash" or "dash";
}
