using System.Globalization;
using System.Text.Json;
using Holdfast.Functional.Tests.Rehearse;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>The npm package graphql-ws on both sides of the gateway, unmodified, its client without retries: it never notices that its servers change.</summary>
[Collection(NodeSamples.Collection)]
public sealed class GraphQlPartsTests
{
    private const int Clients = 3;
    private static readonly string[] Kinds = ["query", "mutation"];

    [Theory]
    [InlineData("breakFirst")]
    [InlineData("makeFirst")]
    public async Task Every_server_is_drained_and_stopped_and_what_runs_is_answered_where_it_runs(string mode)
    {
        await using var servers = await NodeServers.StartAsync("graphql-server.js", $"protocol: graphql-transport-ws, mode: {mode}", ["a", "b"]);
        await using var client = await NodeScript.StartClientAsync("graphql-client.js", servers.Gateway.Address.Port);
        await UntilServedAsync(client, _ => true);
        var rehomes = 0;
        foreach (var (old, next, round) in (IEnumerable<(string, string, int)>)[("a", "c", 1), ("b", "d", 2)])
        {
            await RunAsync(client, servers, round);
            _ = await servers.AddAsync(next);
            rehomes += await servers.ConnectionsAsync(servers[old]);
            await servers.DrainAsync(servers[old]);
            await UntilServedAsync(client, s => s != old);
            await ReleaseAsync(servers);
            foreach (var operation in Operations(round))
                await client.PrintsAsync($"answer to {operation}: {Assert.Single(RanOn(servers, operation)).Name}");
            await servers.LeftAsync(servers[old]);
            servers[old].Terminate();
            Assert.Equal(0, await servers[old].Exited);
            await servers.RemoveAsync(servers[old]);
        }

        await servers.CompletedAsync(rehomes);
        Assert.Equal(0, await servers.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));
        foreach (var feed in (await client.DoAsync("report")).EnumerateArray().SelectMany(c => c.GetProperty("subscriptions").EnumerateArray()))
            Assert.Equal(0, feed.GetProperty(mode == "breakFirst" ? "again" : "missing").GetInt32());
        await LeaveAsync(client, servers);
    }

    [Theory]
    [InlineData("breakFirst", "1001")]
    [InlineData("makeFirst", "1001")]
    [InlineData("breakFirst", "SIGKILL")]
    [InlineData("makeFirst", "SIGKILL")]
    public async Task Every_server_leaves_unannounced_and_only_what_ran_on_it_is_lost_and_said_to_be(string mode, string end)
    {
        await using var servers = await NodeServers.StartAsync("graphql-server.js", $"protocol: graphql-transport-ws, mode: {mode}", ["a", "b"]);
        await using var client = await NodeScript.StartClientAsync("graphql-client.js", servers.Gateway.Address.Port);
        await UntilServedAsync(client, _ => true);
        var rehomes = 0;
        foreach (var (old, next, round) in (IEnumerable<(string, string, int)>)[("a", "c", 1), ("b", "d", 2)])
        {
            await RunAsync(client, servers, round);
            _ = await servers.AddAsync(next);
            rehomes += await servers.ConnectionsAsync(servers[old]);
            if (end == "1001")
                servers[old].Terminate();
            else
                servers[old].Kill();
            Assert.Equal(end == "1001" ? 0 : 137, await servers[old].Exited);
            foreach (var operation in Operations(round).Where(o => RanOn(servers, o).Single().Name == old))
                await client.PrintsAsync($"error of {operation}: ");
            await UntilServedAsync(client, s => s != old);
            await ReleaseAsync(servers);
            foreach (var operation in Operations(round).Where(o => RanOn(servers, o).Single().Name != old))
                await client.PrintsAsync($"answer to {operation}: {RanOn(servers, operation).Single().Name}");
            await servers.RemoveAsync(servers[old]);
        }

        await servers.CompletedAsync(rehomes);
        foreach (var operation in Operations(1).Concat(Operations(2)))
        {
            Assert.Single(RanOn(servers, operation));
            Assert.Equal(1, client.CountOf($"answer to {operation}: ") + client.CountOf($"error of {operation}: "));
        }

        await LeaveAsync(client, servers);
    }

    [Theory]
    [InlineData("breakFirst")]
    [InlineData("makeFirst")]
    public async Task The_only_server_closes_without_a_code_while_it_is_drained_and_the_clients_wait_for_another(string mode)
    {
        await using var servers = await NodeServers.StartAsync("graphql-server.js", $"protocol: graphql-transport-ws, patience: 5m, mode: {mode}", ["a"], ("LEAVES", "empty"));
        await using var client = await NodeScript.StartClientAsync("graphql-client.js", servers.Gateway.Address.Port);
        await UntilServedAsync(client, _ => true);
        await RunAsync(client, servers, 1);
        await servers.DrainAsync(servers["a"]);
        servers["a"].Terminate();
        Assert.Equal(0, await servers["a"].Exited);
        await servers.HeldAsync(Clients);
        foreach (var operation in Operations(1))
            await client.PrintsAsync($"error of {operation}: ");

        // The clients' own pings are answered by the gateway, and what they ask for waits.
        var pongs = Pongs(await client.DoAsync("report"));
        await UntilAsync(client, report => Pongs(report).Zip(pongs).All(p => p.First > p.Second + 1));
        await client.DoAsync("run?n=2");
        _ = await servers.AddAsync("b");
        await UntilServedAsync(client, s => s == "b");
        foreach (var operation in Operations(2))
            await servers["b"].PrintsAsync($"runs {operation}");
        await ReleaseAsync(servers);
        foreach (var operation in Operations(2))
            await client.PrintsAsync($"answer to {operation}: b");
        await servers.CompletedAsync(Clients);
        Assert.All(Operations(1).Concat(Operations(2)), o => Assert.Single(RanOn(servers, o)));
        await LeaveAsync(client, servers);
    }

    private static IEnumerable<string> Operations(int round) => Enumerable.Range(1, Clients).SelectMany(
        client => Kinds.Select(kind => string.Create(CultureInfo.InvariantCulture, $"{kind} {client}{round}")));

    /// <summary>The servers that have run it, each as often as it has.</summary>
    private static IEnumerable<NodeScript> RanOn(NodeServers servers, string operation) =>
        servers.All.SelectMany(s => s.Lines.All.Where(l => l == "runs " + operation).Select(_ => s));

    /// <summary>A query and a mutation of each client run.</summary>
    private static async Task RunAsync(NodeScript client, NodeServers servers, int round)
    {
        await client.DoAsync(string.Create(CultureInfo.InvariantCulture, $"run?n={round}"));
        await Dev.Processes.UntilAsync(() => Operations(round).All(o => RanOn(servers, o).Any()), "everything ran");
    }

    /// <summary>What runs is answered, wherever it still can be.</summary>
    private static Task<JsonElement[]> ReleaseAsync(NodeServers servers) =>
        Task.WhenAll(servers.All.Where(s => !s.Exited.IsCompleted).Select(s => s.DoAsync("release")));

    /// <summary>Every subscription goes on, from such a server.</summary>
    private static async Task UntilServedAsync(NodeScript client, Func<string, bool> by)
    {
        var before = Feeds(await client.DoAsync("report")).Select(f => f.GetProperty("count").GetInt32()).ToList();
        await UntilAsync(client, report => Feeds(report).Zip(before).All(
            f => f.First.GetProperty("count").GetInt32() > f.Second && by(f.First.GetProperty("server").GetString()!)));
    }

    private static async Task UntilAsync(NodeScript client, Func<JsonElement, bool> holds)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (!holds(await client.DoAsync("report")))
        {
            NothingFailed(client);
            Assert.False(limit.IsCancellationRequested, $"the report stayed {await client.DoAsync("report")}");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    private static IReadOnlyList<JsonElement> Feeds(JsonElement report) => [.. report.EnumerateArray().SelectMany(c => c.GetProperty("subscriptions").EnumerateArray())];

    private static IReadOnlyList<int> Pongs(JsonElement report) => [.. report.EnumerateArray().Select(c => c.GetProperty("pongs").GetInt32())];

    private static void NothingFailed(NodeScript client) =>
        Assert.DoesNotContain(client.Lines.All, l => l.StartsWith("failed", StringComparison.Ordinal) || l.StartsWith("closed", StringComparison.Ordinal));

    /// <summary>One greeting was all they saw of every change; they leave as they like.</summary>
    private static async Task LeaveAsync(NodeScript client, NodeServers servers)
    {
        NothingFailed(client);
        Assert.All((await client.DoAsync("report")).EnumerateArray(), c => Assert.Equal(1, c.GetProperty("acks").GetInt32()));
        await client.DoAsync("leave");
        await client.PrintsAsync("left", Clients);
        Assert.Equal(Clients, client.Lines.All.Count(l => l.StartsWith("left", StringComparison.Ordinal) && l.EndsWith(": 1000", StringComparison.Ordinal)));
        NothingFailed(client);
        await servers.Gateway.SettledAsync();
    }
}
