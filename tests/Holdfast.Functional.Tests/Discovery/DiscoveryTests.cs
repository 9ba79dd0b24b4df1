using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Discovery;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Discovery;

/// <summary>A gateway whose endpoints a name server names: what its answers do to open and to new connections.</summary>
public sealed class DiscoveryTests : IAsyncLifetime
{
    private const string Name = "chat.default.svc.cluster.local";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("holdfast-test-");
    private readonly NameServer _server = new();
    private readonly EchoEndpoint[] _pods = EchoEndpoint.OnOnePort("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1");
    private readonly List<RawPeer> _clients = [];
    private GatewayFixture _gateway = null!;

    public static TheoryData<string> Failures => ["servfail", "nxdomain", "empty", "refused", "malformed", "broken", "cut", "unusable", "timeout"];

    [Fact]
    public async Task Addresses_that_appear_take_connections_and_those_that_go_missing_take_none()
    {
        _server.Serve(Name, "127.0.0.1");
        await StartAsync();
        Open(3);
        Assert.Equal([3, 0, 0, 0], Opened);

        _server.Serve(Name, "127.0.0.1", "127.0.0.2");
        await EndpointsAsync(0, 1);
        Open(3);
        Assert.Equal([3, 3, 0, 0], Opened);

        _server.Serve(Name, "127.0.0.2", "127.0.0.3");
        await EndpointsAsync(1, 2);
        Open(7);
        Assert.Equal([3, 5, 5, 0], Opened);

        // It returns within its grace: its three connections count from the start.
        _server.Serve(Name, "127.0.0.1", "127.0.0.2", "127.0.0.3");
        await EndpointsAsync(0, 1, 2);
        Open(2);
        Assert.Equal([5, 5, 5, 0], Opened);
        CheckAll();
    }

