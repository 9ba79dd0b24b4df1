using System.Globalization;
using System.Text;

namespace Holdfast.Cli.Dev;

/// <summary>The gateway before the replicas: its configuration and its command, which is this same tool.</summary>
internal static class DevGateway
{
    internal const string Backend = "app";

    /// <summary>One listener, one route for everything, one backend.</summary>
    public static string Configuration(DevOptions options, IEnumerable<int> replicaPorts)
    {
        var yaml = new StringBuilder();
        yaml.Append(CultureInfo.InvariantCulture, $"""
            # Written by holdfast dev, and removed by it.
            listeners:
              - name: dev
                address: 127.0.0.1:{options.Port}
            admin:
              address: 127.0.0.1:{options.AdminPort}
            routes:
              - path:
                  prefix: /
                backend: {Backend}
            backends:
              {Backend}:
                endpoints:

            """);
        foreach (var port in replicaPorts)
            yaml.Append(CultureInfo.InvariantCulture, $"      - {Address(port)}\n");

        // Whoever quits has seen enough: nothing to wait for, and every connection is closed at once.
        yaml.Append("""
            shutdown:
              delay: 0s
              duration: 0s

            """);
        return yaml.ToString();
    }

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
