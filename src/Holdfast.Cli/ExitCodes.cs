namespace Holdfast.Cli;

/// <summary>The tool's exit codes, the same for every command.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The command ran, and what it checked has faults.</summary>
    public const int FaultsFound = 1;

    /// <summary>Bad usage or configuration; every fault has been listed.</summary>
    public const int BadUsage = 2;

    /// <summary>A run-time failure.</summary>
    public const int Failed = 3;
}
