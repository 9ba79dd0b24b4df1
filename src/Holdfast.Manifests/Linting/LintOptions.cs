using Holdfast.Manifests.Linting.Output;

namespace Holdfast.Manifests.Linting;

/// <summary>The command line of <c>holdfast lint</c>.</summary>
public sealed record LintOptions
{
    /// <summary>Files, folders, and <c>-</c> for what is piped in.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    public LintFormat Format { get; init; }

    /// <summary>The least severity that makes the outcome <see cref="LintOutcome.FaultsFound"/>; null: none does.</summary>
    public Severity? FailOn { get; init; } = Severity.Error;

    /// <summary>A rule to explain instead of linting, by id or name.</summary>
    public string? Explain { get; init; }

    /// <summary>Write the mechanical patches into the files.</summary>
    public bool Fix { get; init; }

    /// <summary>Workloads and Services that use WebSockets, as <c>namespace/name</c>, in addition to the configuration's.</summary>
    public IReadOnlyList<string> WebSocket { get; init; } = [];

    /// <summary>Null: <see cref="Settings.SettingsReader.DefaultFile"/> in the working directory, if it is there.</summary>
    public string? Config { get; init; }

    /// <summary>Colour the text format.</summary>
    public bool Color { get; init; }

    /// <summary>Of the tool, for SARIF.</summary>
    public string Version { get; init; } = "0.0.0";
}

/// <summary>What a run came to.</summary>
public enum LintOutcome
{
    /// <summary>Nothing to report at the severity asked for.</summary>
    Clean,

    /// <summary>Findings of that severity, or manifests that could not be read.</summary>
    FaultsFound,

    /// <summary>The command line or the configuration is wrong; nothing was looked at.</summary>
    BadUsage,

    /// <summary>A file could not be written.</summary>
    Failed,
}
