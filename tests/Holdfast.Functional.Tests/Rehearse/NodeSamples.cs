using System.Diagnostics;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Rehearse;

/// <summary>The samples' folder with the packages of its lock file. Classes that use it are one collection: they run one after the other.</summary>
internal static class NodeSamples
{
    public const string Collection = "samples/node";

    public static string Folder { get; } = Path.Combine(Repository.Root, "samples", "node");

    /// <summary>Installs what is missing, or skips the test.</summary>
    public static async Task InstallAsync()
    {
        if (Requires.Tool("node") is { } noNode)
            Assert.Skip(noNode);

        // What was installed before the lock file had changed lacks something.
        var installed = Path.Combine(Folder, "node_modules", ".package-lock.json");
        if (File.Exists(installed) && File.GetLastWriteTimeUtc(installed) >= File.GetLastWriteTimeUtc(Path.Combine(Folder, "package-lock.json")))
            return;
        if (Requires.Tool("npm") is { } noNpm)
            Assert.Skip(noNpm);
        using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund"]) { WorkingDirectory = Folder, UseShellExecute = false })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await npm.WaitForExitAsync(limit.Token);
        Assert.Equal(0, npm.ExitCode);
    }

    public static Task RequireAsync(string protocol) => protocol == "graphql-transport-ws" ? InstallAsync() : Task.CompletedTask;
}
