using System.Globalization;
using System.Text.Json;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Rehearse;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>
/// A Node script beside these tests, or with a path of its own: a process that prints lines and does as it is told. It has the samples' packages, unless
/// its environment names others (<c>NODE_PATH</c>).
/// </summary>
internal sealed class NodeScript : IAsyncDisposable
{
    private readonly HttpClient _http = new() { Timeout = RawPeer.Patience };
    private readonly ChildProcess _process;
    private Uri _control = null!;

    private NodeScript(string name, ChildProcess process, Lines lines) => (Name, _process, Lines) = (name, process, lines);

    public string Name { get; }

    public Lines Lines { get; }

    /// <summary>Where a server listens.</summary>
    public int Port { get; private set; }

    public Task<int> Exited => _process.Exited;

    public static async Task<NodeScript> StartServerAsync(string script, string name, params (string Name, string Value)[] environment)
    {
        var server = await StartAsync(script, name, environment);
        server.Port = await server.Lines.NumberAsync("port");
        return server;
    }

    /// <param name="port">The gateway's.</param>
    public static Task<NodeScript> StartClientAsync(string script, int port, params (string Name, string Value)[] environment) =>
        StartAsync(script, "client", [.. environment, ("URL", string.Create(CultureInfo.InvariantCulture, $"ws://127.0.0.1:{port}/ws"))]);

    /// <summary>Has an action done; its result.</summary>
    public async Task<JsonElement> DoAsync(string action)
    {
        using var answer = JsonDocument.Parse(await _http.GetStringAsync(new Uri(_control, action)));
        return answer.RootElement.Clone();
    }

    /// <summary>Waits until it has printed lines that begin so, so many of them.</summary>
    public async Task PrintsAsync(string beginning, int times = 1)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (CountOf(beginning) < times)
        {
            Assert.False(limit.IsCancellationRequested || Exited.IsCompleted, $"{Name} did not print '{beginning}' but: {string.Join(" | ", Lines.All)}");
            await Task.Delay(10, CancellationToken.None);
        }
    }

    public int CountOf(string beginning) => Lines.All.Count(l => l.StartsWith(beginning, StringComparison.Ordinal));

    public void Terminate() => _process.Terminate();

    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _http.Dispose();
    }

    private static async Task<NodeScript> StartAsync(string script, string name, (string Name, string Value)[] environment)
    {
        var lines = new Lines();
        var variables = environment.ToDictionary(e => e.Name, e => e.Value, StringComparer.Ordinal);
        variables["NAME"] = name;
        if (!variables.ContainsKey("NODE_PATH"))
        {
            await NodeSamples.InstallAsync();
            variables["NODE_PATH"] = Path.Combine(NodeSamples.Folder, "node_modules");
        }

        var file = Path.Combine(Repository.Root, "tests", "Holdfast.Functional.Tests", "Holding", "node", script);
        var node = new NodeScript(name, ChildProcess.Start(new ChildSpec("node", [file], variables), lines.Add, TimeProvider.System), lines);
        var control = await lines.NumberAsync("control");
        node._control = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{control}/"));
        return node;
    }
}
