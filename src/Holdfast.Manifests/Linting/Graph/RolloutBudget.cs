using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>
/// How a pod's time to end is spent: <c>terminationGracePeriodSeconds</c> covers the preStop hook, then the drain of its connections after SIGTERM,
/// and some seconds for the process itself.
/// </summary>
/// <param name="Grace">What the pod is given.</param>
/// <param name="GraceAt">Null: not written, the default of 30 s.</param>
/// <param name="PreStop">The longest preStop that can be read from the manifest. Zero: none, or one whose length cannot be told.</param>
/// <param name="PreStopAt">The handler of that hook.</param>
/// <param name="Drain">What the connections need.</param>
/// <param name="DrainSource">What says so.</param>
internal sealed record RolloutBudget(TimeSpan Grace, Node? GraceAt, TimeSpan PreStop, Node? PreStopAt, TimeSpan Drain, DrainSource DrainSource)
{
    /// <summary>A Go duration on a workload or its pods: how long the application takes to close its connections after SIGTERM.</summary>
    public const string DrainAnnotation = "holdfast.dev/drain";

    /// <summary>How many connections a pod holds.</summary>
    public const string ConnectionsAnnotation = "holdfast.dev/connections-per-pod";

    /// <summary>How many handshakes per second the rest of the fleet takes in.</summary>
    public const string HandshakesAnnotation = "holdfast.dev/handshakes-per-second";

    /// <summary>Kubernetes' own.</summary>
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromSeconds(30);

    /// <summary>For the process to end after its last connection, and the kubelet to see it.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    public TimeSpan Required => PreStop + Drain + Margin;

    public bool IsEnough => Grace >= Required;

    public static RolloutBudget Of(Workload workload, LintAssumptions assume)
    {
        var graceAt = workload.PodSpec["terminationGracePeriodSeconds"];
        var grace = graceAt is { AsInteger: >= 0 and var seconds } ? TimeSpan.FromSeconds(seconds) : DefaultGrace;
        var (preStop, preStopAt) = workload.Containers.Select(PreStopOf).DefaultIfEmpty().MaxBy(p => p.Length);
        var (drain, source) = DrainOf(workload, assume);
        return new RolloutBudget(grace, graceAt, preStop, preStopAt, drain, source);
    }

    /// <summary>For a message: <c>5 s preStop + 30 s drain + 10 s</c>.</summary>
    public string Say() => (PreStop > TimeSpan.Zero ? $"{Durations.Say(PreStop)} preStop + " : "") + $"{Durations.Say(Drain)} drain + {Durations.Say(Margin)}";

    private static (TimeSpan Drain, DrainSource Source) DrainOf(Workload workload, LintAssumptions assume)
    {
        if (Durations.Parse(workload.Annotation(DrainAnnotation)?.AsText) is { } declared)
            return (declared, DrainSource.Declared);
        var connections = workload.Annotation(ConnectionsAnnotation)?.AsInteger ?? assume.ConnectionsPerPod;
        var handshakes = workload.Annotation(HandshakesAnnotation)?.AsInteger ?? assume.HandshakesPerSecond;
        return connections > 0 && handshakes > 0
            ? (TimeSpan.FromSeconds(Math.Ceiling((double)connections / handshakes)), DrainSource.Computed)
            : (assume.Drain, DrainSource.Assumed);
    }

    private static (TimeSpan Length, Node? At) PreStopOf(Container container)
    {
        if (container.Node.At("lifecycle", "preStop") is not { } hook)
            return (TimeSpan.Zero, null);
        if (hook.At("sleep", "seconds") is { AsInteger: > 0 and var seconds })
            return (TimeSpan.FromSeconds(seconds), hook);
        return (SleepOf(hook.At("exec", "command")), hook);
    }

    /// <summary><c>["sleep", "15"]</c> or <c>["sh", "-c", "… sleep 15 …"]</c>: all sleeps added up. Zero when none can be read.</summary>
    private static TimeSpan SleepOf(Node? command)
    {
        var words = (command?.Items ?? []).SelectMany(i => i.Text.Split([' ', '\t', '\n', ';', '&', '|'], StringSplitOptions.RemoveEmptyEntries)).ToList();
        var total = TimeSpan.Zero;
        for (var i = 0; i + 1 < words.Count; i++)
        {
            if ((words[i] == "sleep" || words[i].EndsWith("/sleep", StringComparison.Ordinal)) && Durations.ParseNginx(words[i + 1]) is { TotalDays: < 365 } slept && total.TotalDays < 365)
                total += slept;
        }

        return total;
    }
}

/// <summary>Where the length of a drain comes from.</summary>
internal enum DrainSource
{
    /// <summary>From the configuration of the linter, or its default.</summary>
    Assumed,

    /// <summary>By an annotation.</summary>
    Declared,

    /// <summary>Connections per pod over handshakes per second.</summary>
    Computed,
}
