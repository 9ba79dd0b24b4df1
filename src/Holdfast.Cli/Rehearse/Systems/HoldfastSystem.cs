using System.Globalization;
using System.Net;
using Holdfast.Cli.Admin;
using Holdfast.Cli.Dev;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>The gateway, a process of its own, told of the replicas as <c>holdfast dev</c> does.</summary>
internal sealed class HoldfastSystem : IFrontSystem
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LogLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly SystemSetting _setting;
    private readonly HttpClient _http = AdminClient.NewHttp(TimeSpan.FromSeconds(2));
    private readonly EndpointNews _news;
    private readonly SupervisedProcess _gateway;
    private readonly UnknownLog _log = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly StreamWriter _output;
    private Task _running = Task.CompletedTask;
    private volatile string? _failure;

    /// <param name="setting">What it is started with.</param>
    /// <param name="tool">This tool's own command.</param>
    public HoldfastSystem(SystemSetting setting, IReadOnlyList<string> tool)
    {
        _setting = setting;
        var ports = FreePorts.Pick(2, setting.Random);
        Address = new IPEndPoint(IPAddress.Loopback, ports[0]);
        var adminAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ports[1]}/"));
        var file = Path.Combine(setting.Folder, "gateway.yaml");
        _output = new StreamWriter(Path.Combine(setting.Folder, "gateway.log"));
        _news = new EndpointNews(
            new AdminClient(_http, adminAddress), SystemSetting.Backend, file,
            endpoints => HoldfastConfiguration.Text(setting, ports[0], ports[1], endpoints), setting.Time);

        // As users run it, with its access log.
        var spec = new ChildSpec(
            tool[0], [.. tool.Skip(1), "gateway", "--config", file], new Dictionary<string, string>(StringComparer.Ordinal) { ["TMPDIR"] = setting.Folder });
        _gateway = new SupervisedProcess(
            "gateway", tail => ChildProcess.Start(spec, line => Take(line, tail), setting.Time),
            new HttpReadiness(_http, new Uri(adminAddress, "health/ready"), isAskedAgain: false), EndTimes.Quick,
            new RestartBackOff(new Random(setting.Random.Next())), setting.Time, OnGateway);
    }

    public string Name => "holdfast";

    public IPEndPoint Address { get; }

    public IEndpointNews News => _news;

    public string? Failure => _failure;

    public async Task StartAsync(CancellationToken cancel)
    {
        _running = Task.WhenAll(_gateway.RunAsync(CancellationToken.None, _stop.Token, CancellationToken.None), _news.RunAsync(_stop.Token));
        var began = _setting.Time.GetTimestamp();
        while (_gateway.Snapshot.State != ProcessState.Ready)
        {
            if (_failure is { } failure)
                throw new RehearseException(failure);
            if (_setting.Time.GetElapsedTime(began) > StartLimit)
                throw new RehearseException("the gateway is not ready in 30 s");
            await Task.Delay(Poll, _setting.Time, cancel);
        }
    }

    public async Task<IReadOnlyDictionary<int, long>?> UnknownAsync(IReadOnlyDictionary<int, int> ends, CancellationToken cancel)
    {
        var began = _setting.Time.GetTimestamp();
        while (!_log.Has(ends) && _setting.Time.GetElapsedTime(began) < LogLimit)
            await Task.Delay(Poll, _setting.Time, cancel);
        return _log.Unknown;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _output.DisposeAsync();
        _http.Dispose();
        _stop.Dispose();
    }

    private void Take(string line, Action<string> tail)
    {
        _log.Take(line);
        lock (_output)
            _output.WriteLine(line);

        // The access log would push the words that matter out of the last lines.
        if (!line.StartsWith('{'))
            tail(line);
    }

    private void OnGateway(ProcessEvent happened)
    {
        if (happened.Kind == ProcessEventKind.Exited)
            _failure ??= string.Join('\n', (string[])["the gateway " + happened.Text, .. happened.LastOutput]);
    }
}
