using System.Text.Json;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Holding;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>
/// The npm packages socket.io and socket.io-client, unmodified: three processes with sessions in their memory, through rolls. Socket.IO delivers at most once: what was
/// acknowledged was handled once, and nothing was handled twice.
/// </summary>
[Collection(AppParts.Collection)]
public sealed class SocketIoTests
{
    private const string Drained = "slowStart: 0s, loadBalancing: roundRobin, drain: {duration: 2s}";
    private const string Sticky = Drained + ", affinity: {cookie: {}}";
    private const string Unknown = "refused 1 Session ID unknown";

    [Theory]
    [InlineData("{}", "websocket", Sticky, 100)]
    [InlineData("""{"transports":["polling"]}""", "polling", Sticky, 40)]
    [InlineData("""{"transports":["websocket"]}""", "websocket", Drained, 100)]
    public async Task Clients_come_back_from_rolls_and_nothing_acknowledged_was_lost_or_handled_twice(string options, string transport, string backend, int count)
    {
        await using var replicas = await StartAsync(backend, "a", "b", "c");
        await using var clients = await AppParts.StartClientsAsync("socketio-client.js", replicas.Url(), count, options);
        await clients.UntilStateAsync(s => IsServed(s, transport, count));
        Assert.Equal(3, (await clients.DoAsync("state")).GetProperty("servers").EnumerateObject().Count());

        // Sessions of many requests, over many connections, and each found its process.
        Assert.Equal(0, CountOf(replicas, Unknown));
        await replicas.RollAsync(["d", "e", "f"], old => clients.UntilStateAsync(s => IsServed(s, transport, count) && !IsAt(s, old)));
        var answered = (await clients.DoAsync("state")).GetProperty("acked").GetInt32();
        await clients.UntilStateAsync(s => s.GetProperty("acked").GetInt32() >= answered + count);

        var ends = await clients.DoAsync("stop");
        Assert.Equal(count, ends.GetArrayLength());
        CheckHandled(replicas, [.. ends.EnumerateArray()]);
        Assert.All(ends.EnumerateArray(), c => Assert.InRange(c.GetProperty("connects").GetInt32(), 2, 12));
        if (transport == "websocket")
            await replicas.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Without_affinity_sessions_that_poll_meet_a_process_that_does_not_know_them()
    {
        await using var replicas = await StartAsync(Drained, "a", "b", "c");
        await using var clients = await AppParts.StartClientsAsync("socketio-client.js", replicas.Url(), 10);
        await clients.UntilStateAsync(s => s.GetProperty("errors").GetInt32() >= 10);
        Assert.InRange(CountOf(replicas, Unknown), 10, int.MaxValue);
    }

    [Fact]
    public async Task A_page_polls_upgrades_and_comes_back_from_rolls()
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await using var replicas = await StartAsync(Sticky, "a", "b", "c");
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Browser.LaunchAsync(playwright);
        var page = await browser.OpenAsync(replicas.Url());
        await page.AddScriptTagAsync(new PageAddScriptTagOptions { Path = AppParts.Script("socketio-talk.js") });
        await page.EvaluateAsync("() => { window.clients = [talk(io(), 'page')]; }");
        await page.WaitForFunctionAsync("() => clients[0].transport() === 'websocket' && clients[0].acked.length > 3");
        var cookie = Assert.Single(await browser.Context.CookiesAsync(), c => c.Name == "holdfast");
        Assert.True(cookie.HttpOnly);
        Assert.Equal(0, CountOf(replicas, Unknown));

        await replicas.RollAsync(["d", "e", "f"], old => page.WaitForFunctionAsync(
            "old => clients[0].transport() === 'websocket' && ![old, null].includes(clients[0].server)", old));
        await page.WaitForFunctionAsync("acked => clients[0].acked.length > acked", await page.EvaluateAsync<int>("() => clients[0].acked.length"));
        await page.EvaluateAsync("() => clients[0].stop()");
        var end = await page.EvaluateAsync<JsonElement>("() => ({ acked: clients[0].acked, failed: clients[0].failed, connects: clients[0].connects })");
        CheckHandled(replicas, [end]);
        Assert.InRange(end.GetProperty("connects").GetInt32(), 2, 8);
        await replicas.Gateway.SettledAsync();
    }

    private static void CheckHandled(AppReplicas replicas, IReadOnlyList<JsonElement> clients)
    {
        var handled = replicas.All.Cast<Server>().SelectMany(r => r.Lines).Where(l => l.StartsWith("handled ", StringComparison.Ordinal)).Select(l => l[8..]).ToList();
        Assert.Equal(handled.Count, handled.Distinct(StringComparer.Ordinal).Count());
        var acked = clients.SelectMany(c => Texts(c, "acked")).ToList();
        Assert.Empty(acked.Except(handled, StringComparer.Ordinal));
        Assert.Empty(handled.Except(acked, StringComparer.Ordinal).Except(clients.SelectMany(c => Texts(c, "failed")), StringComparer.Ordinal));
        Assert.InRange(acked.Count, 1, int.MaxValue);
    }

    private static IEnumerable<string> Texts(JsonElement client, string name) => client.GetProperty(name).EnumerateArray().Select(t => t.GetString()!);

    private static bool IsServed(JsonElement state, string transport, int count) =>
        state.GetProperty("transports").TryGetProperty(transport, out var connected) && connected.GetInt32() == count
        && !state.GetProperty("servers").TryGetProperty("null", out _);

    private static bool IsAt(JsonElement state, string server) => state.GetProperty("servers").TryGetProperty(server, out _);

    private static int CountOf(AppReplicas replicas, string line) =>
        replicas.All.Cast<Server>().Sum(r => r.Lines.Count(l => l == line));

    private static Task<AppReplicas> StartAsync(string backend, params string[] names) =>
        AppReplicas.StartAsync(new GatewaySetup { Backend = backend }, async name => new Server(await AppParts.StartServerAsync("socketio-server.js", name)), names);

    private sealed class Server(NodeScript script) : IReplica
    {
        public string Name => script.Name;

        public int Port => script.Port;

        public IReadOnlyList<string> Lines => script.Lines.All;

        public async Task StopAsync()
        {
            script.Terminate();
            Assert.Equal(0, await script.Exited.WaitAsync(RawPeer.Patience));
        }

        public ValueTask DisposeAsync() => script.DisposeAsync();
    }
}
