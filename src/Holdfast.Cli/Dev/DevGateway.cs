using System.Globalization;

namespace Holdfast.Cli.Dev;

/// <summary>The gateway before the replicas: its command, which is this same tool.</summary>
internal static class DevGateway
{
    /// <summary>An endpoint as the gateway names it.</summary>
    public static string Address(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    /// <summary>Without its access log: nobody reads it here, and it would push the words that matter out of the last lines.</summary>
    /// <param name="tool">This tool's own command: its executable, or <c>dotnet</c> and its assembly.</param>
    /// <param name="configurationFile">In a directory of its own, which goes when this process does.</param>
    public static ChildSpec For(IReadOnlyList<string> tool, string configurationFile) => new(
        tool[0],
        [.. tool.Skip(1), "gateway", "--no-access-log", "--config", configurationFile],
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["TMPDIR"] = Path.GetDirectoryName(configurationFile)!,

            // Here a quick start counts for more than a steady hot path: measured, half the CPU time until it is ready.
            ["DOTNET_TieredCompilation"] = "1",
        },
        RemoveWhenOrphaned: Path.GetDirectoryName(configurationFile));
}
