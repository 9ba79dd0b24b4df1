using System.Text.Json;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>
/// ASP.NET Core's SignalR and the npm package @microsoft/signalr, unmodified: three replicas with connections in their memory, each transport, through rolls. Within a connection
/// everything comes once and in order; an answered question was heard once, and no question is heard twice.
/// </summary>
[Collection(AppParts.Collection)]
public sealed class SignalRTests
{
    private const string Drained = "slowStart: 0s, loadBalancing: roundRobin, drain: {duration: 2s}";
    private const string Sticky = Drained + ", affinity: {cookie: {}}";

    [Theory]
    [InlineData("WebSockets", 50)]
    [InlineData("ServerSentEvents", 20)]
    [InlineData("LongPolling", 20)]
    public async Task Clients_come_back_from_rolls_and_every_connection_is_in_order(string transport, int count)
    {
        await using var replicas = await StartAsync(Sticky, "a", "b", "c");
        await using var clients = await AppParts.StartClientsAsync("signalr-client.js", replicas.Url("/hub"), count, $$"""{"transport":"{{transport}}"}""");
        await clients.UntilStateAsync(s => s.GetProperty("connected").GetInt32() == count);
        Assert.Equal(3, (await clients.DoAsync("state")).GetProperty("servers").EnumerateObject().Count());
        Assert.Equal(0, Unknown(replicas));

        // A stream of events ends with its process, not before: what its client says meanwhile may meet another process.
        await replicas.RollAsync(["d", "e", "f"], transport == "ServerSentEvents" ? null : LeftAsync);
        await LeftAsync("c");
        var answered = (await clients.DoAsync("state")).GetProperty("answered").GetInt32();
        await clients.UntilStateAsync(s => s.GetProperty("answered").GetInt32() >= answered + count);

        var ends = await clients.DoAsync("stop");
        Assert.Equal(count, ends.GetArrayLength());
        CheckAsked(replicas, [.. ends.EnumerateArray()]);
        Assert.All(ends.EnumerateArray(), c => Assert.InRange(c.GetProperty("connections").GetInt32(), 2, 12));
        Assert.Equal([transport], replicas.All.Cast<SignalRReplica>().SelectMany(r => r.Transports.Keys).Distinct(StringComparer.Ordinal));
        if (transport == "WebSockets")
            await replicas.Gateway.SettledAsync();

        Task LeftAsync(string old) => clients.UntilStateAsync(s =>
            s.GetProperty("connected").GetInt32() == count && !s.GetProperty("servers").TryGetProperty(old, out _));
    }

    [Fact]
    public async Task Without_affinity_connections_meet_a_process_that_did_not_negotiate_them()
    {
        await using var replicas = await StartAsync(Drained, "a", "b", "c");
        await using var clients = await AppParts.StartClientsAsync("signalr-client.js", replicas.Url("/hub"), 5, """{"transport":"LongPolling"}""");
        await clients.UntilStateAsync(s => s.GetProperty("faults").GetArrayLength() >= 5);
        Assert.InRange(Unknown(replicas), 5, int.MaxValue);
    }

    [Theory]
    [InlineData("WebSockets")]
    [InlineData("ServerSentEvents")]
    [InlineData("LongPolling")]
    public async Task A_page_comes_back_from_rolls(string transport)
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await AppParts.InstallAsync();
        await using var replicas = await StartAsync(Sticky, "a", "b", "c");
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Browser.LaunchAsync(playwright);
        var page = await browser.OpenAsync(replicas.Url());
        await page.AddScriptTagAsync(new PageAddScriptTagOptions { Path = AppParts.Script("signalr-talk.js") });
        await page.EvaluateAsync("transport => { window.client = converse(signalR, '/hub', { transport }, 0); }", transport);
        await page.WaitForFunctionAsync("() => client.answered.length > 3");
        Assert.Equal(0, Unknown(replicas));

        await replicas.RollAsync(["d", "e", "f"], transport == "ServerSentEvents" ? null : LeftAsync);
        await LeftAsync("c");
        await page.WaitForFunctionAsync("answered => client.answered.length > answered", await page.EvaluateAsync<int>("() => client.answered.length"));
        await page.EvaluateAsync("() => client.stop()");
        CheckAsked(replicas, [await page.EvaluateAsync<JsonElement>("() => client.end()")]);
        Assert.Equal([transport], replicas.All.Cast<SignalRReplica>().SelectMany(r => r.Transports.Keys).Distinct(StringComparer.Ordinal));

        Task LeftAsync(string old) => page.WaitForFunctionAsync("old => client.isConnected() && ![old, null].includes(client.server)", old);
    }

    private static void CheckAsked(AppReplicas replicas, IReadOnlyList<JsonElement> clients)
    {
        Assert.Empty(clients.SelectMany(c => Texts(c, "faults")));
        var asked = replicas.All.Cast<SignalRReplica>().SelectMany(r => r.Asked).ToList();
        Assert.All(asked, a => Assert.Equal(1, a.Value));
        var heard = asked.Select(a => a.Key).ToList();
        Assert.Equal(heard.Count, heard.Distinct(StringComparer.Ordinal).Count());
        var answered = clients.SelectMany(c => Texts(c, "answered")).ToList();
        Assert.Empty(answered.Except(heard, StringComparer.Ordinal));
        Assert.Empty(heard.Except(answered, StringComparer.Ordinal).Except(clients.SelectMany(c => Texts(c, "unanswered")), StringComparer.Ordinal));
        Assert.All(clients, c => Assert.InRange(c.GetProperty("counted").EnumerateArray().Sum(n => n.GetInt32()), 10, int.MaxValue));
    }

    private static IEnumerable<string> Texts(JsonElement client, string name) => client.GetProperty(name).EnumerateArray().Select(t => t.GetString()!);

    private static int Unknown(AppReplicas replicas) => replicas.All.Cast<SignalRReplica>().Sum(r => r.Unknown);

    private static Task<AppReplicas> StartAsync(string backend, params string[] names) => AppReplicas.StartAsync(new GatewaySetup { Backend = backend }, SignalRReplica.StartAsync, names);
}