    [Fact]
    public async Task Addresses_of_both_families_are_endpoints()
    {
        _server.Serve(Name, "127.0.0.1", "::1");
        await StartAsync();
        Open(4);
        Assert.Equal([2, 0, 0, 2], Opened);
        Assert.Equal(2, await _gateway.MetricAsync("holdfast_connections", $"endpoint=\"[::1]:{Port}\""));
        _server.Serve(Name, "::1");
        await EndpointsAsync(3);
        CheckAll();
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task An_answer_that_says_nothing_changes_nothing(string failure)
    {
        _server.Serve(Name, "127.0.0.1", "127.0.0.2", "::1");
        await StartAsync();
        Open(3);
        _server.Serve(Name, failure switch
        {
            "servfail" => NameServer.Code(DnsMessages.ServerFailure),
            "nxdomain" => NameServer.Code(DnsMessages.NameError),
            "refused" => NameServer.Code(DnsMessages.Refused),
            "empty" => NameServer.Addresses(),
            "unusable" => NameServer.Addresses("0.0.0.0", "::", "fe80::1"),
            "malformed" => NameServer.Garbage,
            "broken" => NameServer.Broken,
            "cut" => NameServer.Truncated(NameServer.Cut(NameServer.Addresses("127.0.0.3"))),
            _ => NameServer.Silence,
        });
        var outcome = failure switch { "unusable" => "empty", "broken" or "cut" => "malformed", _ => failure };
        await LookedUpAsync(outcome, 2);

        Assert.Equal(Addresses(0, 1, 3), Endpoints());
        Open(3);
        Assert.Equal([2, 2, 0, 2], Opened);
        CheckAll();
        var health = await DiscoveryHealthAsync();
        Assert.Equal((outcome, 3), (health.GetProperty("lastOutcome").GetString(), health.GetProperty("addresses").GetInt32()));

        _server.Serve(Name, "127.0.0.3");
        await EndpointsAsync(2);
        CheckAll();
    }

    [Fact]
    public async Task Half_an_answer_counts_for_its_family_only()
    {
        _server.Serve(Name, "127.0.0.1", "::1");
        await StartAsync();
        _server.Serve(Name, DnsMessages.Aaaa, NameServer.Code(DnsMessages.ServerFailure));
        _server.Serve(Name, DnsMessages.A, NameServer.Addresses("127.0.0.2"));
        await EndpointsAsync(1, 3);
        await LookedUpAsync("partial", 1);
        Open(2);
        Assert.Equal([0, 1, 0, 1], Opened);

        _server.Serve(Name, "127.0.0.2");
        await EndpointsAsync(1);
        CheckAll();
    }

    [Fact]
    public async Task Until_a_first_answer_there_is_no_endpoint_and_then_there_is()
    {
        var gate = new TaskCompletionSource();
        _server.Serve(Name, NameServer.After(gate.Task, NameServer.Addresses("127.0.0.1")));
        // The start ends though no answer has come.
        await StartAsync();
        using (var early = _gateway.Connect())
            Assert.Equal(503, Upgrades.Status(early.Upgrade("/chat")));
        var health = await DiscoveryHealthAsync();
        Assert.Equal((JsonValueKind.Null, 0), (health.GetProperty("lastGoodAt").ValueKind, health.GetProperty("addresses").GetInt32()));
        Assert.Equal(200, await _gateway.ReadyAsync());
        await Processes.UntilAsync(() => _server.Asked(Name) > 2, "a look-up failed and the next one asked");

        gate.SetResult();
        await EndpointsAsync(0);
        Open(1);
        health = await DiscoveryHealthAsync();
        Assert.Equal(
            ("chat.default.svc", Name, "good", 1, 5),
            (health.GetProperty("name").GetString(), health.GetProperty("fullName").GetString(), health.GetProperty("lastOutcome").GetString(),
                health.GetProperty("addresses").GetInt32(), health.GetProperty("timeToLive").GetInt32()));
        Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z$", health.GetProperty("lastGoodAt").GetString());
        Assert.Equal(1, await _gateway.MetricAsync("holdfast_discovery_addresses", "backend=\"chat\""));
        Assert.InRange(await _gateway.MetricAsync("holdfast_discovery_age_seconds", "backend=\"chat\""), 0, 60);
    }

    [Fact]
    public async Task Hundreds_of_addresses_come_over_TCP()
    {
        string[] many = [.. Enumerable.Range(0, 300).Select(i => $"127.1.{i / 100}.{(i % 100) + 1}"), "127.0.0.2"];
        _server.Serve(Name, NameServer.Truncated(NameServer.Addresses(many)));
        await StartAsync();
        await Processes.UntilAsync(() => Endpoints().Length == 301, "all addresses were endpoints");
        Assert.Equal(many.Select(a => $"{a}:{Port}").Order(), Endpoints());
    }

    [Fact]
    public async Task Connections_of_a_missing_address_are_drained_after_the_grace_and_no_others()
    {
        _server.Serve(Name, "127.0.0.1", "127.0.0.2");
        await StartAsync("grace: 200ms", "drain: {duration: 100ms}");
        Open(2);
        Assert.Equal([1, 1, 0, 0], Opened);
        _server.Serve(Name, "127.0.0.2");
        await Processes.UntilAsync(() => _clients.Exists(c => c.Socket.Available > 0), "a client was told");
        var told = _clients.Single(c => c.Socket.Available > 0);
        Assert.Equal(1012, told.ReceiveFrame().CloseCode);
        told.Send(Frames.CloseFrame(client: true, 1012));
        _ = told.ReceiveToEnd();
        var line = await _gateway.Log.OfAsync(told);
        Assert.Equal(("drained", $"127.0.0.1:{Port}"), (line.GetProperty("reason").GetString(), line.GetProperty("endpoint").GetString()));
        _clients.Remove(told);
        CheckAll();
    }

    [Fact]
    public async Task Another_name_in_the_configuration_takes_over_when_it_has_answered()
    {
        var gate = new TaskCompletionSource();
        _server.Serve(Name, "127.0.0.1");
        _server.Serve("next.default.svc.cluster.local", NameServer.After(gate.Task, NameServer.Addresses("127.0.0.2")));
        var setup = await StartAsync();
        Open(1);
        var apply = _gateway.ApplyAsync(setup with { Backends = [Backend("next.default.svc")] });
        await Processes.UntilAsync(() => _server.Asked("next.default.svc.cluster.local") == 2, "the new name was asked for");
        Assert.Equal(Addresses(0), Endpoints());
        gate.SetResult();
        await apply;
        Assert.Equal(Addresses(1), Endpoints());
        Open(1);
        Assert.Equal([1, 1, 0, 0], Opened);

        // The old name is asked for no more, while the new one is.
        var (before, asked) = (_server.Asked(Name), _server.Asked("next.default.svc.cluster.local"));
        await Processes.UntilAsync(() => _server.Asked("next.default.svc.cluster.local") > asked + 6, "the new name was asked for again");
        Assert.Equal(before, _server.Asked(Name));

        await _gateway.ApplyAsync(setup with { Backends = [Backend("next.default.svc")] });
        Assert.Equal(Addresses(1), Endpoints());
        await _gateway.ApplyAsync(setup with { Backends = [$"chat: {{endpoints: [\"127.0.0.3:{Port}\"], slowStart: 0s}}"] });
        Open(1);
        Assert.Equal([1, 1, 1, 0], Opened);
        Assert.Equal(JsonValueKind.Null, (await HealthAsync()).GetProperty("discovery").ValueKind);
    }

    [Fact]
    public async Task A_new_configuration_does_not_wait_for_a_name_that_never_answers()
    {
        _server.Serve(Name, "127.0.0.1");
        _server.Serve("never.default.svc.cluster.local", NameServer.Silence);
        var setup = await StartAsync();
        await _gateway.ApplyAsync(setup with { Backends = [Backend(), Backend("never.default.svc").Replace("chat:", "never:", StringComparison.Ordinal)] });
        Assert.Equal(["chat", "neighbour", "never", "test"], _gateway.Host.Runtime.Backends.Select(b => b.Name).Order());
        Open(1);
    }

    [Fact]
    public async Task A_listed_host_name_is_followed_to_its_new_address()
    {
        _server.Serve("chat-0.chat.test", "127.0.0.1");
        await StartAsync(backend: $"chat: {{endpoints: [\"chat-0.chat.test.:{Port}\"], slowStart: 0s}}");
        Open(2);
        Assert.Equal([2, 0, 0, 0], Opened);
        Assert.Equal(2, await _gateway.MetricAsync("holdfast_connections", $"endpoint=\"chat-0.chat.test.:{Port}\""));

        // The pod restarts: for a while its name is gone, then it has another address.
        _server.Serve("chat-0.chat.test", NameServer.Code(DnsMessages.NameError));
        await LookedUpAsync("nxdomain", 1);
        Open(1);
        Assert.Equal([3, 0, 0, 0], Opened);
        _server.Serve("chat-0.chat.test", "127.0.0.2");
        var endpoint = Assert.Single(_gateway.Host.Runtime.Backends.Single(b => b.Name == "chat").Endpoints.ToArray());
        await Processes.UntilAsync(() => endpoint.Resolved!.Address.ToEndPoint().Address.ToString() == "127.0.0.2", "the endpoint had its new address");
        Open(2);
        Assert.Equal([3, 2, 0, 0], Opened);
        CheckAll();
    }

    [Fact]
    public async Task A_listed_host_whose_address_fails_is_tried_at_its_next_one()
    {
        _server.Serve("both.test", "127.0.0.9", "::1");
        var setup = await StartAsync(backend: $"chat: {{endpoints: [\"both.test.:{Port}\"], slowStart: 0s}}");
        using (var refused = _gateway.Connect())
            Assert.Equal(502, Upgrades.Status(refused.Upgrade("/chat")));
        var endpoint = Assert.Single(_gateway.Host.Runtime.Backends.Single(b => b.Name == "chat").Endpoints.ToArray());
        await _gateway.ApplyAsync(setup);
        await Processes.UntilAsync(() => endpoint.Resolved!.Address.ToEndPoint().Address.ToString() == "::1", "the endpoint had its other address");
        Open(1);
        Assert.Equal([0, 0, 0, 1], Opened);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(c => c.Dispose());
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _server.Dispose();
        Array.ForEach(_pods, p => p.Dispose());
        _folder.Delete(recursive: true);
    }

    private int Port => _pods[0].Port;

    /// <summary>Connections that each pod has got so far.</summary>
    private IEnumerable<int> Opened => _pods.Select(p => p.Connections);

    private string Backend(string name = "chat.default.svc", string dns = "grace: 300s", string more = "drain: {duration: 1s}") =>
        $"chat: {{dns: {{name: {name}, port: {Port}, interval: 100ms, {dns}}}, slowStart: 0s, {more}}}";

    private async Task<GatewaySetup> StartAsync(string dns = "grace: 300s", string more = "drain: {duration: 1s}", string? backend = null)
    {
        var conf = Path.Combine(_folder.FullName, "resolv.conf");
        await File.WriteAllTextAsync(conf, "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:1 attempts:1\n");
        var setup = new GatewaySetup
        {
            Backends = [backend ?? Backend(dns: dns, more: more)],
            Routes = ["path: {prefix: /chat}, backend: chat"],
            Names = new ResolverSources { ResolvConf = conf, Hosts = "/dev/null", Servers = [_server.Address] },
        };
        _gateway = await GatewayFixture.StartAsync(setup);
        return setup;
    }

    private void Open(int connections)
    {
        for (var i = 0; i < connections; i++)
        {
            _clients.Add(_gateway.Connect());
            Assert.Equal(101, Upgrades.Status(_clients[^1].Upgrade("/chat")));
        }
    }

    /// <summary>Every connection is open and echoes.</summary>
    private void CheckAll()
    {
        foreach (var client in _clients)
        {
            client.Send(Frames.FromClient(Frames.Text, "still there"u8));
            var frame = client.ReceiveFrame();
            Assert.Equal((Frames.Text, "still there"), (frame.Opcode, System.Text.Encoding.ASCII.GetString(frame.Payload)));
        }

        _gateway.CheckNeighbour();
    }

    private string[] Addresses(params int[] pods) => [.. pods.Select(p => (p == 3 ? "[::1]:" : $"127.0.0.{p + 1}:") + Port).Order()];

    private string[] Endpoints() => [.. _gateway.Host.Runtime.Backends.Single(b => b.Name == "chat").Endpoints.ToArray().Select(e => e.ToString()).Order()];

    private Task EndpointsAsync(params int[] pods) => Processes.UntilAsync(() => Endpoints().SequenceEqual(Addresses(pods)), $"the endpoints were {string.Join(' ', Addresses(pods))}");

    /// <summary>So many more look-ups had this outcome.</summary>
    private async Task LookedUpAsync(string outcome, int more)
    {
        var metric = ("holdfast_discovery_lookups_total", "backend=\"chat\"", $"outcome=\"{outcome}\"");
        var before = await _gateway.MetricAsync(metric.Item1, metric.Item2, metric.Item3);
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (await _gateway.MetricAsync(metric.Item1, metric.Item2, metric.Item3) < before + more)
            await Task.Delay(TimeSpan.FromMilliseconds(10), limit.Token);
    }

    private async Task<JsonElement> DiscoveryHealthAsync() => (await HealthAsync()).GetProperty("discovery");

    private async Task<JsonElement> HealthAsync()
    {
        using var http = new HttpClient();
        using var json = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://{_gateway.Host.AdminAddress}/health")));
        return json.RootElement.GetProperty("backends").EnumerateArray().Single(b => b.GetProperty("name").GetString() == "chat").Clone();
    }
}
