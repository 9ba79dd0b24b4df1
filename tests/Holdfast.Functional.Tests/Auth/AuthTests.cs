using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Holding;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>External auth in a gateway's way of handshakes and of plain requests.</summary>
public sealed class AuthTests : IDisposable
{
    private const string Ok = "HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 0\r\n\r\n";

    private readonly Socket _endpoints = RawPeer.Listen();

    public void Dispose() => _endpoints.Dispose();

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task What_the_service_says_reaches_the_endpoint_and_what_clients_say_under_its_names_does_not(bool upgrade, bool trusted)
    {
        using var service = new AuthService(Ok);
        await using var gateway = await StartAsync(service, "copyHeaders: [x-user, X-Group, authorization]", listener: trusted ? "trustedProxies: [127.0.0.0/8]" : "");
        using var client = gateway.Connect();
        Ask(client, upgrade, "/ws?a=%20b", "X-User: forged", "x-user: forged", "X_User: forged", "x-GROUP: forged", "Authorization: Bearer t", "Connection: X-User", "X-Forwarded-For: 198.51.100.9",
            "X-Forwarded-Proto: https", "X-Forwarded-Host: outer.example", "X-Other: kept");
        using var endpoint = RawPeer.Accept(_endpoints);
        var told = endpoint.ReceiveHead();
        Assert.Equal(["ann"], Upgrades.Values(told, "X-User"));
        Assert.Empty(Upgrades.Values(told, "Authorization"));
        Assert.Equal("kept", Upgrades.Value(told, "X-Other"));
        Assert.DoesNotContain("forged", told, StringComparison.Ordinal);
        Assert.StartsWith("GET /ws?a=%20b HTTP/1.1\r\n", told, StringComparison.Ordinal);

        var asked = Assert.Single(service.Heads);
        Assert.Equal(
            ("GET", "/ws?a=%20b", trusted ? "https" : "http", trusted ? "outer.example" : "test.example", trusted ? "198.51.100.9" : "127.0.0.1", "Bearer t"),
            (Upgrades.Value(asked, "X-Forwarded-Method"), Upgrades.Value(asked, "X-Forwarded-Uri"), Upgrades.Value(asked, "X-Forwarded-Proto"), Upgrades.Value(asked, "X-Forwarded-Host"),
                Upgrades.Value(asked, "X-Forwarded-For"), Upgrades.Value(asked, "Authorization")));
        Answer(upgrade, endpoint, told, client);
        client.Dispose();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(true, "GET")]
    [InlineData(false, "GET")]
    [InlineData(false, "HEAD")]
    [InlineData(false, "POST")]
    public async Task A_refusal_is_relayed_with_its_body_and_no_endpoint_hears_of_it(bool upgrade, string method)
    {
        using var service = new AuthService("HTTP/1.1 401 Who\r\nWWW-Authenticate: Bearer\r\nContent-Type: text/x\r\nSet-Cookie: a=1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwho?\n\r\n0\r\n\r\n");
        await using var gateway = await StartAsync(service);
        using var client = gateway.Connect();
        if (upgrade)
            client.Send(Upgrades.Request());
        else
            client.Send($"{method} / HTTP/1.1\r\nHost: test.example\r\n{(method == "POST" ? "Content-Length: 1000000\r\nExpect: 100-continue\r\n" : "")}\r\n");
        var head = client.ReceiveHead();
        Assert.Equal((401, "Bearer", "text/x", "a=1", "5", upgrade || method == "POST" ? "close" : null), (Upgrades.Status(head), Upgrades.Value(head, "WWW-Authenticate"), Upgrades.Value(head, "Content-Type"),
            Upgrades.Value(head, "Set-Cookie"), Upgrades.Value(head, "Content-Length"), Upgrades.Value(head, "Connection")));
        Assert.Equal(method == "HEAD" ? "" : "who?\n", Encoding.ASCII.GetString(client.Receive(method == "HEAD" ? 0 : 5)));

        Assert.Equal(method, Upgrades.Value(Assert.Single(service.Heads), "X-Forwarded-Method"));
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead));
        await gateway.SettledAsync();
        if (upgrade)
            Assert.Equal(1, await gateway.MetricAsync("holdfast_handshakes_total", "outcome=\"auth_refused\""));
    }

    [Theory]
    [InlineData(true, "HTTP/1.1 500 s3cret\r\nContent-Length: 6\r\n\r\ns3cret")]
    [InlineData(false, "HTTP/1.1 500 s3cret\r\nContent-Length: 6\r\n\r\ns3cret")]
    [InlineData(true, "HTTP/1.1 302 Found\r\nLocation: /s3cret\r\nContent-Length: 0\r\n\r\n")]
    [InlineData(false, "HTTP/1.1 302 Found\r\nLocation: /s3cret\r\nContent-Length: 0\r\n\r\n")]
    [InlineData(true, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ns3cret")]
    [InlineData(false, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ns3cret")]
    [InlineData(true, "s3cret\r\n\r\n")]
    [InlineData(false, "s3cret\r\n\r\n")]
    public async Task A_service_that_fails_means_503_for_the_client_without_a_secret_and_no_endpoint_hears_of_it(bool upgrade, string answer)
    {
        using var service = new AuthService(answer) { Act = (_, _) => { } };
        await using var gateway = await StartAsync(service);
        using var client = gateway.Connect();
        Ask(client, upgrade, "/?token=s3cret", "Cookie: s3cret", "Authorization: Bearer s3cret");
        var head = client.ReceiveHead();
        Assert.Equal((503, "1"), (Upgrades.Status(head), Upgrades.Value(head, "Retry-After")));
        var body = Encoding.ASCII.GetString(client.Receive(int.Parse(Upgrades.Value(head, "Content-Length")!, CultureInfo.InvariantCulture)));
        Assert.Contains("The auth service ", body, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", head + body, StringComparison.Ordinal);

        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead));
        await gateway.SettledAsync();
        if (upgrade)
            Assert.DoesNotContain("s3cret", (await gateway.Log.OfAsync(client)).GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_that_is_down_or_too_slow_means_503_too(bool upgrade)
    {
        using var slow = new AuthService("") { Act = (peer, head) => _ = peer.ReceiveToEnd() };
        foreach (var url in (string[])[$"http://127.0.0.1:{Processes.FreePort()}/", slow.Url.ToString()])
        {
            await using var gateway = await GatewayFixture.StartAsync(Setup() with { Backend = $"slowStart: 0s, auth: {{url: \"{url}\", timeout: 300ms}}" });
            using var client = gateway.Connect();
            Ask(client, upgrade, "/");
            Assert.Equal(503, Upgrades.Status(client.ReceiveHead()));
            await gateway.SettledAsync();
            await Processes.UntilAsync(() => InFlight(gateway) == 0, "no question was under way");
        }

        await Processes.UntilAsync(() => slow.Open == 0, "the question was given up");
    }

    [Fact]
    public async Task Nobody_is_asked_about_what_is_refused_before()
    {
        using var service = new AuthService(Ok);
        await using var gateway = await GatewayFixture.StartAsync(Setup() with
        {
            Backend = $"slowStart: 0s, limits: {{connectionsPerClientAddress: 1}}, auth: {{url: \"{service.Url}\"}}",
        });
        using var first = gateway.Connect();
        first.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(first.ReceiveHead()));

        Assert.Equal(403, Of(Upgrades.Request("/", "Origin: http://other.example")));
        Assert.Equal(429, Of(Upgrades.Request()));
        Assert.Equal(400, Of(Upgrades.Request("/", "Content-Length: 5")));
        Assert.Single(service.Heads);

        int Of(string request)
        {
            using var client = gateway.Connect();
            client.Send(request);
            return Upgrades.Status(client.ReceiveHead());
        }
    }

    [Fact]
    public async Task A_storm_of_handshakes_reaches_it_a_few_at_a_time_and_all_are_admitted()
    {
        const int Most = 4, Clients = 200;
        using var echo = new EchoEndpoint();
        var atOnce = new SemaphoreSlim(0);
        using var service = new AuthService(_ =>
        {
            atOnce.Wait(RawPeer.Patience);
            return Ok;
        });
        await using var gateway = await GatewayFixture.StartAsync(Setup() with
        {
            Endpoints = [echo.Port],
            Backend = $"slowStart: 0s, handshakes: {{queueTimeout: 60s, inFlightPerEndpoint: 0}}, auth: {{url: \"{service.Url}\", maxInFlight: {Most}, timeout: 60s}}",
        });
        var clients = Enumerable.Range(0, Clients).Select(_ => gateway.Connect()).ToArray();
        foreach (var client in clients)
            client.Send(Upgrades.Request());
        await Processes.UntilAsync(() => service.UnderWay == Most, "as many questions were under way as may");
        atOnce.Release(Clients);
        foreach (var client in clients)
            Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));

        Assert.Equal((Clients, Most), (service.Heads.Count, service.MostUnderWay));
        Assert.InRange(service.Connections, 1, Most);
        foreach (var client in clients)
            client.Dispose();
        await gateway.SettledAsync();
        Assert.Equal(0, InFlight(gateway));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_takes_its_question_with_it(bool upgrade)
    {
        using var service = new AuthService("") { Act = (peer, head) => _ = peer.ReceiveToEnd() };
        await using var gateway = await StartAsync(service, "timeout: 60s, maxInFlight: 1");
        using (var client = gateway.Connect())
        {
            Ask(client, upgrade, "/");
            await Processes.UntilAsync(() => service.Heads.Count == 1, "it was asked");
        }

        await Processes.UntilAsync(() => service.Open == 0 && InFlight(gateway) == 0, "the question was given up");
        (service.Answer, service.Act) = (_ => Ok, null);
        using var next = gateway.Connect();
        Ask(next, upgrade, "/");
        using var endpoint = RawPeer.Accept(_endpoints);
        Answer(upgrade, endpoint, endpoint.ReceiveHead(), next);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whoever_is_asked_about_when_the_service_changes_ends_with_the_one_before_and_who_waits_with_the_new_one(bool upgrade)
    {
        var go = new ManualResetEventSlim();
        using var before = new AuthService(_ =>
        {
            go.Wait(RawPeer.Patience);
            return Ok;
        });
        using var after = new AuthService("HTTP/1.1 200 OK\r\nX-Group: staff\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await StartAsync(before, "copyHeaders: [x-user], maxInFlight: 1, timeout: 60s");
        using var asked = gateway.Connect();
        Ask(asked, upgrade, "/asked", "X-User: forged", "X-Group: own");
        await Processes.UntilAsync(() => before.UnderWay == 1, "the first was asked about");
        using var waits = gateway.Connect();
        if (upgrade)
        {
            // For the one place that the service before has.
            Ask(waits, upgrade, "/next", "X-User: own", "X-Group: forged");
            await Processes.UntilAsync(() => gateway.Host.Runtime.Backends.Single(b => b.Name == "test").Queue.Count == 1, "the second waited");
        }

        await gateway.ApplyAsync(With(after, "copyHeaders: [x-group]"));
        if (!upgrade)
            Ask(waits, upgrade, "/next", "X-User: own", "X-Group: forged");
        Assert.Equal(("/next", "own", "staff"), Serve(waits));
        go.Set();
        Assert.Equal(("/asked", "ann", "own"), Serve(asked));
        Assert.Equal((1, 1), (before.Heads.Count, after.Heads.Count));
        await Processes.UntilAsync(() => before.Open == 0, "the former service's connections were closed");

        (string Target, string? User, string? Group) Serve(RawPeer client)
        {
            using var endpoint = RawPeer.Accept(_endpoints);
            var told = endpoint.ReceiveHead();
            Answer(upgrade, endpoint, told, client);
            return (told.Split(' ')[1], Upgrades.Value(told, "X-User"), Upgrades.Value(told, "X-Group"));
        }
    }

    [Fact]
    public async Task A_rehome_tells_the_next_endpoint_what_the_service_said_and_does_not_ask_again()
    {
        using var service = new AuthService(Ok);
        await using var peers = await HeldPeers.StartAsync(
            "protocol: opaque, quiet: 50ms", request: ["X-User: forged"], backend: $", auth: {{url: \"{service.Url}\", copyHeaders: [x-user]}}");
        Assert.Equal(["ann"], Upgrades.Values(peers.FirstHead, "X-User"));
        peers.First.Reset();
        _ = peers.TakeOver(1, out var head);
        Assert.Equal(["ann"], Upgrades.Values(head, "X-User"));
        Assert.Equal("1", Upgrades.Value(head, "Holdfast-Rehomed"));
        Assert.Single(service.Heads);
    }

    [Fact]
    public async Task A_head_that_has_no_room_for_what_the_service_adds_is_refused()
    {
        using var service = new AuthService($"HTTP/1.1 200 OK\r\nX-User: {new string('u', 8000)}\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await StartAsync(service, "copyHeaders: [x-user]");
        using var client = gateway.Connect();
        client.Send(Upgrades.Request("/", $"X-Long: {new string('x', 26_000)}"));
        Assert.Equal(503, Upgrades.Status(client.ReceiveHead()));
        using var fits = gateway.Connect();
        fits.Send(Upgrades.Request("/", $"X-Long: {new string('x', 24_000)}"));
        using var endpoint = RawPeer.Accept(_endpoints);
        Assert.Equal(8000, Upgrades.Value(endpoint.AnswerUpgrade(), "X-User")!.Length);
        Assert.Equal(101, Upgrades.Status(fits.ReceiveHead()));
    }

    [Fact]
    public async Task A_body_goes_to_the_endpoint_alone_and_waits_for_the_answer()
    {
        var go = new ManualResetEventSlim();
        using var service = new AuthService(_ =>
        {
            go.Wait(RawPeer.Patience);
            return Ok;
        });
        await using var gateway = await StartAsync(service, "timeout: 60s");
        using var client = gateway.Connect();
        client.Send("POST /up HTTP/1.1\r\nHost: test.example\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody");
        await Processes.UntilAsync(() => service.UnderWay == 1, "it was asked");
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead));
        go.Set();
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        Assert.Equal("body"u8.ToArray(), endpoint.Receive(4));

        var asked = Assert.Single(service.Heads);
        Assert.Equal(("POST", null, null), (Upgrades.Value(asked, "X-Forwarded-Method"), Upgrades.Value(asked, "Content-Length"), Upgrades.Value(asked, "Transfer-Encoding")));
    }

    private static int InFlight(GatewayFixture gateway) => gateway.Host.Runtime.Backends.Single(b => b.Name == "test").Auth!.InFlight;

    private static void Ask(RawPeer client, bool upgrade, string target, params string[] lines) => client.Send(upgrade
        ? Upgrades.Request(target, lines)
        : $"GET {target} HTTP/1.1\r\nHost: test.example\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");

    private static void Answer(bool upgrade, RawPeer endpoint, string told, RawPeer client)
    {
        endpoint.Send(upgrade ? Upgrades.Switching(told) : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.Equal(upgrade ? 101 : 200, Upgrades.Status(client.ReceiveHead()));
    }

    private GatewaySetup Setup() => new() { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port] };

    private GatewaySetup With(AuthService service, string more) =>
        Setup() with { Backend = $"slowStart: 0s, auth: {{url: \"{service.Url}\"{(more.Length == 0 ? "" : ", " + more)}}}" };

    private Task<GatewayFixture> StartAsync(AuthService service, string more = "", string listener = "") =>
        GatewayFixture.StartAsync(With(service, more) with { Listener = listener });
}
