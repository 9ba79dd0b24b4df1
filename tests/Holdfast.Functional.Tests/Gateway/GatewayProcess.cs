using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary><c>holdfast gateway</c> as a process of its own, where a process is what matters: signals, descriptors, memory, exit codes.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };
    private readonly EchoEndpoint _echo = new();
    private ConfigMapVolume? _volume;
    private RawPeer? _neighbour;
    private ChildProcess _process = null!;

    private GatewayProcess()
    {
    }

    public Lines Output { get; } = new();

    public IPEndPoint Address { get; private set; } = new(IPAddress.None, 0);

    public IPEndPoint Admin { get; private set; } = new(IPAddress.None, 0);

    public int Id { get; private set; }

    /// <summary>What it was started with, and watches; in a directory of its own.</summary>
    public string ConfigurationFile => Path.Combine(_directory, "gateway.yaml");

    public Task<int> Exited => _process.Exited;

    public static async Task<GatewayProcess> StartAsync(
        GatewaySetup setup, int descriptors = 0, bool neighbour = true, bool configMap = false, bool pipe = false, int processors = 0, string? authorities = null)
    {
        var gateway = await LaunchAsync(setup, descriptors, configMap, pipe, processors, authorities);
        try
        {
            await Processes.UntilAsync(
                () => gateway.Exited.IsCompleted || gateway.Output.All.Any(l => l.Contains("connections fit", StringComparison.Ordinal)), "the gateway listened");
            Assert.False(gateway.Exited.IsCompleted, "the gateway ended: " + string.Join('\n', gateway.Output.All));
            gateway.Address = EndPointOf(await gateway.Output.FirstAsync(l => l.Contains("Listening on web", StringComparison.Ordinal)));
            gateway.Admin = EndPointOf(await gateway.Output.FirstAsync(l => l.Contains("Admin API on", StringComparison.Ordinal)));
            if (neighbour)
            {
                gateway._neighbour = gateway.Connect();
                Assert.Equal(101, Upgrades.Status(gateway._neighbour.Upgrade("/neighbour")));
            }

            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Does not wait for it to listen.</summary>
    /// <param name="configMap">The file is mounted as Kubernetes mounts it.</param>
    /// <param name="pipe">The file reaches the gateway through a pipe.</param>
    /// <param name="processors">As many as .NET sees; 0: those of the machine.</param>
    /// <param name="authorities">The file of the system's certificate authorities; null: the machine's.</param>
    public static Task<GatewayProcess> LaunchAsync(GatewaySetup setup, int descriptors = 0, bool configMap = false, bool pipe = false, int processors = 0, string? authorities = null)
    {
        var gateway = new GatewayProcess();
        if (configMap)
            gateway._volume = new ConfigMapVolume(gateway._directory);
        gateway.Write(setup);
        var limit = descriptors > 0 ? string.Create(CultureInfo.InvariantCulture, $"ulimit -n {descriptors}; ") : "";
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        if (processors > 0)
            environment["DOTNET_PROCESSOR_COUNT"] = processors.ToString(CultureInfo.InvariantCulture);
        if (authorities is not null)
            environment["SSL_CERT_FILE"] = authorities;
        // A runner in the background, or under nohup, hands down signals that are ignored.
        gateway._process = ChildProcess.Start(
            new ChildSpec("/bin/sh", ["-c", limit + (pipe ? "mkfifo \"$1.pipe\"; cat \"$1\" > \"$1.pipe\" & exec env --default-signal=INT,HUP dotnet \"$0\" gateway --config \"$1.pipe\"" : "exec env --default-signal=INT,HUP nice -n 19 dotnet \"$0\" gateway --config \"$1\""), Path.Combine(Processes.ToolDirectory, "holdfast.dll"), gateway.ConfigurationFile], environment),
            gateway.Output.Add,
            TimeProvider.System);
        gateway.Id = gateway._process.Id;
        return Task.FromResult(gateway);
    }

    /// <summary>Changes the configuration file: in one piece, or as kubelet does.</summary>
    public void Write(GatewaySetup setup)
    {
        var yaml = setup.ToYaml(_echo.Port);
        if (_volume is not null)
        {
            _volume.Write("gateway.yaml", yaml);
            return;
        }

        File.WriteAllText(ConfigurationFile + "~", yaml);
        File.Move(ConfigurationFile + "~", ConfigurationFile, overwrite: true);
    }

    public RawPeer Connect() => RawPeer.Connect(Address);

    public void CheckNeighbour()
    {
        _neighbour!.Send(Frames.FromClient(Frames.Text, "neighbour"u8));
        Assert.Equal("neighbour"u8.ToArray(), _neighbour.ReceiveFrame().Payload);
    }

    /// <param name="name">Without SIG.</param>
    public void Signal(string name) => Send(Id, name);

    public async Task<int> ReadyAsync()
    {
        using var answer = await _http.GetAsync(new Uri($"http://{Admin}/health/ready"));
        return (int)answer.StatusCode;
    }

    /// <summary>The configuration object of /health.</summary>
    public async Task<JsonElement> ConfigurationAsync()
    {
        using var health = JsonDocument.Parse(await _http.GetStringAsync(new Uri($"http://{Admin}/health")));
        return health.RootElement.GetProperty("configuration").Clone();
    }

    /// <summary>Waits until the content with this hash is in force.</summary>
    public async Task AppliedAsync(string hash)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while ((await ConfigurationAsync()).GetProperty("hash").GetString() != hash)
        {
            Assert.False(limit.IsCancellationRequested, $"waited in vain until {hash} was in force; the log: " + string.Join('\n', Output.All));
            await Task.Delay(TimeSpan.FromMilliseconds(5), CancellationToken.None);
        }
    }

    /// <summary>Waits until so many changes were applied, and as many rejected.</summary>
    public async Task ChangesAsync(int applied, int rejected)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (await MetricAsync("holdfast_config_reloads_total", "outcome=\"applied\"") < applied
            || await MetricAsync("holdfast_config_reloads_total", "outcome=\"rejected\"") < rejected)
        {
            Assert.False(limit.IsCancellationRequested, $"waited in vain for {applied} applied and {rejected} rejected changes; the log: " + string.Join('\n', Output.All));
            await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
        }

        Assert.Equal(applied, await MetricAsync("holdfast_config_reloads_total", "outcome=\"applied\""));
        Assert.Equal(rejected, await MetricAsync("holdfast_config_reloads_total", "outcome=\"rejected\""));
    }

    /// <summary>A request to the admin API.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, new Uri($"http://{Admin}{path}"));
        return await _http.SendAsync(request);
    }

    public async Task<double> MetricAsync(string name, params string[] labels) =>
        GatewayFixture.Sum(await _http.GetStringAsync(new Uri($"http://{Admin}/metrics")), name, labels);

    /// <summary>Open sockets: what a leak would show in. Connections to the admin API come and go and are not told apart.</summary>
    public int Sockets() => Directory.EnumerateFiles($"/proc/{Id}/fd").Count(static f =>
    {
        try
        {
            return new FileInfo(f).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true;
        }
        catch (IOException)
        {
            return false;   // Closed meanwhile.
        }
    });

    /// <summary>Bytes of memory of the process's own.</summary>
    public long PrivateDirty() => File.ReadLines($"/proc/{Id}/smaps_rollup")
        .Where(l => l.StartsWith("Private_Dirty:", StringComparison.Ordinal))
        .Sum(l => long.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024);

    /// <summary>The access log's line of a client.</summary>
    public async Task<JsonElement> LineOfAsync(RawPeer client)
    {
        var suffix = string.Create(CultureInfo.InvariantCulture, $":{((IPEndPoint)client.Socket.LocalEndPoint!).Port}\"");
        using var line = JsonDocument.Parse(await Output.FirstAsync(l => l.StartsWith('{') && l.Contains(suffix, StringComparison.Ordinal)));
        return line.RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        _neighbour?.Dispose();
        await _process.DisposeAsync();
        _echo.Dispose();
        _http.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>By the shell's kill: the runtime has no way to send a signal.</summary>
    internal static void Send(int process, string signal)
    {
        using var kill = Process.Start("/bin/sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -s {signal} {process}")]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    private static IPEndPoint EndPointOf(string line)
    {
        var text = line[(line.LastIndexOf(' ') + 1)..].Trim('(', ')');
        var address = IPEndPoint.Parse(text);
        return address.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, address.Port) : address;
    }
}
