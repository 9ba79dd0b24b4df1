using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;

namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>Hooks and commands that do not do what they were written for.</summary>
internal static partial class PodRules
{
    private static readonly string[] HookNames = ["preStop", "postStart"];

    /// <summary>With such a grace a loop that waits for clients to leave is a decision.</summary>
    private static readonly TimeSpan Patient = TimeSpan.FromHours(1);

    /// <summary>They pass signals on, or replace themselves by the program.</summary>
    private static readonly string[] SignalPassers = ["tini", "dumb-init", "catatonit", "s6-svscan", "supervisord", "gosu", "su-exec", "pm2-runtime"];

    private static Rule SocketCountingPreStop => new()
    {
        Id = "HF-D04",
        Name = "prestop-lsof-loop",
        Severity = Severity.Error,
        Summary = "a preStop hook that waits until lsof, netstat or ss count no more connections",
        Why = "The hook runs before SIGTERM, so the application does not know that it ends and closes nothing. Clients of WebSockets do not leave by themselves: the loop runs until the grace is over, 2 s are left, and everything is cut at once.",
        Fix = "Let the application close its connections on SIGTERM, spread over its drain, and keep a preStop of 5 to 15 s for endpoints to follow.",
        NotClaimed = "With a grace of an hour or more clients may well leave in time, so it is only a warning. That the tool is missing in the image cannot be seen here.",
        References = [Termination, HookDocs + "#hook-handler-execution"],
        Check = CheckSocketCountingPreStop,
    };

    private static Rule ShellWithoutShell => new()
    {
        Id = "HF-D05",
        Name = "prestop-shell-on-distroless",
        Severity = Severity.Error,
        Summary = "an exec preStop hook that needs a shell or sleep, in a distroless or chiseled image",
        Why = "Such images hold neither a shell nor sleep. The hook fails (FailedPreStopHook), SIGTERM follows at once, and the wait for endpoints that it was written for does not happen.",
        Fix = "Use lifecycle.preStop.sleep.seconds (Kubernetes 1.30 and later), which the kubelet does itself, or httpGet to the application.",
        NotClaimed = "Images are known by their names and tags only: distroless (but not its debug tags) and chiseled.",
        References = [HookDocs + "#debugging-hook-handlers", "https://github.com/GoogleContainerTools/distroless/blob/main/README.md", "https://github.com/dotnet/dotnet-docker/blob/main/documentation/distroless.md"],
        Check = CheckShellWithoutShell,
    };

    private static Rule TcpSocketHook => new()
    {
        Id = "HF-D06",
        Name = "prestop-tcpsocket",
        Severity = Severity.Error,
        Summary = "a lifecycle hook of the kind tcpSocket",
        Why = "Kubernetes keeps this field for old manifests only and does not support it: the hook fails when it runs. A failed preStop waits for nothing; a failed postStart kills the container.",
        Fix = "Remove it, or use sleep, httpGet or exec instead.",
        References = [Docs + "reference/kubernetes-api/workload-resources/pod-v1/#LifecycleHandler", HookDocs],
        HasPatch = true,
        Check = CheckTcpSocketHook,
    };

    private static Rule ShellAsInit => new()
    {
        Id = "HF-D07",
        Name = "shell-pid1",
        Severity = Severity.Error,
        Summary = "the container's command is sh -c without exec",
        Why = "The shell is process 1 and gets SIGTERM; it does not pass it on, and process 1 ignores what it does not handle. The server behind it never learns that it should close its connections and is killed when the grace is over.",
        Fix = "Write exec before the server's command (sh -c \"exec server\"), or start it without a shell.",
        NotClaimed = "Some shells replace themselves by a single last command: bash 5.2 does and is not reported then; dash 0.5.12, the sh of Debian, does not, and ignored SIGTERM (tried). What sh is depends on the image, so it is a warning; pipelines and background jobs keep any shell, so they are errors.",
        References = ["https://man7.org/linux/man-pages/man7/pid_namespaces.7.html", Termination, "https://www.gnu.org/software/bash/manual/html_node/Signals.html"],
        Check = CheckShellAsInit,
    };

