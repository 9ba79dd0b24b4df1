namespace Holdfast.Manifests.Linting.Settings;

/// <summary>What the user tells the linter beside the manifests: by <c>.holdfast-lint.yaml</c> and the command line.</summary>
public sealed record LintSettings
{
    /// <summary>Nothing assumed, nothing ignored.</summary>
    public static LintSettings Default { get; } = new();

    public LintAssumptions Assume { get; init; } = new();

    /// <summary>Workloads and Services that use WebSockets, as <c>namespace/name</c>.</summary>
    public IReadOnlyList<string> WebSocket { get; init; } = [];

    /// <summary>Workloads and Services that do not, whatever their signs, as <c>namespace/name</c>.</summary>
    public IReadOnlyList<string> NotWebSocket { get; init; } = [];

    public IReadOnlyList<IgnoredFinding> Ignore { get; init; } = [];
}

/// <summary>What is taken to hold where no annotation says it.</summary>
public sealed record LintAssumptions
{
    /// <summary>Of every application. Null, the default: none is assumed to ping.</summary>
    public TimeSpan? PingInterval { get; init; }

    /// <summary>
    /// How long a pod needs to close its connections in order after SIGTERM. The default of 30 s is the shortest that spreads reconnects
    /// noticeably.
    /// </summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Connections that one pod holds. 0, the default: unknown.</summary>
    public int ConnectionsPerPod { get; init; }

    /// <summary>Handshakes per second that the other pods take in while one drains. 0, the default: unknown.</summary>
    public int HandshakesPerSecond { get; init; }
}

/// <summary>Findings that are not to be reported.</summary>
/// <param name="Rules">Ids such as <c>HF-D04</c>; empty: all.</param>
/// <param name="Objects"><c>Deployment shop/chat</c>; <c>*</c> stands for any run of characters; empty: all.</param>
/// <param name="Reason">Shown where suppressed findings are shown.</param>
public sealed record IgnoredFinding(IReadOnlyList<string> Rules, IReadOnlyList<string> Objects, string Reason);
