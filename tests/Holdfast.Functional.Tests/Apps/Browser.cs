using Holdfast.Functional.Tests.Chromium;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>Chromium with a profile of its own.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;

    private Browser(DirectoryInfo folder, IBrowserContext context) => (_folder, Context) = (folder, context);

    public IBrowserContext Context { get; }

    /// <param name="flags">More flags.</param>
    public static async Task<Browser> LaunchAsync(IPlaywright playwright, params string[] flags)
    {
        var folder = Directory.CreateTempSubdirectory("holdfast-test-");
        try
        {
            return new Browser(folder, await playwright.Chromium.LaunchPersistentContextAsync(folder.FullName, new BrowserTypeLaunchPersistentContextOptions
            {
                ExecutablePath = Requires.Find("chromium"),
                Headless = true,
                IgnoreHTTPSErrors = true,
                Args = [.. ChatPageTests.Flags, .. flags],
            }));
        }
        catch
        {
            folder.Delete(recursive: true);
            throw;
        }
    }

    public async Task<IPage> OpenAsync(Uri url)
    {
        var page = await Context.NewPageAsync();
        page.SetDefaultTimeout((float)RawPeer.Patience.TotalMilliseconds);
        await page.GotoAsync(url.ToString());
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        await Context.CloseAsync();
        _folder.Delete(recursive: true);
    }
}
