using Holdfast.Functional.Tests.Gateway;

namespace Holdfast.Functional.Tests.Affinity;

/// <summary>Keys that are hashed over the endpoints, over real sockets.</summary>
public sealed class KeyAffinityTests : IDisposable
{
    private readonly NamedEndpoint[] _endpoints = NamedEndpoint.Start(3);

    [Theory]
    [InlineData("affinity: {header: {name: X-Room}}", true)]
    [InlineData("affinity: {header: {name: X-Room}}, loadBalancing: roundRobin", true)]
    [InlineData("affinity: {query: {name: room}}", false)]
    public async Task A_key_goes_to_one_endpoint_by_sockets_and_plain_requests_at_every_gateway(string affinity, bool isHeader)
    {
        await using var one = await GatewayFixture.StartAsync(Setup(affinity));
        await using var two = await GatewayFixture.StartAsync(Setup(affinity));
        var homes = new HashSet<int>();
        // The endpoints' ports decide whose the keys are, and are random.
        for (var i = 0; i < 16 || (homes.Count < 3 && i < 200); i++)
        {
            var home = Visit(one, $"room{i}");
            homes.Add(home);
            Assert.Equal(home, Visit(one, $"room{i}"));
            Assert.Equal(home, Visit(two, $"room{i}"));
            Assert.Equal(home, Get(one, $"room{i}"));
            Assert.Equal(home, Get(two, $"room{i}"));
        }

        Assert.Equal(3, homes.Count);
        await one.SettledAsync();

        int Visit(GatewayFixture gateway, string key) => isHeader
            ? new Visitor(gateway.Address).Visit("/ws", "x-room: " + key)
            : new Visitor(gateway.Address).Visit("/ws?a=b&room=" + key);

        int Get(GatewayFixture gateway, string key) => isHeader
            ? new Visitor(gateway.Address).Get("/", "x-room: " + key)
            : new Visitor(gateway.Address).Get("/?room=" + key);
    }

    [Theory]
    [InlineData("affinity: {clientAddress: {}}")]
    [InlineData("loadBalancing: consistentHash, boundedLoad: 100")]
    public async Task A_client_address_goes_to_one_endpoint(string affinity)
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup(affinity));
        var home = new Visitor(gateway.Address).Visit();
        for (var i = 0; i < 8; i++)
        {
            Assert.Equal(home, new Visitor(gateway.Address).Visit());
            Assert.Equal(home, new Visitor(gateway.Address).Get());
        }

        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Requests_without_the_key_are_balanced_and_no_cookie_is_set()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup("affinity: {header: {name: x-room}}, loadBalancing: roundRobin"));
        var visitor = new Visitor(gateway.Address);
        Assert.Equal(3, Enumerable.Range(0, 6).Select(_ => visitor.Visit()).Distinct().Count());
        Assert.Equal(3, Enumerable.Range(0, 6).Select(_ => visitor.Get()).Distinct().Count());
        Assert.Null(visitor.Cookie);
    }

    [Fact]
    public async Task When_an_endpoint_is_removed_only_its_keys_move()
    {
        const string Affinity = "affinity: {header: {name: x-room}}";
        await using var gateway = await GatewayFixture.StartAsync(Setup(Affinity));
        var before = Homes();
        var gone = _endpoints[1].Port;
        await gateway.ApplyAsync(Setup(Affinity) with { Endpoints = [_endpoints[0].Port, _endpoints[2].Port] });
        var after = Homes();
        for (var i = 0; i < before.Length; i++)
        {
            if (before[i] == gone)
                Assert.NotEqual(gone, after[i]);
            else
                Assert.Equal(before[i], after[i]);
        }

        Assert.Contains(gone, before);

        int[] Homes() => [.. Enumerable.Range(0, 24).Select(i => new Visitor(gateway.Address).Get("/", $"x-room: room{i}"))];
    }

    public void Dispose() => Array.ForEach(_endpoints, e => e.Dispose());

    private GatewaySetup Setup(string more) => new() { Endpoints = [.. _endpoints.Select(e => e.Port)], Backend = "slowStart: 0s, " + more };
}
