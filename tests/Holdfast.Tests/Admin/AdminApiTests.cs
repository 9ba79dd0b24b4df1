using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admin;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Holdfast.Tests.Telemetry;
using Xunit;

namespace Holdfast.Tests.Admin;

public sealed class AdminApiTests : IAsyncLifetime
{
    private AdminFixture _admin = null!;

    private GatewayRuntime Runtime => _admin.Gateway.Runtime;

    public async ValueTask InitializeAsync() => _admin = await AdminFixture.StartAsync();

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    [Theory]
    [InlineData((int)GatewayPhase.Starting, 503, "starting")]
    [InlineData((int)GatewayPhase.Running, 200, "running")]
    [InlineData((int)GatewayPhase.Draining, 503, "draining")]
    [InlineData((int)GatewayPhase.Closing, 503, "closing")]
    [InlineData((int)GatewayPhase.Stopped, 503, "stopped")]
    public async Task Ready_is_only_a_running_gateway_and_live_is_always(int phase, int status, string name)
    {
        Runtime.Phase = (GatewayPhase)phase;
        var ready = await _admin.GetAsync("/health/ready");
        var live = await _admin.GetAsync("/health/live");

        Assert.Equal(status, (int)ready.Status);
        Assert.Equal(name, ready.Json.GetProperty("phase").GetString());
        Assert.Equal(HttpStatusCode.OK, live.Status);
    }

