using System.Globalization;
using System.Net;
using System.Text.Json;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>What a test's gateway is configured with. Texts are YAML flow maps' insides, for example <c>keepAlive: {pingInterval: 1s}</c>.</summary>
internal sealed record GatewaySetup
{
    /// <summary>Loopback ports of the backend <c>test</c>, which `/` is routed to.</summary>
    public IReadOnlyList<int> Endpoints { get; init; } = [1];

    public string Backend { get; init; } = "slowStart: 0s";

    public string Route { get; init; } = "";

    public string Listener { get; init; } = "";

    public string Address { get; init; } = "127.0.0.1:0";

    public string Admin { get; init; } = "127.0.0.1:0";

    /// <summary>More of the admin API: <c>token: …</c>.</summary>
    public string AdminMore { get; init; } = "";

    public string Shutdown { get; init; } = "delay: 0s, duration: 0s";

    /// <summary>Where names are looked up. Unless a test has a name server: nowhere, so that no test depends on the machine's.</summary>
    public ResolverSources Names { get; init; } = new() { ResolvConf = "/dev/null", Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, 1)] };

    /// <summary>How long a client of plain HTTP may take over one piece of an answer.</summary>
    public TimeSpan LongestPiece { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>More listeners, routes and backends, one flow map a line.</summary>
    public IReadOnlyList<string> Listeners { get; init; } = [];

    public IReadOnlyList<string> Routes { get; init; } = [];

    public IReadOnlyList<string> Backends { get; init; } = [];

    public string ToYaml(int neighbourPort) => string.Join('\n',
    [
        "listeners:",
        $"  - {{name: web, address: \"{Address}\"{Then(Listener)}}}",
        .. Listeners.Select(l => "  - {" + l + "}"),
        $"admin: {{address: \"{Admin}\"{Then(AdminMore)}}}",
        "routes:",
        "  - {path: {prefix: /neighbour}, backend: neighbour}",
        .. Routes.Select(r => "  - {" + r + "}"),
        $"  - {{path: {{prefix: /}}, backend: test{Then(Route)}}}",
        "backends:",
        $"  neighbour: {{endpoints: [\"127.0.0.1:{neighbourPort}\"], keepAlive: {{pingInterval: 0s}}}}",
        .. Backends.Select(b => "  " + b),
        $"  test: {{endpoints: [{string.Join(", ", Endpoints.Select(p => $"\"127.0.0.1:{p}\""))}]{Then(Backend)}}}",
        $"shutdown: {{{Shutdown}}}",
        "",
    ]);

    private static string Then(string more) => more.Length == 0 ? "" : ", " + more;
}

/// <summary>A gateway in this process on free ports, its access log, and a neighbour: a connection that must never notice what a test does to others.</summary>
internal sealed class GatewayFixture : IAsyncDisposable
{
    private readonly EchoEndpoint _echo = new();
    private readonly HttpClient _http = new();
    private RawPeer? _neighbour;
    private int _checks;

    private GatewayFixture()
    {
    }

    public AccessLines Log { get; } = new();

    public GatewayHost Host { get; private set; } = null!;

    /// <summary>Of the loops, when the test asked for one of its own.</summary>
    public ManualTime? Time { get; private init; }

    public IPEndPoint Address => Host.Addresses[0];

    public static async Task<GatewayFixture> StartAsync(GatewaySetup setup, bool manualTime = false, int loops = 2)
    {
        var fixture = new GatewayFixture { Time = manualTime ? new ManualTime() : null };
        try
        {
            var read = ConfigurationReader.Read(setup.ToYaml(fixture._echo.Port), "test.yaml");
            Assert.True(read.Configuration is not null, string.Join('\n', read.Faults));
            fixture.Host = await GatewayHost.StartAsync(read.Configuration!, new GatewayHostOptions
            {
                Loops = manualTime ? 1 : loops,
                AccessLog = fixture.Log,
                LoopTime = fixture.Time,
                Names = setup.Names,
                LongestPiece = setup.LongestPiece,
                LogLevel = LogLevel.Error,
            });
            fixture._neighbour = fixture.Connect();
            Assert.Equal(101, Upgrades.Status(fixture._neighbour.Upgrade("/neighbour")));
            return fixture;
        }
        catch
        {
            await fixture.DisposeAsync();
            throw;
        }
    }

    public RawPeer Connect(int receiveBuffer = 0) => RawPeer.Connect(Address, receiveBuffer);

    /// <summary>An established pair with a raw endpoint.</summary>
    public (RawPeer Client, RawPeer Endpoint) Open(System.Net.Sockets.Socket endpoints, int clientBuffer = 0)
    {
        var client = Connect(clientBuffer);
        client.Send(Upgrades.Request());
        var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        return (client, endpoint);
    }

