using System.Globalization;
using System.Net.NetworkInformation;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;
using Microsoft.Playwright;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>Chromium over TLS: a page, fetch, events, uploads and a WebSocket, in HTTP/1.1 and all over one HTTP/2 connection (RFC 8441), while every server is replaced.</summary>
[Collection(AppParts.Collection)]
public sealed class BrowserTlsTests
{
    private const string Held = "slowStart: 0s, drain: {duration: 0s}, hold: {protocol: opaque, quiet: 100ms, patience: 5m}";

    /// <summary>Keeps questions under way and remembers the answers, and how it ended.</summary>
    private const string Socket = """
        () => new Promise(opened => {
          const held = window.held = { sent: 0, heard: [], closes: [], errors: 0, isResting: false };
          const socket = held.socket = new WebSocket(`wss://${location.host}/ws`);
          held.ask = () => socket.send(`${held.sent++}`);
          socket.onopen = () => { for (let i = 0; i < 3; i++) held.ask(); opened(); };
          socket.onmessage = event => { held.heard.push(event.data); if (!held.isResting) held.ask(); };
          socket.onerror = () => held.errors++;
          socket.onclose = event => held.closes.push(`${event.code} ${event.wasClean}`);
        })
        """;

    /// <summary>Asks the server its name all the time.</summary>
    private const string Fetches = """
        () => {
          const fetched = window.fetched = { names: [], faults: [], isOver: false };
          fetched.done = (async () => {
            while (!fetched.isOver) {
              try {
                const answer = await fetch('/who');
                answer.ok ? fetched.names.push(await answer.text()) : fetched.faults.push(`${answer.status} ${await answer.text()}`);
              } catch (error) { fetched.faults.push(`${error}`); }
              await new Promise(done => setTimeout(done, 5));
            }
          })();
        }
        """;

    [Theory]
    [InlineData("http/1.1", "http/1.1")]
    [InlineData("h2, http/1.1", "h2")]
    public async Task A_page_has_everything_over_TLS_and_keeps_its_socket_while_every_server_is_replaced(string alpn, string protocol)
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        using var certificates = new AppCertificates();
        await using var replicas = await AppReplicas.StartAsync(
            new GatewaySetup { Backend = Held, Listeners = [certificates.Listener("tls", alpn)] }, PageReplica.StartAsync, "a", "b");
        var port = replicas.Gateway.Host.Addresses[1].Port;
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Browser.LaunchAsync(playwright);
        var page = await browser.OpenAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{port}/")));
        Assert.Equal(protocol, await page.EvaluateAsync<string>("() => performance.getEntriesByType('navigation')[0].nextHopProtocol"));
        Assert.Matches("^[ab]$", await page.EvaluateAsync<string>("async () => (await fetch('/who')).text()"));

        // SHA-256 of 5,000,000 zeros.
        Assert.Equal(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(new byte[5_000_000])),
            await page.EvaluateAsync<string>("async () => (await fetch('/upload', { method: 'POST', body: new Uint8Array(5000000) })).text()"));
        await CheckEventsAsync(page, replicas);

        await page.EvaluateAsync(Socket);
        await page.EvaluateAsync(Fetches);
        await page.WaitForFunctionAsync("() => fetched.names.length > 3 && held.heard.length > 3");

        // While the socket is open requests go through: with HTTP/2 over the same connection, the only one there is.
        if (protocol == "h2")
            await Processes.UntilAsync(() => Connections(port) == 1, "the browser had one connection");
        else
            Assert.InRange(Connections(port), 2, int.MaxValue);

        await replicas.RollAsync(["c", "d"], old => HearsFromAnotherThanAsync(page, old));

        await RestAsync(page);
        var held = await page.EvaluateAsync<JsonElement>("() => ({ sent: held.sent, heard: held.heard, closes: held.closes, errors: held.errors })");
        Assert.Empty(held.GetProperty("closes").EnumerateArray());
        Assert.Equal(0, held.GetProperty("errors").GetInt32());
        var heard = held.GetProperty("heard").EnumerateArray().Select(h => h.GetString()!.Split(' ')).ToList();
        Assert.Equal(Enumerable.Range(0, held.GetProperty("sent").GetInt32()), heard.Select(h => int.Parse(h[1], CultureInfo.InvariantCulture)));
        Assert.Matches("^[cd]$", heard[^1][0]);

        await page.EvaluateAsync("async () => { fetched.isOver = true; await fetched.done; }");
        var fetched = await page.EvaluateAsync<JsonElement>("() => ({ names: fetched.names, faults: fetched.faults })");
        Assert.Empty(fetched.GetProperty("faults").EnumerateArray().Select(f => f.GetString()));
        Assert.Matches("^[cd]$", fetched.GetProperty("names").EnumerateArray().Last().GetString()!);
        Assert.Equal(0, await replicas.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));

        await page.EvaluateAsync("() => new Promise(closed => { held.socket.addEventListener('close', closed); held.socket.close(1000); })");
        await page.CloseAsync();
        await replicas.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_page_is_sent_from_http_to_https()
    {
        if (Requires.Tool("chromium") is { } missing)
            Assert.Skip(missing);
        using var certificates = new AppCertificates();
        var port = Processes.FreePort();
        await using var replicas = await AppReplicas.StartAsync(
            new GatewaySetup
            {
                Listeners = [certificates.Listener("tls", "h2, http/1.1").Replace("127.0.0.1:0", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), StringComparison.Ordinal)],
                Route = "listeners: [tls]",
                Routes = [string.Create(CultureInfo.InvariantCulture, $"path: {{prefix: /}}, listeners: [web], filters: [{{redirect: {{scheme: https, port: {port}, status: 308}}}}]")],
            },
            PageReplica.StartAsync, "a");
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Browser.LaunchAsync(playwright);
        var page = await browser.OpenAsync(replicas.Url("/?x=1"));
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{port}/?x=1"), page.Url);
        Assert.Equal("page", await page.TitleAsync());
        Assert.Equal("a", await page.EvaluateAsync<string>("async () => (await fetch('/who')).text()"));
    }

    /// <summary>Each event is seen before the next is sent.</summary>
    private static async Task CheckEventsAsync(IPage page, AppReplicas replicas)
    {
        await page.EvaluateAsync("() => { window.events = []; window.source = new EventSource('/events'); source.onmessage = event => events.push(event.data); }");
        using var http = new HttpClient();
        for (var n = 0; n < 5; n++)
        {
            await page.WaitForFunctionAsync("n => events.length === n + 1 && events[n] === `${n}`", n);
            foreach (var replica in replicas.All)
                using (await http.PostAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{replica.Port}/next?n={n + 1}")), null)) { }
        }

        await page.EvaluateAsync("() => source.close()");
    }

    /// <summary>Connections that the gateway has with clients on this port.</summary>
    private static int Connections(int port) => IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
        .Count(c => c.State == TcpState.Established && c.LocalEndPoint.Port == port);

    private static async Task HearsFromAnotherThanAsync(IPage page, string server) => await page.WaitForFunctionAsync(
        "old => { const last = held.heard.at(-1); return last && last.split(' ')[0] !== old && fetched.names.at(-1) !== old; }", server);

    /// <summary>Every question is answered.</summary>
    private static async Task RestAsync(IPage page)
    {
        await page.EvaluateAsync("() => { held.isResting = true; }");
        await page.WaitForFunctionAsync("() => held.heard.length === held.sent");
    }
}
