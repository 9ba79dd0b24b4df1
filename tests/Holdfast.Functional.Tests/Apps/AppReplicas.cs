using System.Globalization;
using System.Net;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>One process of an application, or what is as good: it shares nothing with the others.</summary>
internal interface IReplica : IAsyncDisposable
{
    string Name { get; }

    int Port { get; }

    /// <summary>As SIGTERM does; completes when it is gone.</summary>
    Task StopAsync();
}

/// <summary>Replicas of an application behind a gateway, and rolls of them.</summary>
internal sealed class AppReplicas : IAsyncDisposable
{
    private readonly GatewaySetup _setup;
    private readonly Func<string, Task<IReplica>> _start;
    private readonly List<IReplica> _all = [];
    private readonly List<IReplica> _serving = [];

    private AppReplicas(GatewaySetup setup, Func<string, Task<IReplica>> start) => (_setup, _start) = (setup, start);

    public GatewayFixture Gateway { get; private set; } = null!;

    /// <summary>Every replica that ever was.</summary>
    public IReadOnlyList<IReplica> All => _all;

    public Uri Url(string path = "/") => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Gateway.Address.Port}{path}"));

    public static async Task<AppReplicas> StartAsync(GatewaySetup setup, Func<string, Task<IReplica>> start, params string[] names)
    {
        var replicas = new AppReplicas(setup, start);
        try
        {
            foreach (var name in names)
                await replicas.AddAsync(name);
            replicas.Gateway = await GatewayFixture.StartAsync(replicas.Setup);
            return replicas;
        }
        catch
        {
            await replicas.DisposeAsync();
            throw;
        }
    }

    /// <summary>Every replica is replaced by another, one after the other: the new one serves, the old one is drained, stopped when everybody has left it, and removed.</summary>
    /// <param name="left">Completes when nobody is served by the replica of this name any more, and everybody by another; null: the drain's time is all it is given.</param>
    public async Task RollAsync(IReadOnlyList<string> names, Func<string, Task>? left)
    {
        foreach (var (old, name) in _serving.ToArray().Zip(names))
        {
            await AddAsync(name);
            await Gateway.ApplyAsync(Setup);
            Assert.Equal(HttpStatusCode.OK, await Gateway.SendAsync(
                HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"/v1/backends/test/endpoints/127.0.0.1:{old.Port}/drain")));
            await (left is null ? DrainedAsync(old) : left(old.Name));
            await old.StopAsync();
            Assert.True(_serving.Remove(old));
            await Gateway.ApplyAsync(Setup);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null)
            await Gateway.DisposeAsync();
        foreach (var replica in _all)
            await replica.DisposeAsync();
    }

    /// <summary>The last moment has passed at which a session of the replica's may have been asked to leave.</summary>
    private async Task DrainedAsync(IReplica replica)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while ((await Gateway.EndpointAsync(replica.Port)).GetProperty("drain").GetProperty("endsInMs").GetInt64() > 0)
            await Task.Delay(20, limit.Token);
    }

    private GatewaySetup Setup => _setup with { Endpoints = [.. _serving.Select(s => s.Port)] };

    private async Task AddAsync(string name)
    {
        var replica = await _start(name);
        _all.Add(replica);
        _serving.Add(replica);
    }
}
