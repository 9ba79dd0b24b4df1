using System.Globalization;
using System.Net;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Events;

/// <summary>What a gateway tells of its endpoints' drains, over real sockets.</summary>
public sealed class DrainEventTests
{
    private static readonly TimeSpan OfDrain = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_drain_is_told_at_its_start_and_when_the_endpoint_is_empty_with_what_became_of_each_connection()
    {
        using var endpoint = new QuietEndpoint();
        await using var gateway = await StartAsync(endpoint);
        using var events = await EventStream.OpenAsync(gateway.Host.AdminAddress);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 20);
        var leavers = Enumerable.Range(0, 3).Select(_ => gateway.Connect()).ToList();
        leavers.ForEach(l => Assert.Equal(101, Upgrades.Status(l.Upgrade("/"))));

        Assert.Equal(HttpStatusCode.OK, await gateway.SendAsync(HttpMethod.Post, DrainOf(endpoint)));
        var started = await events.NextAsync("drain-started");
        Assert.Equal(("test", Name(endpoint), 23), (Text(started, "backend"), Text(started, "endpoint"), Number(started, "connections")));
        Assert.Equal(["admin"], Causes(started));

        leavers.ForEach(l => l.Dispose());
        await Processes.UntilAsync(() => endpoint.Open == 20, "three had left by themselves");
        await gateway.AdvanceAsync(OfDrain + TimeSpan.FromSeconds(1));
        Assert.All(await crowd.FarewellsAsync(), f => Assert.Equal(1012, f.Code));

