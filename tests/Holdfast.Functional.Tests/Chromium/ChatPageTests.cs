using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Chromium;

/// <summary>The Showcase's page in a real browser, through <c>holdfast dev</c>.</summary>
public sealed class ChatPageTests
{
    /// <summary>Milliseconds by which a browser's clock and its timers may differ.</summary>
    private const int TimerSlack = 5;

    internal static readonly string[] Flags =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];

    [Fact]
    public async Task Pages_chat_through_the_gateway_and_come_back_when_their_replica_is_killed()
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "2");
        await dev.UntilReadyAsync(2);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await LaunchAsync(playwright, dev);

        // Three pages on two replicas: two of them share one, and only those hear each other.
        var pages = new List<ChatPage>();
        foreach (var name in (string[])["Ana", "Ben", "Cyd"])
            pages.Add(await ChatPage.OpenAsync(browser, dev.Port, name));
        var replicas = await Task.WhenAll(pages.Select(p => p.ReplicaAsync()));
        Assert.All(replicas, r => Assert.Matches("^replica-[12]$", r));
        var shared = replicas.GroupBy(r => r, StringComparer.Ordinal).Single(g => g.Count() >= 2).Key;
        var together = pages.Where((_, i) => replicas[i] == shared).ToList();

        await together[0].SayAsync("hello from one page");

        Assert.Equal(["hello from one page"], await together[1].UntilSaidAsync("hello from one page"));
        foreach (var elsewhere in pages.Except(together))
        {
            await elsewhere.SayAsync("nobody hears me here");
            Assert.Equal(["nobody hears me here"], await elsewhere.UntilSaidAsync("nobody hears me here"));
        }

        await Task.WhenAll(together.Select(p => p.MarkLogAsync()));
        using (var replica = Process.GetProcessById(dev.ProcessOf(shared)))
            replica.Kill();

        foreach (var page in together)
        {
            await page.UntilReconnectedAsync();
            await page.SayAsync("back again, " + page.Name);
            await page.UntilSaidAsync("back again, " + page.Name);
            Assert.Matches("^replica-[12]$", await page.ReplicaAsync());
        }
    }

    [Fact]
    public async Task Pages_keep_their_one_connection_while_every_replica_is_rolled_and_one_is_killed()
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await using var dev = DevProcess.Start("--replicas", "2");
        await dev.UntilReadyAsync(2);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await LaunchAsync(playwright, dev);
        await browser.AddInitScriptAsync(ChatPage.Recorder);
        var pages = new List<ChatPage>();
        foreach (var name in (string[])["Ana", "Ben"])
            pages.Add(await ChatPage.OpenAsync(browser, dev.Port, name));

        dev.Press("r");
        await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));
        foreach (var page in pages)
        {
            await page.SayUntilSeenAsync(page.Name + " is still here");
            Assert.Matches("^replica-[34]$", await page.ReplicaAsync());
        }

        var served = await pages[0].ReplicaAsync();
        using (var replica = Process.GetProcessById(dev.ProcessOf(served)))
            replica.Kill();
        await pages[0].UntilServedByAnotherAsync(served);
        await pages[0].SayUntilSeenAsync("and still");
        foreach (var page in pages)
            Assert.Empty(await page.ClosesAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pages_chat_on_while_every_replica_is_rolled(bool late)
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await using var dev = DevProcess.Start(["--replicas", "2", "--hold", "none", .. late ? ["--late"] : Array.Empty<string>()]);
        await dev.UntilReadyAsync(2);
        await dev.UntilEndpointsAsync(2);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await LaunchAsync(playwright, dev);
        await browser.AddInitScriptAsync(ChatPage.Recorder);
        var pages = new List<ChatPage>();
        foreach (var name in (string[])["Ana", "Ben", "Cyd"])
            pages.Add(await ChatPage.OpenAsync(browser, dev.Port, name));

        dev.Press("r");
        var rolling = dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));

        // Nobody stops talking before all is over, and everything said is seen in the end.
        await Task.WhenAll(pages.Select(async page =>
        {
            for (var count = 0; !rolling.IsCompleted; count++)
                await page.SayUntilSeenAsync(string.Create(CultureInfo.InvariantCulture, $"{page.Name} says {count}"));
            await page.SayUntilSeenAsync($"{page.Name} is done");
        }));
        await rolling;

        // The page left the replicas that were, each time for the right reason, and when asked to wait it waited.
        await dev.UntilEndpointsAsync(2);
        var closes = (await Task.WhenAll(pages.Select(p => p.ClosesAsync()))).SelectMany(c => c).ToList();
        Assert.InRange(closes.Count, pages.Count, 3 * pages.Count);
        foreach (var page in pages)
        {
            await page.UntilConnectedAsync();
            Assert.Matches("^replica-[34]$", await page.ReplicaAsync());
        }

        foreach (var close in closes)
        {
            Assert.Equal(late ? 1001 : 1012, close.Code);
            Assert.Matches(late ? "^this replica is stopping$" : "^retry-after=[0-9]+$", close.Reason);
            if (!late)
                Assert.True(close.Waited >= int.Parse(close.Reason.Split('=')[1], CultureInfo.InvariantCulture) - TimerSlack, close.ToString());
        }

        var ends = (await dev.AdminUntilAsync("v1/ends?limit=256", e => e["ends"]!.AsArray().Count == closes.Count))["ends"]!.AsArray();
        Assert.All(ends, e => Assert.Equal(late ? "upstream_close" : "drained", (string?)e!["reason"]));
    }

    private static Task<IBrowserContext> LaunchAsync(IPlaywright playwright, DevProcess dev) => playwright.Chromium.LaunchPersistentContextAsync(
        Directory.CreateDirectory(Path.Combine(dev.Temporary, "chromium")).FullName,
        new BrowserTypeLaunchPersistentContextOptions { ExecutablePath = Requires.Find("chromium"), Headless = true, Args = Flags });

    /// <summary>How a page's connection was closed, and for how many milliseconds it then waited.</summary>
    private sealed record Close(int Code, string Reason, double Waited);

    private sealed record ChatPage(string Name, IPage Page)
    {
        private const string Seen = "text => [...document.querySelectorAll('#log .said .text')].some(e => e.textContent === text)";

        /// <summary>Keeps when each WebSocket was opened and how it was closed.</summary>
        public const string Recorder = """
            window.closes = [];
            window.WebSocket = class extends WebSocket {
              constructor(...args) {
                const last = window.closes.at(-1);
                if (last) last.waited = performance.now() - last.at;
                super(...args);
                this.addEventListener("close", e => window.closes.push({ code: e.code, reason: e.reason, at: performance.now(), waited: 0 }));
              }
            };
            """;

        public static async Task<ChatPage> OpenAsync(IBrowserContext browser, int port, string name)
        {
            var page = await browser.NewPageAsync();
            page.SetDefaultTimeout(30_000);
            await page.GotoAsync(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/?room=lobby&name={name}"));
            await page.Locator("#state[data-state=connected]").WaitForAsync();
            return new ChatPage(name, page);
        }

        public Task<string> ReplicaAsync() => Page.Locator("#replica").InnerTextAsync();

        public async Task SayAsync(string text)
        {
            await Page.Locator("#message").FillAsync(text);
            await Page.Locator("#send").ClickAsync();
        }

        /// <summary>All that was said in this page, once the text is among it.</summary>
        public async Task<IReadOnlyList<string>> UntilSaidAsync(string text)
        {
            await Page.Locator("#log .said .text", new PageLocatorOptions { HasTextString = text }).First.WaitForAsync();
            return await Page.Locator("#log .said .text").AllInnerTextsAsync();
        }

        /// <summary>As a person would: says it again when the connection was closed before it was seen.</summary>
        public async Task SayUntilSeenAsync(string text)
        {
            while (true)
            {
                var closes = (await ClosesAsync()).Count;
                await SayAsync(text);
                await Page.WaitForFunctionAsync($"([text, closes]) => ({Seen})(text) || window.closes.length > closes", new object[] { text, closes });
                if (await Page.EvaluateAsync<bool>(Seen, text))
                    return;
                await UntilConnectedAsync();
            }
        }

        public async Task UntilConnectedAsync() => await Page.Locator("#state[data-state=connected]").WaitForAsync();

        public async Task<IReadOnlyList<Close>> ClosesAsync() => (await Page.EvaluateAsync<JsonElement>("() => window.closes")).EnumerateArray()
            .Select(c => new Close(c.GetProperty("code").GetInt32(), c.GetProperty("reason").GetString()!, c.GetProperty("waited").GetDouble())).ToList();

        /// <summary>A new connection empties the log, and with it this mark goes.</summary>
        public async Task MarkLogAsync() => await Page.EvaluateAsync("() => { document.querySelector('#log > *').dataset.old = 'yes'; }");

        public async Task UntilServedByAnotherAsync(string replica) => await Page.WaitForFunctionAsync(
            "name => document.getElementById('replica').innerText !== name", replica);

        public async Task UntilReconnectedAsync() => await Page.WaitForFunctionAsync(
            "() => !document.querySelector('[data-old]') && document.getElementById('state').dataset.state === 'connected'");
    }
}
