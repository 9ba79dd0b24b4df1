using System.Text.Json;
using Holdfast.Functional.Tests.Holding;
using Holdfast.Functional.Tests.Rehearse;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Chromium;

/// <summary>A page with one WebSocket in a real browser: its servers come and go, and it never hears of a close that it has not asked for.</summary>
[Collection(NodeSamples.Collection)]
public sealed class HeldPageTests
{
    /// <summary>Keeps three questions under way until it is told to rest; what comes is kept, and how it ended.</summary>
    private const string Page = """
        () => new Promise(opened => {
          const held = window.held = { sent: 0, heard: [], closes: [], errors: 0, isResting: false };
          const socket = held.socket = new WebSocket(`ws://${location.host}/ws`);
          held.ask = () => socket.send(`${held.sent++}`);
          socket.onopen = () => { for (let i = 0; i < 3; i++) held.ask(); opened(); };
          socket.onmessage = event => { held.heard.push(event.data); if (!held.isResting) held.ask(); };
          socket.onerror = () => held.errors++;
          socket.onclose = event => held.closes.push(`${event.code} ${event.wasClean}`);
        })
        """;

    [Fact]
    public async Task A_page_keeps_its_connection_while_every_server_is_replaced_twice_and_one_is_killed()
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await using var servers = await NodeServers.StartAsync("ws-server.js", "protocol: opaque, patience: 5m", ["a", "b"]);
        using var playwright = await Playwright.CreateAsync();
        var folder = Directory.CreateTempSubdirectory("holdfast-test-");
        try
        {
            await using var browser = await playwright.Chromium.LaunchPersistentContextAsync(
                folder.FullName, new BrowserTypeLaunchPersistentContextOptions { ExecutablePath = Requires.Find("chromium"), Headless = true, Args = ChatPageTests.Flags });
            var page = await browser.NewPageAsync();
            page.SetDefaultTimeout((float)RawPeer.Patience.TotalMilliseconds);
            await page.GotoAsync($"http://127.0.0.1:{servers.Gateway.Address.Port}/");
            await page.EvaluateAsync(Page);
            foreach (var (old, next) in (IEnumerable<(string, string)>)[("a", "c"), ("b", "d"), ("c", "e"), ("d", "f")])
            {
                _ = await servers.AddAsync(next);
                await servers.DrainAsync(servers[old]);
                await servers.LeftAsync(servers[old]);
                servers[old].Terminate();
                await servers[old].Exited;
                await servers.RemoveAsync(servers[old]);
                await HearsFromAnotherThanAsync(page, old);
            }

            Assert.Equal(0, await servers.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));

            // What is under way into a crash may be lost: nothing is, and nothing is asked before another server is there.
            await RestAsync(page);
            var last = await servers.ConnectionsAsync(servers["e"]) > 0 ? "e" : "f";
            var rehomes = (int)await servers.Gateway.MetricAsync("holdfast_rehomes_total");
            Assert.InRange(rehomes, 2, 4);
            servers[last].Kill();
            await servers.CompletedAsync(rehomes + 1);
            await page.EvaluateAsync("() => { held.isResting = false; held.ask(); }");
            await HearsFromAnotherThanAsync(page, last);
            await RestAsync(page);

            // It leaves while nobody is there to be told.
            foreach (var server in servers.All)
                server.Kill();
            await servers.HeldAsync(1);
            Assert.Equal("[]", await page.EvaluateAsync<string>("() => JSON.stringify(held.closes)"));
            await page.EvaluateAsync("() => held.socket.close(1000, 'bye')");
            await page.WaitForFunctionAsync("() => held.closes.length > 0");
            Assert.Equal("""["1000 true"]""", await page.EvaluateAsync<string>("() => JSON.stringify(held.closes)"));
            Assert.Equal(0, await page.EvaluateAsync<int>("() => held.errors"));
            Assert.Equal(1, await servers.Gateway.MetricAsync("holdfast_rehomes_total", "outcome=\"client_gone\""));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What comes next to the page is from another server, so that it has one before more happens.</summary>
    private static async Task HearsFromAnotherThanAsync(IPage page, string server) =>
        await page.WaitForFunctionAsync("server => (held.heard.length > 0 && held.heard.at(-1).split(' ')[0] !== server) || held.closes.length > 0", server);

    /// <summary>Asks nothing more, and has an answer to each question, once and in order.</summary>
    private static async Task RestAsync(IPage page)
    {
        await page.EvaluateAsync("() => { held.isResting = true; }");
        await page.WaitForFunctionAsync("() => held.heard.length >= held.sent || held.closes.length > 0");
        var held = await page.EvaluateAsync<JsonElement>("() => ({ sent: held.sent, heard: held.heard })");
        Assert.Equal(
            Enumerable.Range(0, held.GetProperty("sent").GetInt32()),
            held.GetProperty("heard").EnumerateArray().Select(a => int.Parse(a.GetString()!.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture)));
    }
}
