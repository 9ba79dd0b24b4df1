using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>One gateway process and one recording endpoint for the placements.</summary>
public sealed class SmugglingFixture : IAsyncLifetime
{
    internal RecordingEndpoint Endpoint { get; } = new();

    internal GatewayProcess Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [Endpoint.Port] });

    /// <summary>The gateway is alive, has told of no error, and has no socket more than before.</summary>
    internal async Task SettledAsync(int sockets)
    {
        Gateway.CheckNeighbour();
        Assert.False(Gateway.Exited.IsCompleted);
        await Processes.UntilAsync(() => Gateway.Sockets() <= sockets, "the gateway had closed its sockets");
        Assert.DoesNotContain(Gateway.Output.All, l => l.Contains("fail:", StringComparison.Ordinal) || l.Contains("crit:", StringComparison.Ordinal) || l.Contains("Exception", StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null)
            await Gateway.DisposeAsync();
        await Endpoint.DisposeAsync();
    }
}

/// <summary>Every case, in every placement: the endpoint sees what the suite's own strict reader makes of the bytes, and nothing else.</summary>
public sealed class SmugglingTests(SmugglingFixture fixture) : IClassFixture<SmugglingFixture>
{
    [Theory]
    [InlineData('a', false, false)]
    [InlineData('b', true, false)]
    [InlineData('A', false, true)]
    [InlineData('B', true, true)]
    public async Task On_a_connection_of_its_own(char letter, bool keptAlive, bool cut)
    {
        var run = new SmugglingRun(new Placement(letter, fixture.Gateway.Address, keptAlive, cut), fixture.Endpoint);
        await run.RunAsync(CaseCatalog.All);
    }
}