        var ended = await events.NextAsync("drain-ended");
        Assert.Equal(("test", Name(endpoint), "empty"), (Text(ended, "backend"), Text(ended, "endpoint"), Text(ended, "outcome")));
        Assert.Equal(
            (23, 0, 20, 3, 0),
            (Number(ended, "connections"), Number(ended, "rehomed"), Number(ended, "closed"), Number(ended, "ended"), Number(ended, "remain")));
        Assert.Equal(["admin"], Causes(ended));
        Assert.True(Number(ended, "durationMs") >= 0);
        Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z$", Text(ended, "time"));
    }

    [Fact]
    public async Task A_cancelled_drain_says_so_and_how_many_remain()
    {
        using var endpoint = new QuietEndpoint();
        await using var gateway = await StartAsync(endpoint);
        using var events = await EventStream.OpenAsync(gateway.Host.AdminAddress);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 25);
        var leavers = Enumerable.Range(0, 5).Select(_ => gateway.Connect()).ToList();
        leavers.ForEach(l => Assert.Equal(101, Upgrades.Status(l.Upgrade("/"))));
        _ = await gateway.SendAsync(HttpMethod.Post, DrainOf(endpoint));
        Assert.Equal("draining", Text(await events.NextAsync("endpoint"), "phase"));
        leavers.ForEach(l => l.Dispose());
        _ = await gateway.Log.EndsAsync("downstream_eof", 5);
        await gateway.TurnAsync();

        _ = await gateway.SendAsync(HttpMethod.Delete, DrainOf(endpoint));
        var ended = await events.NextAsync("drain-ended");
        Assert.Equal(("cancelled", 30, 25), (Text(ended, "outcome"), Number(ended, "connections"), Number(ended, "remain")));
        Assert.Equal((0, 5, 0), (Number(ended, "closed"), Number(ended, "ended"), Number(ended, "rehomed")));
        Assert.Equal(25, crowd.Open);
        var changed = await events.NextAsync("endpoint");
        Assert.Equal((Name(endpoint), "ready", "healthy"), (Text(changed, "endpoint"), Text(changed, "phase"), Text(changed, "health")));
    }

    [Fact]
    public async Task A_held_backends_drain_tells_who_was_rehomed_and_so_do_the_connections()
    {
        const int Connections = 12;
        using var leaving = new EchoEndpoint();
        using var staying = new EchoEndpoint();
        var setup = new GatewaySetup { Endpoints = [leaving.Port], Backend = "slowStart: 0s, drain: {duration: 0s}, hold: {protocol: opaque, quiet: 10ms}" };
        await using var gateway = await GatewayFixture.StartAsync(setup);
        using var crowd = await Crowd.GatherAsync(gateway.Address, Connections);
        await gateway.ApplyAsync(setup with { Endpoints = [leaving.Port, staying.Port] });
        using var events = await EventStream.OpenAsync(gateway.Host.AdminAddress);
        _ = await gateway.SendAsync(HttpMethod.Post, DrainOf(leaving.Port));

        JsonElement? ended = null;
        var (planned, taken) = (0, 0);
        while (ended is null || planned < Connections)
        {
            var (name, data) = (await events.NextAsync())!.Value;
            if (name == "drain-ended")
                ended = data;
            if (name != "rehomes")
                continue;
            planned += Number(data, "planned");
            taken += Number(data, "completed") + Number(data, "cutShort");
            Assert.Equal((0, 0, 0), (Number(data, "crash"), Number(data, "closeFirst"), Number(data, "unknown")));
        }

        Assert.Equal((Connections, Connections, Connections), (planned, taken, crowd.Open));
        Assert.Equal(("empty", Name(leaving.Port)), (Text(ended.Value, "outcome"), Text(ended.Value, "endpoint")));
        Assert.Equal(
            (Connections, Connections, 0, 0),
            (Number(ended.Value, "connections"), Number(ended.Value, "rehomed"), Number(ended.Value, "closed"), Number(ended.Value, "ended")));

        using var http = new HttpClient();
        using var list = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://{gateway.Host.AdminAddress}/v1/connections?backend=test")));
        var connections = list.RootElement.GetProperty("connections").EnumerateArray().ToList();
        Assert.Equal(Connections, connections.Count);
        Assert.All(connections, c => Assert.Equal((Name(staying.Port), 1, 0, false), (Text(c, "endpoint"), Number(c, "rehomes"), Number(c, "unknown"), c.GetProperty("held").GetBoolean())));
        Assert.All(connections, c => Assert.True(c.GetProperty("rehomeAgeMs").GetInt64() >= 0));
        Assert.Equal(Connections, Number(await gateway.EndpointAsync(leaving.Port), "rehomedTotal"));
        Assert.Equal(Connections, await gateway.MetricAsync("holdfast_rehomes_total", "backend=\"test\"", "cause=\"planned\""));
        Assert.Equal(Connections, await gateway.MetricAsync("holdfast_rehome_seconds_count", "backend=\"test\""));
    }

    [Fact]
    public async Task An_endpoint_that_is_removed_is_told_with_its_cause_until_it_is_gone()
    {
        using var removed = new QuietEndpoint();
        using var kept = new QuietEndpoint();
        var setup = new GatewaySetup { Endpoints = [removed.Port, kept.Port], Backend = "slowStart: 0s, drain: {duration: 0s}" };
        await using var gateway = await GatewayFixture.StartAsync(setup);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 10);
        using var events = await EventStream.OpenAsync(gateway.Host.AdminAddress);
        await gateway.ApplyAsync(setup with { Endpoints = [kept.Port] });

        var started = await events.NextAsync("drain-started");
        Assert.Equal((Name(removed), 5), (Text(started, "endpoint"), Number(started, "connections")));
        Assert.Equal(["removed"], Causes(started));
        var told = new List<string>();
        while (!told.Contains("gone") || !told.Contains("drain-ended"))
        {
            var (name, data) = (await events.NextAsync())!.Value;
            Assert.Equal(Name(removed), Text(data, "endpoint"));
            told.Add(name == "endpoint" ? Text(data, "phase") : name);
            if (name == "drain-ended")
                Assert.Equal(("empty", 5, 0), (Text(data, "outcome"), Number(data, "closed"), Number(data, "ended")));
        }

        Assert.Equal(5, crowd.Open);
    }

    [Fact]
    public async Task A_drain_of_an_endpoint_without_connections_ends_at_once()
    {
        using var endpoint = new QuietEndpoint();
        await using var gateway = await StartAsync(endpoint);
        using var events = await EventStream.OpenAsync(gateway.Host.AdminAddress);
        _ = await gateway.SendAsync(HttpMethod.Post, DrainOf(endpoint));
        Assert.Equal(0, Number(await events.NextAsync("drain-started"), "connections"));
        Assert.Equal("empty", Text(await events.NextAsync("drain-ended"), "outcome"));
    }

    [Fact]
    public async Task The_events_need_the_token_and_end_with_the_gateway()
    {
        using var endpoint = new QuietEndpoint();
        await using var guarded = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [endpoint.Port], AdminMore = "token: sixteen-characters-or-more" });
        Assert.Equal(HttpStatusCode.Unauthorized, await guarded.SendAsync(HttpMethod.Get, "/v1/events"));
        await using var gateway = await StartAsync(endpoint);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, await gateway.SendAsync(HttpMethod.Post, "/v1/events"));
        using var events = await EventStream.OpenAsync(gateway.Host.AdminAddress);
        await gateway.Host.DisposeAsync();
        Assert.Null(await events.NextAsync());
    }

    /// <summary>With a clock of its own for the loops: closes come when a test says so.</summary>
    private static Task<GatewayFixture> StartAsync(QuietEndpoint endpoint) => GatewayFixture.StartAsync(
        new GatewaySetup { Endpoints = [endpoint.Port], Backend = "slowStart: 0s, drain: {duration: 60s}, keepAlive: {pingInterval: 0s}" }, manualTime: true);

    private static string Name(QuietEndpoint endpoint) => Name(endpoint.Port);

    private static string Name(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    private static string DrainOf(QuietEndpoint endpoint) => DrainOf(endpoint.Port);

    private static string DrainOf(int port) => $"/v1/backends/test/endpoints/{Name(port)}/drain";

    private static string Text(JsonElement data, string field) => data.GetProperty(field).GetString()!;

    private static int Number(JsonElement data, string field) => data.GetProperty(field).GetInt32();

    private static IEnumerable<string?> Causes(JsonElement data) => data.GetProperty("causes").EnumerateArray().Select(c => c.GetString());
}
