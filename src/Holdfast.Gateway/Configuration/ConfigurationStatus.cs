using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Configuration;

/// <summary>How what is on disk and what is in force relate. The names leave the process in /health.</summary>
internal enum ConfigurationState
{
    /// <summary>The same.</summary>
    InForce = 0,

    /// <summary>What is on disk cannot be applied; what was applied last is in force.</summary>
    Rejected = 1,

    /// <summary>All of it is in force but what only a restart can change.</summary>
    NeedsRestart = 2,
}

/// <summary>What /health tells of the configuration. Immutable.</summary>
internal sealed record ConfigurationReport
{
    public ConfigurationState State { get; init; }

    /// <summary>Null when the configuration did not come from a file.</summary>
    public string? File { get; init; }

    /// <summary>Of the content in force: <see cref="ContentIdentity.Hash"/>; empty without a file.</summary>
    public string Hash { get; init; } = "";

    public DateTimeOffset AppliedAt { get; init; }

    /// <summary>Keys whose change waits for a restart.</summary>
    public IReadOnlyList<string> NeedsRestart { get; init; } = [];

    /// <summary>Of the rejected content.</summary>
    public int FaultCount { get; init; }

    /// <summary>The first <see cref="ConfigurationStatus.MaxFaults"/> of them; the log has all.</summary>
    public IReadOnlyList<string> Faults { get; init; } = [];
}

/// <summary>Keeps the report, and counts what became of changes. One thread at a time writes; any reads.</summary>
internal sealed class ConfigurationStatus
{
    /// <summary>Faults kept for /health, so that a file of nothing but faults costs no memory.</summary>
    public const int MaxFaults = 20;

    private volatile ConfigurationReport _report = new();
    private long _applied;
    private long _rejected;

    public ConfigurationReport Report => _report;

    /// <summary>Changes applied since the start.</summary>
    public long Applied => Volatile.Read(ref _applied);

    /// <summary>Changes rejected since the start.</summary>
    public long Rejected => Volatile.Read(ref _rejected);

    /// <param name="file">Null: from no file.</param>
    public void Start(string? file, ContentIdentity content, DateTimeOffset now) =>
        _report = new ConfigurationReport { File = file, Hash = content.Hash ?? "", AppliedAt = now };

    public void Apply(ContentIdentity content, IReadOnlyList<string> needsRestart, DateTimeOffset now)
    {
        Interlocked.Increment(ref _applied);
        _report = new ConfigurationReport
        {
            State = needsRestart.Count > 0 ? ConfigurationState.NeedsRestart : ConfigurationState.InForce,
            File = _report.File,
            Hash = content.Hash ?? "",
            AppliedAt = now,
            NeedsRestart = needsRestart,
        };
    }

    public void Reject(IReadOnlyList<ConfigurationFault> faults)
    {
        Interlocked.Increment(ref _rejected);
        _report = _report with
        {
            State = ConfigurationState.Rejected,
            FaultCount = faults.Count,
            Faults = [.. faults.Take(MaxFaults).Select(f => f.ToString())],
        };
    }
}
