using System.Globalization;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>A server of a quick start, run as it stands on its page.</summary>
internal sealed class SampleServer : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly Lines _output = new();
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10) };

    private SampleServer(int port, string folder, IReadOnlyList<string> command)
    {
        Port = port;
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["PORT"] = port.ToString(CultureInfo.InvariantCulture) };
        _process = ChildProcess.Start(new ChildSpec("/bin/sh", ["-c", "cd \"$0\"; exec \"$@\"", folder, .. command], environment), _output.Add, TimeProvider.System);
    }

    public int Port { get; }

    public Task<int> Exited => _process.Exited;

    public static async Task<SampleServer> StartAsync(string folder, params string[] command)
    {
        var server = new SampleServer(Processes.FreePort(), folder, command);
        try
        {
            await server.UntilHealthIsAsync(200);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until <c>/healthz</c> answers so; 0: until nobody answers.</summary>
    public async Task UntilHealthIsAsync(params int[] statuses)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var status = await HealthAsync();
            if (statuses.Contains(status))
                return;
            Assert.False(Exited.IsCompleted, "the server ended: " + string.Join('\n', _output.All));
            Assert.False(limit.IsCancellationRequested, "waited in vain for /healthz: " + string.Join('\n', _output.All));
            await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
        }
    }

    public void Terminate() => GatewayProcess.Send(_process.Id, "TERM");

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _http.Dispose();
    }

    private async Task<int> HealthAsync()
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri($"http://127.0.0.1:{Port}/healthz"));
            return (int)answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }
}