    private static IEnumerable<Detection> CheckSocketCountingPreStop(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            if (SocketLoopTool(string.Join(' ', ExecOf(container.Node.At("lifecycle", "preStop")))) is not { } tool)
                continue;
            var budget = context.BudgetOf(workload);
            yield return new Detection(
                workload.Object,
                Place.Of(container.Node, "lifecycle", "preStop", "exec", "command"),
                $"the preStop hook of container {container.Name} waits with {tool} until clients have left, but they stay, and the application closes nothing before SIGTERM: after {SayGrace(budget)} all are cut.")
            {
                Severity = budget.Grace >= Patient ? Severity.Warning : null,
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckShellWithoutShell(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            if (!HasNoShell(container.Image) || ExecOf(container.Node.At("lifecycle", "preStop")) is not [var first, ..] words || !(IsShell(first) || Program(first) == "sleep"))
                continue;
            var slept = Program(first) == "sleep" && words.Count == 2 && Durations.ParseNginx(words[1]) is { } time ? Seconds(time) : null;
            yield return new Detection(
                workload.Object,
                Place.Of(container.Node, "lifecycle", "preStop", "exec", "command"),
                $"the preStop hook of container {container.Name} runs {first}, which the image {container.Image} does not have: it fails and SIGTERM comes at once.")
            {
                Fix = slept is null ? null : $"Write preStop: {{sleep: {{seconds: {slept}}}}} (Kubernetes 1.30 and later).",
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckTcpSocketHook(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            foreach (var name in HookNames)
            {
                if (container.Node.At("lifecycle", name, "tcpSocket") is null)
                    continue;
                yield return new Detection(
                    workload.Object,
                    Place.Of(container.Node, "lifecycle", name, "tcpSocket"),
                    $"the {name} hook of container {container.Name} is a tcpSocket, which fails when it runs: " + (name == "preStop" ? "SIGTERM comes at once." : "the container is killed at each start."))
                {
                    Patch = Edits.Remove($"remove lifecycle.{name}.tcpSocket", container.Node, ["lifecycle", name, "tcpSocket"]),
                    Because = workload.Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckShellAsInit(LintContext context)
    {
        foreach (var (workload, container) in Containers(context))
        {
            // With a shared process namespace process 1 is the pause container.
            if (workload.PodSpec["shareProcessNamespace"] is { AsBoolean: true } || container.Node["command"] is not { Items.Count: > 0 })
                continue;
            var words = container.CommandLine.Select(w => w.Text).ToList();
            if (words.Count < 3 || !IsShell(words[0]) || ScriptOf(words) is not { } script || PassesSignals(script))
                continue;
            var keepsShell = ShellScript.HasPipelineOrJob(script);
            if (!keepsShell && Program(words[0]) == "bash")
                continue;
            yield return new Detection(
                workload.Object,
                Place.Of(container.Node, "command"),
                $"process 1 of container {container.Name} is {words[0]}, which does not pass SIGTERM on: the server never closes its connections and is killed after the grace.")
            {
                Severity = keepsShell ? null : Severity.Warning,
                Because = workload.Signs,
            };
        }
    }

    private static IEnumerable<(Workload Workload, Container Container)> Containers(LintContext context) =>
        context.WebSocketWorkloads.SelectMany(w => w.Containers.Select(c => (w, c)));

    private static bool HasNoShell(string image)
    {
        var tag = image[(image.LastIndexOf(':') + 1)..];
        return (image.Contains("distroless", StringComparison.OrdinalIgnoreCase) || image.Contains("chiseled", StringComparison.OrdinalIgnoreCase))
            && !tag.Contains("debug", StringComparison.OrdinalIgnoreCase);
    }

    private static bool PassesSignals(string script) =>
        ShellScript.HandsSignalsOn(script) || SignalPassers.Any(p => script.Contains(p, StringComparison.Ordinal));

    /// <summary>What a hook's script counts connections with; null when it does not do so in a loop.</summary>
    private static string? SocketLoopTool(string script)
    {
        var words = ShellScript.Words(script);
        if (!words.Any(w => w is "while" or "until" or "for"))
            return null;
        for (var i = 0; i < words.Length; i++)
        {
            var name = Program(words[i]);
            // Two letters are a word of other things too.
            if (name is "lsof" or "netstat" || name == "ss" && i + 1 < words.Length && words[i + 1].StartsWith('-') || words[i] is "/proc/net/tcp" or "/proc/net/tcp6")
                return words[i];
        }

        return null;
    }

    /// <summary>What follows <c>-c</c>, <c>-ec</c> or <c>-o pipefail -c</c>; null when the shell runs a file.</summary>
    private static string? ScriptOf(List<string> words)
    {
        for (var i = 1; i + 1 < words.Count; i++)
        {
            if (words[i] is "-o" or "+o")
                i++;
            else if (words[i] is ['-', .., 'c'] option && option.AsSpan(1).IndexOfAnyExceptInRange('a', 'z') < 0)
                return words[i + 1];
            else if (words[i] is not ['-', ..])
                return null;
        }

        return null;
    }
}
