using System.Globalization;
using System.Net;
using System.Text.Json;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>Node processes that come and go behind a gateway that holds.</summary>
internal sealed class NodeServers : IAsyncDisposable
{
    private readonly string _script;
    private readonly (string Name, string Value)[] _environment;
    private readonly GatewaySetup _setup;
    private readonly List<NodeScript> _serving = [];

    private NodeServers(string script, string hold, (string Name, string Value)[] environment) => (_script, _environment, _setup) =
        (script, environment, new GatewaySetup { Backend = $"slowStart: 0s, drain: {{duration: 0s}}, hold: {{{hold}}}" });

    public GatewayFixture Gateway { get; private set; } = null!;

    /// <summary>Every server that ever was.</summary>
    public List<NodeScript> All { get; } = [];

    /// <param name="hold">The inside of <c>hold</c>.</param>
    public static async Task<NodeServers> StartAsync(string script, string hold, string[] names, params (string Name, string Value)[] environment)
    {
        var servers = new NodeServers(script, hold, environment);
        try
        {
            servers._serving.AddRange(await Task.WhenAll(names.Select(servers.StartServerAsync)));
            servers.Gateway = await GatewayFixture.StartAsync(servers.Setup);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    public NodeScript this[string name] => All.Single(s => s.Name == name);

    /// <summary>Another server, which the gateway knows.</summary>
    public async Task<NodeScript> AddAsync(string name)
    {
        var server = await StartServerAsync(name);
        _serving.Add(server);
        await Gateway.ApplyAsync(Setup);
        return server;
    }

    /// <summary>The gateway is told that this server is no more.</summary>
    public Task RemoveAsync(NodeScript server)
    {
        Assert.True(_serving.Remove(server));
        return Gateway.ApplyAsync(Setup);
    }

    public async Task DrainAsync(NodeScript server) => Assert.Equal(HttpStatusCode.OK, await Gateway.SendAsync(
        HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"/v1/backends/test/endpoints/127.0.0.1:{server.Port}/drain")));

    public async Task<int> ConnectionsAsync(NodeScript server) => (await Gateway.EndpointAsync(server.Port)).GetProperty("connections").GetInt32();

    /// <summary>Nobody is connected there any more.</summary>
    public async Task LeftAsync(NodeScript server)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (await ConnectionsAsync(server) > 0)
            await Task.Delay(10, limit.Token);
    }

    /// <summary>The messages of so many clients wait.</summary>
    public async Task HeldAsync(int count)
    {
        using var http = new HttpClient();
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (true)
        {
            using var answer = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://{Gateway.Host.AdminAddress}/v1/connections"), limit.Token));
            if (answer.RootElement.GetProperty("connections").EnumerateArray().Count(c => c.TryGetProperty("held", out var held) && held.GetBoolean()) == count)
                return;
            await Task.Delay(10, limit.Token);
        }
    }

    /// <summary>So many re-homes have ended, in all, each with another endpoint and nothing owed.</summary>
    public async Task CompletedAsync(int count)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (await Gateway.MetricAsync("holdfast_rehomes_total") < count)
            await Task.Delay(10, limit.Token);
        Assert.Equal(count, await Gateway.MetricAsync("holdfast_rehomes_total"));
        Assert.Equal(count, await Gateway.MetricAsync("holdfast_rehomes_total", "outcome=\"completed\""));
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null)
            await Gateway.DisposeAsync();
        foreach (var server in All)
            await server.DisposeAsync();
    }

    private GatewaySetup Setup => _setup with { Endpoints = [.. _serving.Select(s => s.Port)] };

    private async Task<NodeScript> StartServerAsync(string name)
    {
        var server = await NodeScript.StartServerAsync(_script, name, _environment);
        lock (All)
            All.Add(server);
        return server;
    }
}
