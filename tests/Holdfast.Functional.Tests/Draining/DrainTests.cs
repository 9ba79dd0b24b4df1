using System.Globalization;
using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Draining;

/// <summary>Endpoints that leave, over real sockets: who is closed, when, and with what.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task Five_thousand_connections_are_closed_evenly_over_ten_seconds()
    {
        const int Connections = 5000;
        using var leaving = new QuietEndpoint();
        using var staying = new QuietEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(
            new GatewaySetup { Endpoints = [leaving.Port], Backend = "slowStart: 0s, drain: {duration: 10s}" }, neighbour: false);
        using var crowd = await Crowd.GatherAsync(gateway.Address, Connections);
        Assert.Equal(Connections, leaving.Open);

        using var answer = await gateway.SendAsync(HttpMethod.Post, DrainOf(leaving));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var farewells = await crowd.FarewellsAsync();
        var first = farewells.Min(f => f.At);
        var bins = new int[11];
        foreach (var farewell in farewells)
            bins[(int)(farewell.At - first).TotalSeconds]++;
        // What the last tick of the wheel and a busy machine push over the end belongs to the last second.
        bins[9] += bins[10];
        Assert.All(bins[..10], n => Assert.InRange(n, Connections * 7 / 100, Connections * 13 / 100));
        Assert.All(farewells, f => Assert.True(f.Code == 1012 && IsHint(f.Reason), $"{f.Code} {f.Reason}"));
        Assert.Equal(Connections, await gateway.MetricAsync("holdfast_connection_ends_total", "reason=\"drained\"", "side=\"gateway\""));
    }

    [Fact]
    public async Task A_draining_endpoint_takes_nothing_while_another_is_ready_and_serves_when_none_is()
    {
        using var one = new QuietEndpoint();
        using var two = new QuietEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [one.Port, two.Port], Backend = "slowStart: 0s, drain: {delay: 300s}" });
        Assert.Equal(HttpStatusCode.OK, await gateway.SendAsync(HttpMethod.Post, DrainOf(one)));
        using var crowd = await Crowd.GatherAsync(gateway.Address, 20);
        Assert.Equal((0, 20), (one.Open, two.Open));
        Assert.Equal(HttpStatusCode.OK, await gateway.SendAsync(HttpMethod.Post, DrainOf(two)));
        using var more = await Crowd.GatherAsync(gateway.Address, 20);
        Assert.Equal(40, one.Open + two.Open);
        Assert.True(one.Open >= 10);
        Assert.Equal((20, 20), (crowd.Open, more.Open));
    }

    [Fact]
    public async Task A_cancelled_drain_closes_nobody_and_the_endpoint_takes_connections_again()
    {
        using var endpoint = new QuietEndpoint();
        using var other = new QuietEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(
            new GatewaySetup { Endpoints = [endpoint.Port, other.Port], Backend = "slowStart: 0s, drain: {duration: 60s}, keepAlive: {pingInterval: 0s}" }, manualTime: true);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 60);
        Assert.Equal(30, endpoint.Open);
        _ = await gateway.SendAsync(HttpMethod.Post, DrainOf(endpoint));
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(10.1));
        // Five of thirty by now, give or take the one in whose time we are.
        await Processes.UntilAsync(() => crowd.Open is 54 or 55, "a sixth of the closes came");
        _ = await gateway.SendAsync(HttpMethod.Delete, DrainOf(endpoint));
        var open = crowd.Open;
        await gateway.AdvanceAsync(TimeSpan.FromMinutes(5));
        Assert.Equal(open, crowd.Open);
        using var more = await Crowd.GatherAsync(gateway.Address, 10);
        Assert.True(endpoint.Open > 60 - open - 5);
    }

    [Fact]
    public async Task An_endpoint_that_the_configuration_removes_is_drained_with_the_configured_code_and_then_gone()
    {
        using var removed = new QuietEndpoint();
        using var kept = new QuietEndpoint();
        var setup = new GatewaySetup { Endpoints = [removed.Port, kept.Port], Backend = "slowStart: 0s, drain: {duration: 200ms, closeCode: 4001}" };
        await using var gateway = await GatewayFixture.StartAsync(setup);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 40);
        Assert.Equal((20, 20), (removed.Open, kept.Open));
        await gateway.ApplyAsync(setup with { Endpoints = [kept.Port] });
        using var later = await Crowd.GatherAsync(gateway.Address, 10);

        await Processes.UntilAsync(() => crowd.Open == 20, "the removed endpoint's connections were closed");
        Assert.Equal(10, later.Open);
        Assert.Equal(30, kept.Open);
        await Processes.UntilAsync(() => gateway.Host.Runtime.Backends.All(b => b.Leaving.Length == 0), "the endpoint was forgotten");
        var closed = (await gateway.Log.EndsAsync("drained", 20)).Select(l => (l.GetProperty("closeCode").GetInt32(), l.GetProperty("side").GetString()));
        Assert.All(closed, c => Assert.Equal((4001, "gateway"), c));
    }

    [Fact]
    public async Task An_address_that_DNS_no_longer_has_keeps_its_connections_for_the_grace_and_then_drains()
    {
        using var one = new QuietEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(
            new GatewaySetup
            {
                Backends = [string.Create(CultureInfo.InvariantCulture, $"looked-up: {{dns: {{name: app.invalid, port: {one.Port}, grace: 30s}}, drain: {{duration: 1s}}, keepAlive: {{pingInterval: 0s}}}}")],
                Routes = ["path: {prefix: /dns}, backend: looked-up"],
            },
            manualTime: true);
        var backend = gateway.Host.Runtime.Backends.Single(b => b.Name == "looked-up");
        var (here, elsewhere) = (new EndpointAddress("127.0.0.1", one.Port), new EndpointAddress("127.0.0.9", one.Port));
        gateway.Host.Runtime.Discover(backend, [here]);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 10, "/dns");
        gateway.Host.Runtime.Discover(backend, [elsewhere]);
        var refused = await Assert.ThrowsAsync<IOException>(() => Crowd.GatherAsync(gateway.Address, 1, "/dns"));
        Assert.Contains("HTTP/1.1 502", refused.Message, StringComparison.Ordinal);     // From the other address, where nobody listens.
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(29));
        Assert.Equal(10, crowd.Open);

        gateway.Host.Runtime.Discover(backend, [here, elsewhere]);
        await gateway.AdvanceAsync(TimeSpan.FromMinutes(10));
        Assert.Equal(10, crowd.Open);

        gateway.Host.Runtime.Discover(backend, [elsewhere]);
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(31.1));
        Assert.All(await crowd.FarewellsAsync(), f => Assert.Equal(1012, f.Code));
    }

    [Fact]
    public async Task The_admin_API_drains_the_gateway_itself_as_SIGTERM_does()
    {
        using var endpoint = new QuietEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [endpoint.Port], Shutdown = "delay: 0s, duration: 500ms" }, neighbour: false);
        using var crowd = await Crowd.GatherAsync(gateway.Address, 50);
        using var answer = await gateway.SendAsync(HttpMethod.Post, "/v1/drain");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.All(await crowd.FarewellsAsync(), f => Assert.True(f.Code == 1012 && IsHint(f.Reason)));
        Assert.Equal(0, await gateway.Exited.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Clients_of_an_endpoint_that_dies_are_told_to_come_back_one_after_the_other()
    {
        const int Connections = 3000;
        using var dies = new QuietEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [dies.Port] }, loops: 1);
        using var crowd = await Crowd.GatherAsync(gateway.Address, Connections);
        dies.Kill();
        var hints = (await crowd.FarewellsAsync()).Select(f => int.Parse(f.Reason["retry-after=".Length..], CultureInfo.InvariantCulture)).ToArray();
        // A thousand a second, each with a second of jitter.
        Assert.InRange(hints.Count(h => h < 1000), 1, 1000);
        Assert.InRange(hints.Max(), 2000, 4000);
    }

    private static bool IsHint(string reason) => reason.StartsWith("retry-after=", StringComparison.Ordinal) && int.TryParse(reason.AsSpan(12), NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private static string DrainOf(QuietEndpoint endpoint) => string.Create(CultureInfo.InvariantCulture, $"/v1/backends/test/endpoints/127.0.0.1:{endpoint.Port}/drain");
}
