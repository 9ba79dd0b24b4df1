using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

/// <summary><c>holdfast dev</c> as a process of its own, with keys from a pipe, no terminal, and a temporary directory of its own.</summary>
internal sealed class DevProcess : IAsyncDisposable
{
    private const string Mark = "HOLDFAST_TEST_MARK";
    private readonly Process _process;
    private readonly Task _output;
    private readonly string _mark;

    private DevProcess(Process process, string mark, string temporary, int port, int adminPort)
    {
        (_process, _mark, Temporary, Port, AdminPort) = (process, mark, temporary, port, adminPort);
        _output = Task.WhenAll(LineReader.ReadAllAsync(process.StandardOutput, Lines.Add), LineReader.ReadAllAsync(process.StandardError, Lines.Add));
        process.StandardInput.AutoFlush = true;
    }

    public Lines Lines { get; } = new();

    public int Port { get; }

    public int AdminPort { get; }

    /// <summary>What it and its children use for temporary files.</summary>
    public string Temporary { get; }

    public static DevProcess Start(params string[] arguments) => Start(Processes.FreePort(), Processes.FreePort(), arguments);

    public static DevProcess Start(int port, int adminPort, params string[] arguments)
    {
        var mark = Guid.NewGuid().ToString("N");
        var temporary = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in (string[])[
            Path.Combine(Processes.ToolDirectory, "holdfast.dll"), "dev", "--port", Text(port), "--admin-port", Text(adminPort), .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment[Mark] = mark;
        start.Environment["TMPDIR"] = temporary;
        return new DevProcess(Process.Start(start)!, mark, temporary, port, adminPort);
    }

    /// <summary>Waits until every replica and the gateway are ready.</summary>
    public async Task UntilReadyAsync(int replicas)
    {
        for (var i = 1; i <= replicas; i++)
            await Lines.FirstAsync(l => l.StartsWith($"replica-{i}: ready", StringComparison.Ordinal));
        await Lines.FirstAsync(l => l.StartsWith("gateway: ready", StringComparison.Ordinal));
    }

    /// <summary>Presses keys; line ends in between are none.</summary>
    public void Press(string keys) => _process.StandardInput.WriteLine(keys);

    /// <summary>From here on nobody can press any.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Waits until the gateway's admin API says so.</summary>
    public async Task<JsonNode> AdminUntilAsync(string path, Func<JsonNode, bool> holds)
    {
        using var http = new HttpClient();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                var json = JsonNode.Parse(await http.GetStringAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{AdminPort}/{path}")), limit.Token))!;
                if (holds(json))
                    return json;
                Assert.False(limit.IsCancellationRequested, $"{path} stayed {json}");
            }
            catch (HttpRequestException)
            {
                // A gateway that a test has killed.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None);
        }
    }

    /// <summary>The endpoints of the replicas' backend.</summary>
    public static IEnumerable<JsonNode> Endpoints(JsonNode backends) =>
        backends["backends"]!.AsArray().Single(b => (string?)b!["name"] == "app")!["endpoints"]!.AsArray().Select(e => e!);

    /// <summary>Waits until the gateway has just so many endpoints, all ready.</summary>
    public Task<JsonNode> UntilEndpointsAsync(int count) =>
        AdminUntilAsync("v1/backends", b => Endpoints(b).Count() == count && Endpoints(b).All(e => (string?)e["phase"] == "ready"));

    /// <summary>The id of the replica's or the gateway's last process.</summary>
    public int ProcessOf(string name)
    {
        var started = Lines.All.Last(l => l.StartsWith(name + ": starting, process ", StringComparison.Ordinal));
        return int.Parse(started.Split(' ')[^1], CultureInfo.InvariantCulture);
    }

    public int CountOf(string beginning) => Lines.All.Count(l => l.StartsWith(beginning, StringComparison.Ordinal));

    public void Kill() => _process.Kill();

    public void Terminate()
    {
        using var kill = Process.Start("kill", ["-TERM", Text(_process.Id)]);
        kill.WaitForExit();
    }

    public async Task<int> ExitAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(limit.Token);
        await _output.WaitAsync(limit.Token);
        return _process.ExitCode;
    }

    /// <summary>Every living process that descends from this one, however detached: each has inherited the mark.</summary>
    public IReadOnlyList<int> Descendants()
    {
        var wanted = $"{Mark}={_mark}";
        return [.. Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id > 0 && Environment(id).Split('\0').Contains(wanted, StringComparer.Ordinal) && Processes.IsAlive(id))];
    }

    /// <summary>All but the tool's own diagnostic sockets, which the runtime leaves when it is killed.</summary>
    public IReadOnlyList<string> TemporaryFiles()
    {
        string[] own = [$"dotnet-diagnostic-{Text(_process.Id)}-", $"clr-debug-pipe-{Text(_process.Id)}-"];
        return [.. Directory.EnumerateFileSystemEntries(Temporary, "*", SearchOption.AllDirectories)
            .Where(f => !own.Any(o => Path.GetFileName(f).StartsWith(o, StringComparison.Ordinal)))];
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            Kill();
        await Processes.UntilAsync(() => Descendants().Count == 0, "everything had ended");
        _process.Dispose();
        Directory.Delete(Temporary, recursive: true);
    }

    private static string Environment(int process)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/environ"), Encoding.Latin1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
