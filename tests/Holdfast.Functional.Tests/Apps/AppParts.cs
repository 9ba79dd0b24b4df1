using System.Text.Json;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Holding;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>The npm packages of real applications, installed once per run into the test's output, and the scripts that use them.</summary>
internal static class AppParts
{
    public const string Collection = "Apps/node";

    private static readonly string Installed = Path.Combine(AppContext.BaseDirectory, "Apps", "node");
    private static readonly string Scripts = Path.Combine(Repository.Root, "tests", "Holdfast.Functional.Tests", "Apps", "node");

    public static string Modules => Path.Combine(Installed, "node_modules");

    public static string Script(string name) => Path.Combine(Scripts, name);

    /// <summary>Skips the test, or fails where CI=true, when Node is missing.</summary>
    public static async Task InstallAsync()
    {
        foreach (var tool in (string[])["node", "npm"])
        {
            if (Requires.Tool(tool) is { } reason)
                Assert.Skip(reason);
        }

        // What was installed before the lock file had changed lacks something.
        var mark = Path.Combine(Modules, ".package-lock.json");
        if (File.Exists(mark) && File.GetLastWriteTimeUtc(mark) >= File.GetLastWriteTimeUtc(Script("package-lock.json")))
            return;
        var lines = new Lines();
        await using var npm = ChildProcess.Start(
            new ChildSpec("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", Installed], new Dictionary<string, string>(StringComparer.Ordinal)), lines.Add, TimeProvider.System);
        Assert.True(await npm.Exited.WaitAsync(TimeSpan.FromMinutes(2)) == 0, "npm ci failed: " + string.Join('\n', lines.All));
    }

    public static async Task<NodeScript> StartServerAsync(string script, string name)
    {
        await InstallAsync();
        return await NodeScript.StartServerAsync(Script(script), name, ("NODE_PATH", Modules));
    }

    /// <param name="target">What the clients are to connect to, by http or https.</param>
    public static async Task<NodeScript> StartClientsAsync(string script, Uri target, int count, string options = "{}")
    {
        await InstallAsync();
        return await NodeScript.StartClientAsync(
            Script(script), target.Port, ("NODE_PATH", Modules), ("TARGET", target.ToString()), ("CLIENTS", $"{count}"), ("OPTIONS", options));
    }

    /// <summary>Waits until the state that the clients tell is so.</summary>
    public static async Task UntilStateAsync(this NodeScript clients, Func<JsonElement, bool> condition)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        var state = await clients.DoAsync("state");
        for (; !condition(state); state = await clients.DoAsync("state"))
        {
            Assert.False(limit.IsCancellationRequested, $"waited in vain; the last state: {state}; lines: {string.Join(" | ", clients.Lines.All.TakeLast(5))}");
            await Task.Delay(20, CancellationToken.None);
        }
    }
}
