using System.Diagnostics;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Rehearse;

/// <summary>The packages of samples/node, as far as a protocol needs them.</summary>
internal static class NodeSamples
{
    private static readonly SemaphoreSlim Installing = new(1);

    /// <summary>Installs what is missing, or skips the test.</summary>
    public static async Task RequireAsync(string protocol)
    {
        if (protocol != "graphql-transport-ws")
            return;
        foreach (var tool in (string[])["node", "npm"])
        {
            if (Requires.Tool(tool) is { } missing)
                Assert.Skip(missing);
        }

        var folder = Path.Combine(Repository.Root, "samples", "node");
        await Installing.WaitAsync();
        try
        {
            if (Directory.Exists(Path.Combine(folder, "node_modules", "graphql-ws")))
                return;
            using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund"]) { WorkingDirectory = folder, UseShellExecute = false })!;
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            await npm.WaitForExitAsync(limit.Token);
            Assert.Equal(0, npm.ExitCode);
        }
        finally
        {
            Installing.Release();
        }
    }
}
