using System.Diagnostics;
using System.Globalization;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Chromium;

/// <summary>The Showcase's page in a real browser, through <c>holdfast dev</c>.</summary>
public sealed class ChatPageTests
{
    private static readonly string[] Flags =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];

    [Fact]
    public async Task Pages_chat_through_the_gateway_and_come_back_when_their_replica_is_killed()
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        await using var dev = DevProcess.Start("--replicas", "2");
        await dev.UntilReadyAsync(2);
        using var playwright = await Playwright.CreateAsync();
        var profile = Directory.CreateDirectory(Path.Combine(dev.Temporary, "chromium")).FullName;
        await using var browser = await playwright.Chromium.LaunchPersistentContextAsync(
            profile, new BrowserTypeLaunchPersistentContextOptions { ExecutablePath = Requires.Find("chromium"), Headless = true, Args = Flags });

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

    private sealed record ChatPage(string Name, IPage Page)
    {
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

        /// <summary>A new connection empties the log, and with it this mark goes.</summary>
        public async Task MarkLogAsync() => await Page.EvaluateAsync("() => { document.querySelector('#log > *').dataset.old = 'yes'; }");

        public async Task UntilReconnectedAsync() => await Page.WaitForFunctionAsync(
            "() => !document.querySelector('[data-old]') && document.getElementById('state').dataset.state === 'connected'");
    }
}
