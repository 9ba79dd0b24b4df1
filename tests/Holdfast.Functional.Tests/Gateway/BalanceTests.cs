using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>How connections are spread, as endpoints see it.</summary>
public sealed class BalanceTests
{
    [Theory]
    [InlineData("leastConnections")]
    [InlineData("roundRobin")]
    public async Task Thirty_connections_are_ten_for_each_of_three_endpoints(string policy)
    {
        EchoEndpoint[] endpoints = [new(), new(), new()];
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [.. endpoints.Select(e => e.Port)], Backend = $"loadBalancing: {policy}, slowStart: 0s" });
        var clients = new List<RawPeer>();
        for (var i = 0; i < 30; i++)
        {
            clients.Add(gateway.Connect());
            Assert.Equal(101, Upgrades.Status(clients[^1].Upgrade()));
        }

        Assert.Equal([10, 10, 10], endpoints.Select(e => e.Connections));
        Assert.Equal(30, await gateway.MetricAsync("holdfast_connections", "backend=\"test\""));
        foreach (var endpoint in endpoints)
            Assert.Equal(10, await gateway.MetricAsync("holdfast_connections", $"endpoint=\"127.0.0.1:{endpoint.Port}\""));
        Array.ForEach([.. clients], c => c.Dispose());
        await gateway.SettledAsync();
        Array.ForEach(endpoints, e => e.Dispose());
    }

    [Fact]
    public async Task New_connections_go_where_the_fewest_are()
    {
        EchoEndpoint[] endpoints = [new(), new(), new()];
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [.. endpoints.Select(e => e.Port)] });
        var clients = new List<(RawPeer Client, EchoEndpoint Endpoint)>();
        for (var i = 0; i < 15; i++)
            _ = Open();
        foreach (var (client, endpoint) in clients)
        {
            if (ReferenceEquals(endpoint, endpoints[1]))
                client.Dispose();
        }

        await Processes.UntilAsync(() => gateway.Host.Runtime.Established == 11, "the five had ended");
        for (var i = 0; i < 5; i++)
            Assert.Same(endpoints[1], Open().Endpoint);
        Array.ForEach([.. clients], c => c.Client.Dispose());
        await gateway.SettledAsync();
        Array.ForEach(endpoints, e => e.Dispose());

        (RawPeer Client, EchoEndpoint Endpoint) Open()
        {
            var before = endpoints.Select(e => e.Connections).ToArray();
            var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade()));
            var endpoint = endpoints[Enumerable.Range(0, 3).Single(i => endpoints[i].Connections > before[i])];
            clients.Add((client, endpoint));
            return (client, endpoint);
        }
    }

    [Fact]
    public async Task Backends_of_a_route_get_their_weights()
    {
        using var heavy = new EchoEndpoint();
        using var light = new EchoEndpoint();
        using var never = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Routes = ["path: {prefix: /weighted}, backends: [{name: heavy, weight: 9}, {name: light, weight: 1}, {name: never, weight: 0}]"],
            Backends = [.. new[] { ("heavy", heavy), ("light", light), ("never", never) }.Select(b => $"{b.Item1}: {{endpoints: [\"127.0.0.1:{b.Item2.Port}\"]}}")],
        });
        for (var i = 0; i < 300; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade("/weighted")));
        }

        // 30 expected of 300: outside of 8 to 60 about once in 10^6 runs.
        Assert.InRange(light.Connections, 8, 60);
        Assert.Equal((300, 0), (heavy.Connections + light.Connections, never.Connections));
        await gateway.SettledAsync();
    }
}