    /// <summary>An echo on the neighbour's connection, compared.</summary>
    public void CheckNeighbour()
    {
        var payload = System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"neighbour {_checks++}"));
        _neighbour!.Send(Frames.FromClient(Frames.Text, payload));
        var frame = _neighbour.ReceiveFrame();
        Assert.Equal(Frames.Text, frame.Opcode);
        Assert.Equal(payload, frame.Payload);
    }

    /// <summary>The neighbour is well, and nothing of anyone else is left: no connection, no handshake, no place taken.</summary>
    public async Task SettledAsync()
    {
        CheckNeighbour();
        await Processes.UntilAsync(() => Host.Runtime.Loops.Sum(l => l.Load) == 1, "only the neighbour was left on the loops");
        Assert.Equal(1, Host.Runtime.Established);
        foreach (var endpoint in Host.Runtime.Backends.Where(b => b.Name != "neighbour").SelectMany(b => b.Endpoints.ToArray()))
        {
            await Processes.UntilAsync(() => endpoint.InUse == 0, "no connection or request was reserved on an endpoint");
            Assert.Equal(0, endpoint.Handshakes);
        }

        await Processes.UntilAsync(() => Host.Runtime.Backends.All(b => b.RequestsInFlight == 0), "no request was in flight");
        Assert.Equal(1, await MetricAsync("holdfast_connections"));
    }

    /// <summary>The sum of a metric's samples that have all these labels, written <c>name="value"</c>.</summary>
    public async Task<double> MetricAsync(string name, params string[] labels) =>
        Sum(await _http.GetStringAsync(new Uri($"http://{Host.AdminAddress}/metrics")), name, labels);

    /// <summary>Waits until the sum is this.</summary>
    public async Task UntilMetricAsync(double value, string name, params string[] labels)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (await MetricAsync(name, labels) is var sum && sum != value)
        {
            Assert.False(limit.IsCancellationRequested, $"{name} was {sum} in the end, not {value}");
            await Task.Delay(TimeSpan.FromMilliseconds(5), CancellationToken.None);
        }
    }

    public static double Sum(string metrics, string name, params string[] labels) => metrics.Split('\n')
        .Where(l => l.StartsWith(name + "{", StringComparison.Ordinal) || l.StartsWith(name + " ", StringComparison.Ordinal))
        .Where(l => labels.All(label => l.Contains(label, StringComparison.Ordinal)))
        .Sum(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    /// <summary>A request to the admin API; its status.</summary>
    public async Task<HttpStatusCode> SendAsync(HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, new Uri($"http://{Host.AdminAddress}{path}"));
        using var answer = await _http.SendAsync(request);
        return answer.StatusCode;
    }

    /// <summary>What the admin API tells of the backend <c>test</c>'s endpoint with this port.</summary>
    public async Task<JsonElement> EndpointAsync(int port)
    {
        using var answer = JsonDocument.Parse(await _http.GetStringAsync(new Uri($"http://{Host.AdminAddress}/v1/backends")));
        return answer.RootElement.GetProperty("backends").EnumerateArray().Single(b => b.GetProperty("name").GetString() == "test")
            .GetProperty("endpoints").EnumerateArray().Single(e => e.GetProperty("address").GetString() == string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"))
            .Clone();
    }

    /// <summary>Another configuration, for the same listeners.</summary>
    public Task ApplyAsync(GatewaySetup setup)
    {
        var read = ConfigurationReader.Read(setup.ToYaml(_echo.Port), "test.yaml");
        Assert.True(read.Configuration is not null, string.Join('\n', read.Faults));
        return Host.ApplyAsync(read.Configuration!);
    }

    public async Task<int> ReadyAsync()
    {
        using var answer = await _http.GetAsync(new Uri($"http://{Host.AdminAddress}/health/ready"));
        return (int)answer.StatusCode;
    }

    /// <summary>Lets the loops take every event that has come, and what those lead to.</summary>
    public async Task TurnAsync()
    {
        for (var i = 0; i < 4; i++)
        {
            foreach (var loop in Host.Runtime.Loops)
            {
                var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                loop.Post(_ => done.SetResult());
                await done.Task.WaitAsync(RawPeer.Patience);
            }
        }
    }

    /// <summary>Lets the loops' time pass, every timer due by then included.</summary>
    public async Task AdvanceAsync(TimeSpan time)
    {
        await TurnAsync();
        Time!.Advance(time);
        await TurnAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _neighbour?.Dispose();
        if (Host is not null)
            await Host.DisposeAsync();
        _echo.Dispose();
        _http.Dispose();
        await Log.DisposeAsync();
    }
}

/// <summary>An access log's lines as they are written. Any thread.</summary>
internal sealed class AccessLines : Stream
{
    private readonly Lock _lock = new();
    private readonly MemoryStream _rest = new();
    private readonly List<JsonElement> _lines = [];

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public IReadOnlyList<JsonElement> All
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    /// <summary>The line of this client's connection.</summary>
    public Task<JsonElement> OfAsync(RawPeer client) => OfAsync(((IPEndPoint)client.Socket.LocalEndPoint!).Port);

    public async Task<JsonElement> OfAsync(int clientPort)
    {
        var suffix = string.Create(CultureInfo.InvariantCulture, $":{clientPort}");
        JsonElement? found = null;
        await Processes.UntilAsync(
            () => (found = All.Cast<JsonElement?>().FirstOrDefault(l => l!.Value.GetProperty("client").GetString()!.EndsWith(suffix, StringComparison.Ordinal))) is not null,
            "the access log had the client's line");
        return found!.Value;
    }

    /// <summary>The lines of the connections that ended for this reason, once there are so many.</summary>
    public async Task<IReadOnlyList<JsonElement>> EndsAsync(string reason, int count)
    {
        List<JsonElement> Found() => [.. All.Where(l => l.TryGetProperty("reason", out var r) && r.GetString() == reason)];
        await Processes.UntilAsync(() => Found().Count >= count, $"{count} connections ended as {reason}");
        return Found();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        lock (_lock)
        {
            foreach (var b in buffer)
            {
                if (b != '\n')
                {
                    _rest.WriteByte(b);
                    continue;
                }

                using var line = JsonDocument.Parse(_rest.ToArray());
                _lines.Add(line.RootElement.Clone());
                _rest.SetLength(0);
            }
        }
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