    [Fact]
    public async Task Ready_does_not_depend_on_the_application()
    {
        foreach (var endpoint in _admin.Gateway.Chat.Endpoints.ToArray())
            endpoint.SetHealth(EndpointHealth.Unhealthy);

        Assert.Equal(HttpStatusCode.OK, (await _admin.GetAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task Health_tells_of_loops_listeners_backends_and_memory()
    {
        Runtime.Listeners = [Runtime.AddListener(new() { Name = "web", Address = new IPEndPoint(IPAddress.Any, 0) }, new IPEndPoint(IPAddress.Any, 8080))];
        _admin.Gateway.Chat.Endpoints[1].Reserve();
        _admin.Gateway.Chat.Endpoints[1].MarkDraining();
        var (status, json) = await _admin.GetAsync("/health");
        Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z$", json.GetProperty("startedAt").GetString());

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(("ok", "running"), (json.GetProperty("status").GetString(), json.GetProperty("phase").GetString()));
        Assert.Equal(9000, json.GetProperty("usableConnections").GetInt32());
        Assert.True(json.GetProperty("memory").GetProperty("workingSet").GetInt64() > 1_000_000);
        Assert.Equal([0, 1], json.GetProperty("loops").EnumerateArray().Select(l => l.GetProperty("number").GetInt32()));
        Assert.Equal("0.0.0.0:8080", json.GetProperty("listeners")[0].GetProperty("address").GetString());
        var backend = json.GetProperty("backends")[0];
        Assert.Equal(1, backend.GetProperty("connections").GetInt32());
        Assert.Equal("""{"address":"127.0.0.1:9002","phase":"draining","health":"healthy","connections":1}""", backend.GetProperty("endpoints")[1].GetRawText());
    }

    [Fact]
    public async Task Health_tells_how_the_file_and_what_is_in_force_relate()
    {
        var at = new DateTimeOffset(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);
        var status = Runtime.Configuration;
        status.Start("/etc/holdfast/gateway.yaml", new ContentIdentity(new string('a', 64), null), at);
        Assert.Equal(
            """{"state":"in_force","file":"/etc/holdfast/gateway.yaml","hash":"aaaaaaaaaaaa","appliedAt":"2026-11-21T01:02:03.000Z","needsRestart":[],"faultCount":0,"faults":[]}""",
            await ConfigurationAsync());

        status.Apply(new ContentIdentity(new string('b', 64), null), ["admin.address"], at.AddSeconds(1));
        Assert.Equal(
            """{"state":"needs_restart","file":"/etc/holdfast/gateway.yaml","hash":"bbbbbbbbbbbb","appliedAt":"2026-11-21T01:02:04.000Z","needsRestart":["admin.address"],"faultCount":0,"faults":[]}""",
            await ConfigurationAsync());

        status.Reject([.. Enumerable.Range(1, 30).Select(line => new ConfigurationFault("gateway.yaml", line, 3, "routes", "is wrong"))]);
        using var rejected = JsonDocument.Parse(await ConfigurationAsync());
        Assert.Equal("rejected", rejected.RootElement.GetProperty("state").GetString());
        Assert.Equal("bbbbbbbbbbbb", rejected.RootElement.GetProperty("hash").GetString());
        Assert.Equal(30, rejected.RootElement.GetProperty("faultCount").GetInt32());
        Assert.Equal(
            Enumerable.Range(1, ConfigurationStatus.MaxFaults).Select(line => $"gateway.yaml:{line}:3: routes: is wrong"),
            rejected.RootElement.GetProperty("faults").EnumerateArray().Select(f => f.GetString()));
        Assert.Equal(HttpStatusCode.OK, (await _admin.GetAsync("/health/ready")).Status);

        async Task<string> ConfigurationAsync() => (await _admin.GetAsync("/health")).Json.GetProperty("configuration").GetRawText();
    }

    [Fact]
    public async Task Faults_which_quote_the_file_are_for_those_with_the_token()
    {
        await using var guarded = await AdminFixture.StartAsync(new AdminOptions { Token = "correct-horse-battery" });
        guarded.Gateway.Runtime.Configuration.Reject([new ConfigurationFault("gateway.yaml", 1, 1, "password", "'hunter2' is not a key")]);

        var open = (await guarded.GetAsync("/health")).Json.GetProperty("configuration");
        Assert.Equal(("rejected", 1, 0), (open.GetProperty("state").GetString(), open.GetProperty("faultCount").GetInt32(), open.GetProperty("faults").GetArrayLength()));
        var withToken = (await guarded.SendAsync("GET", "/health", "Bearer correct-horse-battery")).Json.GetProperty("configuration");
        Assert.Contains("hunter2", withToken.GetProperty("faults")[0].GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8", true)]
    [InlineData("text/plain", "text/plain; version=0.0.4; charset=utf-8", false)]
    public async Task Metrics_come_in_the_format_asked_for(string accept, string type, bool openMetrics)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await _admin.Client.SendAsync(request);

        Assert.Equal(type, response.Content.Headers.ContentType?.ToString());
        Assert.NotEmpty(StrictMetricsParser.Parse(await response.Content.ReadAsStringAsync(), openMetrics));
    }

    [Fact]
    public async Task Backends_come_with_their_counters()
    {
        var endpoint = _admin.Gateway.Chat.Endpoints[0];
        endpoint.Reserve();
        endpoint.Reserve();
        endpoint.BeginHandshake();
        _admin.Gateway.Chat.Ejections.Failed(endpoint, trial: 0, nowMs: 0, isHandshake: true);
        _admin.Gateway.Telemetry.OnHandshakeEnded(_admin.Gateway.Handshake(HandshakeOutcome.Upgraded, endpoint));
        _admin.Gateway.Telemetry.OnRehomed(_admin.Gateway.Rehome(RehomeCause.Planned, RehomeOutcome.Completed, endpoint), _admin.Gateway.Chat);
        Runtime.Loops[1].Core.TrafficOf(endpoint.Id).BytesToClient = 77;

        var (_, json) = await _admin.GetAsync("/v1/backends");

        Assert.Equal(
            """
            {"name":"chat","policy":"leastConnections","rehomedTotal":1,"waitingHandshakes":0,"endpoints":[{"address":"127.0.0.1:9001","phase":"ready","health":"healthy","connections":1,
            "inFlightHandshakes":1,"openedTotal":1,"rehomedTotal":1,"messagesToEndpoint":0,"messagesToClient":0,"bytesToEndpoint":0,"bytesToClient":77,"failuresInARow":1,
            "unhealthyReason":null,"ejectedForMs":0,"checkFailure":null,"drain":null},
            {"address":"127.0.0.1:9002","phase":"ready","health":"healthy","connections":0,"inFlightHandshakes":0,"openedTotal":0,"rehomedTotal":0,
            "messagesToEndpoint":0,"messagesToClient":0,"bytesToEndpoint":0,"bytesToClient":0,"failuresInARow":0,"unhealthyReason":null,"ejectedForMs":0,"checkFailure":null,"drain":null}]}
            """.ReplaceLineEndings(""),
            json.GetProperty("backends")[0].GetRawText());
    }

    [Fact]
    public async Task Pages_of_connections_list_each_exactly_once()
    {
        _admin.StartLoops();
        for (ulong id = 1; id <= 7; id++)
            await _admin.ConnectAsync(loop: (int)(id % 2), id, endpoint: id > 5 ? 1 : 0);

        Assert.Equal(7, (await PagesAsync("limit=3")).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(7, (await PagesAsync("limit=3")).Count);
        Assert.Equal(7, (await PagesAsync("limit=1")).Count);
        Assert.Equal(7, (await PagesAsync("limit=7")).Count);
        Assert.Equal(2, (await PagesAsync("limit=1&endpoint=127.0.0.1:9002")).Count);
        Assert.Equal(7, (await PagesAsync("backend=chat")).Count);
        Assert.Empty(await PagesAsync("backend=other"));
    }

    [Fact]
    public async Task More_connections_than_one_piece_are_all_listed()
    {
        _admin.StartLoops();
        for (ulong id = 1; id <= 300; id++)
            await _admin.ConnectAsync(loop: 0, id);

        Assert.Equal(300, (await PagesAsync("limit=1000")).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(300, (await PagesAsync("limit=70")).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task A_connection_is_shown_with_its_numbers()
    {
        _admin.StartLoops();
        var (_, endpoint) = await _admin.ConnectAsync(loop: 1, id: 0xAB);
        await endpoint.SendAsync(new byte[] { 0x81, 2, (byte)'h', (byte)'i' });
        var id = 0xAB.ToString("x32");

        var json = (await _admin.GetAsync("/v1/connections/" + id)).Json;
        while (json.GetProperty("messagesFromEndpoint").GetInt64() == 0)
            json = (await _admin.GetAsync("/v1/connections/" + id)).Json;

        Assert.Equal((id, "10.0.0.9:171"), (json.GetProperty("id").GetString(), json.GetProperty("client").GetString()));
        Assert.Equal(("chat", "127.0.0.1:9001"), (json.GetProperty("backend").GetString(), json.GetProperty("endpoint").GetString()));
        Assert.Equal("/chat", json.GetProperty("path").GetString());
        Assert.Equal(4, json.GetProperty("bytesFromEndpoint").GetInt64());
    }

    [Theory]
    [InlineData(0, 0, false, 0)]
    [InlineData(2, 0, true, 5)]
    [InlineData(1, 30, false, 0)]
    public void A_connections_rehomes_are_shown(int rehomes, long ageMs, bool held, long unknown)
    {
        var chat = _admin.Gateway.Chat;
        var view = new ConnectionHandlers(Runtime).ViewOf(new PairView
        {
            BackendId = chat.Id,
            EndpointId = chat.Endpoints[0].Id,
            Rehomes = rehomes,
            RehomeAgeMs = ageMs,
            IsHeld = held,
            Unknown = unknown,
        });
        var json = JsonSerializer.SerializeToElement(view, AdminJson.Default.ConnectionView);
        Assert.Equal((rehomes, held, unknown), (json.GetProperty("rehomes").GetInt32(), json.GetProperty("held").GetBoolean(), json.GetProperty("unknown").GetInt64()));
        Assert.Equal(rehomes > 0, json.TryGetProperty("rehomeAgeMs", out var age));
        Assert.Equal(ageMs, rehomes > 0 ? age.GetInt64() : 0);
    }

    [Fact]
    public async Task A_deleted_connection_tells_both_sides_1001()
    {
        _admin.StartLoops();
        var (client, endpoint) = await _admin.ConnectAsync(loop: 1, id: 5);
        var path = "/v1/connections/" + 5.ToString("x32");

        var (status, json) = await _admin.SendAsync("DELETE", path);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.True(json.GetProperty("closed").GetBoolean());
        Assert.Equal([0x88, 2, 1001 >> 8, 1001 & 0xFF], await ReadAsync(client, 4));
        var masked = await ReadAsync(endpoint, 8);
        Assert.Equal([0x88, 0x82], masked[..2]);
        Assert.Equal(1001, ((masked[6] ^ masked[2]) << 8) | (masked[7] ^ masked[3]));
        Assert.Equal(HttpStatusCode.NotFound, (await _admin.SendAsync("DELETE", path)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await _admin.GetAsync(path)).Status);

        client.Dispose();
        endpoint.Dispose();
        var ends = (await _admin.GetAsync("/v1/ends")).Json.GetProperty("ends");
        while (ends.GetArrayLength() == 0)
            ends = (await _admin.GetAsync("/v1/ends")).Json.GetProperty("ends");
        Assert.Equal(("admin_close", "gateway"), (ends[0].GetProperty("reason").GetString(), ends[0].GetProperty("side").GetString()));
    }

    [Fact]
    public async Task Ends_come_newest_first()
    {
        var endpoint = _admin.Gateway.Chat.Endpoints[0];
        for (ulong i = 1; i <= 3; i++)
            _admin.Gateway.Telemetry.OnPairEnded(_admin.Gateway.End(EndReason.DownstreamClose, EndSide.Downstream, endpoint, i) with { Rehomes = (int)i, Unknown = 7 }, _admin.Gateway.Chat, endpoint);

        var ends = (await _admin.GetAsync("/v1/ends?limit=2")).Json.GetProperty("ends").EnumerateArray().ToList();

        Assert.Equal([3.ToString("x32"), 2.ToString("x32")], ends.Select(e => e.GetProperty("id").GetString()));
        Assert.Equal(("downstream_close", "downstream", 1000), (ends[0].GetProperty("reason").GetString(), ends[0].GetProperty("side").GetString(), ends[0].GetProperty("closeCode").GetInt32()));
        Assert.Equal((3, 7), (ends[0].GetProperty("rehomes").GetInt32(), ends[0].GetProperty("unknown").GetInt32()));
        Assert.Equal(12_345, ends[0].GetProperty("durationMs").GetInt64());
        Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z$", ends[0].GetProperty("time").GetString());
    }

    [Theory]
    [InlineData("/v1/connections?limit=0")]
    [InlineData("/v1/connections?limit=1001")]
    [InlineData("/v1/connections?limit=-1")]
    [InlineData("/v1/connections?limit=ten")]
    [InlineData("/v1/connections?limit=")]
    [InlineData("/v1/connections?limit=1&limit=2")]
    [InlineData("/v1/connections?after=x")]
    [InlineData("/v1/connections?after=2-0")]
    [InlineData("/v1/connections?after=0--1")]
    [InlineData("/v1/connections?after=0-99999999999")]
    [InlineData("/v1/connections/zz")]
    [InlineData("/v1/connections/0000000000000000000000000000000g")]
    [InlineData("/v1/connections/%2B0000000000000000000000000000001")]
    [InlineData("/v1/ends?limit=257")]
    public async Task A_bad_argument_is_400_with_a_reason(string path)
    {
        var (status, json) = await _admin.GetAsync(path);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.NotEqual("", json.GetProperty("error").GetString());
    }

    [Theory]
    [InlineData("GET", "/", 404)]
    [InlineData("GET", "/v1", 404)]
    [InlineData("POST", "/nothing.html", 404)]
    [InlineData("POST", "/health", 405)]
    [InlineData("DELETE", "/v1/backends", 405)]
    [InlineData("PUT", "/v1/connections/00000000000000000000000000000001", 405)]
    public async Task An_unknown_path_is_404_and_a_wrong_method_405(string method, string path, int status)
    {
        var (answered, json) = await _admin.SendAsync(method, path);

        Assert.Equal(status, (int)answered);
        Assert.NotEqual("", json.GetProperty("error").GetString());
    }

    [Fact]
    public async Task A_stop_does_not_hang_on_a_request_whose_loop_never_answers()
    {
        // The loops are not started: nothing answers what is posted.
        var request = _admin.GetAsync("/v1/connections");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await _admin.Requests.WaitAsync(patience.Token);

        await _admin.StopAsync(patience.Token);

        Assert.False(patience.IsCancellationRequested);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await request).Status);
    }

    [Fact]
    public async Task A_stopped_gateway_answers_503_for_its_connections()
    {
        Runtime.Phase = GatewayPhase.Stopped;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _admin.GetAsync("/v1/connections")).Status);
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count)
    {
        var bytes = new byte[count];
        var read = 0;
        while (read < count)
        {
            var n = await socket.ReceiveAsync(bytes.AsMemory(read));
            Assert.NotEqual(0, n);
            read += n;
        }

        return bytes;
    }

    private async Task<List<string>> PagesAsync(string query)
    {
        var ids = new List<string>();
        string? after = null;
        do
        {
            var (status, json) = await _admin.GetAsync("/v1/connections?" + query + (after is null ? "" : "&after=" + after));
            Assert.Equal(HttpStatusCode.OK, status);
            ids.AddRange(json.GetProperty("connections").EnumerateArray().Select(c => c.GetProperty("id").GetString()!));
            after = json.GetProperty("next").GetString();
        }
        while (after is not null);
        return ids;
    }
}
