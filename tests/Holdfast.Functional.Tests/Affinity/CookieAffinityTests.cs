using System.Net;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Affinity;

/// <summary>Sessions by cookie, over real sockets.</summary>
public sealed class CookieAffinityTests : IDisposable
{
    private readonly NamedEndpoint[] _endpoints = NamedEndpoint.Start(3);
    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-affinity-").FullName;

    [Fact]
    public async Task A_session_begun_by_a_plain_request_or_an_upgrade_stays_at_its_endpoint_for_both()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup());
        for (var i = 0; i < 6; i++)
        {
            var visitor = new Visitor(gateway.Address);
            var home = i % 2 == 0 ? visitor.Get() : visitor.Visit();
            Assert.Matches("^holdfast=[A-Za-z0-9_-]{40}; Path=/; HttpOnly; SameSite=Lax$", visitor.SetCookie);
            for (var again = 0; again < 4; again++)
            {
                Assert.Equal(home, visitor.Get());
                Assert.Null(visitor.SetCookie);
                Assert.Equal(home, visitor.Visit());
                Assert.Null(visitor.SetCookie);
            }

            Assert.Equal("theme=dark; " + visitor.Cookie, _endpoints.Single(e => e.Port == home).Cookie);
        }

        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Sessions_without_a_cookie_and_with_a_forged_one_are_spread_and_get_one()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup());
        var clients = new List<RawPeer>();
        var homes = Enumerable.Range(0, 6).Select(i =>
        {
            var visitor = new Visitor(gateway.Address) { Cookie = i < 3 ? null : "holdfast=" + new string('A', 40) };
            var home = visitor.Open(out var client);
            clients.Add(client);
            Assert.NotNull(visitor.SetCookie);
            return home;
        }).ToArray();
        Assert.All(_endpoints, e => Assert.Equal(2, homes.Count(h => h == e.Port)));
        clients.ForEach(c => c.Dispose());
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_session_whose_endpoint_died_moves_on_and_stays_there()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup());
        var visitor = new Visitor(gateway.Address);
        var home = visitor.Visit();
        _endpoints.Single(e => e.Port == home).StopListening();
        var next = visitor.Visit();
        Assert.NotEqual(home, next);
        Assert.NotNull(visitor.SetCookie);
        Assert.Equal(next, visitor.Get());
        Assert.Null(visitor.SetCookie);
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_draining_endpoint_keeps_its_sessions_while_the_drain_runs_and_closes_their_connections()
    {
        await using var gateway = await GatewayFixture.StartAsync(
            Setup("drain: {delay: 60s, duration: 10s}, keepAlive: {pingInterval: 0s}"), manualTime: true);
        var visitor = new Visitor(gateway.Address);
        var home = visitor.Visit();
        Assert.Equal(HttpStatusCode.OK, await gateway.SendAsync(HttpMethod.Post, $"/v1/backends/test/endpoints/127.0.0.1:{home}/drain"));
        Assert.NotEqual(home, new Visitor(gateway.Address).Visit());
        Assert.Equal(home, visitor.Open(out var returned));
        Assert.Null(visitor.SetCookie);
        Assert.Equal(home, visitor.Get());

        // It came after the drain had begun, and is closed with the others.
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(71));
        var close = returned.ReceiveFrame();
        Assert.Equal((Frames.Close, 1012), (close.Opcode, (close.Payload[0] << 8) | close.Payload[1]));
        returned.Dispose();
        var next = visitor.Visit();
        Assert.NotEqual(home, next);
        Assert.NotNull(visitor.SetCookie);
        Assert.Equal(next, visitor.Get());
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_was_removed_keeps_its_sessions_until_its_drain_is_over()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup("drain: {delay: 60s, duration: 10s}, keepAlive: {pingInterval: 0s}"), manualTime: true);
        var visitor = new Visitor(gateway.Address);
        var home = visitor.Visit();
        await gateway.SettledAsync();
        await gateway.ApplyAsync(Setup("drain: {delay: 60s, duration: 10s}, keepAlive: {pingInterval: 0s}") with { Endpoints = [.. _endpoints.Select(e => e.Port).Where(p => p != home)] });

        // Nothing is connected there, but a session that polls may be.
        gateway.Host.Runtime.ForgetGone();
        Assert.Equal(home, visitor.Get());
        Assert.Equal(home, visitor.Visit());
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(71));
        Assert.NotEqual(home, visitor.Get());
        await gateway.SettledAsync();
        await Processes.UntilAsync(() => gateway.Host.Runtime.Backends.All(b => b.Leaving.Length == 0), "the endpoint was forgotten");
    }

    [Fact]
    public async Task Gateways_that_share_a_secret_share_sessions_also_over_restarts()
    {
        var secret = Secret("a", '1');
        await using var one = await GatewayFixture.StartAsync(Setup(secret: secret));
        await using var two = await GatewayFixture.StartAsync(Setup(secret: secret));
        await using var other = await GatewayFixture.StartAsync(Setup(secret: Secret("b", '2')));
        for (var i = 0; i < 5; i++)
        {
            var visitor = new Visitor(one.Address);
            var home = visitor.Visit();
            var elsewhere = new Visitor(two.Address) { Cookie = visitor.Cookie };
            Assert.Equal(home, elsewhere.Visit());
            Assert.Null(elsewhere.SetCookie);
            var stranger = new Visitor(other.Address) { Cookie = visitor.Cookie };
            _ = stranger.Visit();
            Assert.NotNull(stranger.SetCookie);
        }
    }

    [Fact]
    public async Task Without_a_secret_file_a_restart_binds_everyone_anew()
    {
        string? cookie;
        await using (var gateway = await GatewayFixture.StartAsync(Setup()))
        {
            var visitor = new Visitor(gateway.Address);
            _ = visitor.Visit();
            cookie = visitor.Cookie;
        }

        await using var again = await GatewayFixture.StartAsync(Setup());
        var returning = new Visitor(again.Address) { Cookie = cookie };
        _ = returning.Visit();
        Assert.NotNull(returning.SetCookie);
    }

    [Fact]
    public async Task A_secret_that_cannot_be_read_rejects_the_change_and_stops_no_gateway()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup(secret: Secret("a", '1')));
        var visitor = new Visitor(gateway.Address);
        var home = visitor.Visit();
        foreach (var (file, why) in new[] { (Path.Combine(_folder, "none"), "there is no such file"), (Secret("short", '3', 31), "31 bytes") })
        {
            var fault = await Assert.ThrowsAsync<IOException>(() => gateway.ApplyAsync(Setup("slowStart: 1s", file)));
            Assert.StartsWith("backends.test.affinity.cookie.secretFile: " + file, fault.Message, StringComparison.Ordinal);
            Assert.Contains(why, fault.Message, StringComparison.Ordinal);
            Assert.Equal(home, visitor.Visit());
            Assert.Null(visitor.SetCookie);
            var start = await Assert.ThrowsAsync<IOException>(() => GatewayFixture.StartAsync(Setup(secret: file)));
            Assert.Equal(fault.Message, start.Message);
        }

        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData("127.0.0.0/8", "https", true)]
    [InlineData("127.0.0.0/8", "http", false)]
    [InlineData("10.0.0.0/8", "https", false)]
    public async Task It_is_secure_for_clients_that_a_trusted_proxy_had_over_TLS(string trusted, string proto, bool isSecure)
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup() with { Listener = $"trustedProxies: [{trusted}]" });
        var (socket, page) = (new Visitor(gateway.Address), new Visitor(gateway.Address));
        _ = socket.Visit("/ws", "X-Forwarded-Proto: " + proto);
        _ = page.Get("/", "X-Forwarded-Proto: " + proto);
        Assert.Equal(isSecure, socket.SetCookie!.EndsWith("; Secure", StringComparison.Ordinal));
        Assert.Equal(isSecure, page.SetCookie!.EndsWith("; Secure", StringComparison.Ordinal));
    }

    public void Dispose()
    {
        Array.ForEach(_endpoints, e => e.Dispose());
        Directory.Delete(_folder, recursive: true);
    }

    private GatewaySetup Setup(string more = "", string? secret = null) => new()
    {
        Endpoints = [.. _endpoints.Select(e => e.Port)],
        Backend = (more.Contains("slowStart", StringComparison.Ordinal) ? "" : "slowStart: 0s, ") + (more.Length > 0 ? more + ", " : "")
            + $"affinity: {{cookie: {(secret is null ? "{}" : $"{{secretFile: \"{secret}\"}}")}}}",
    };

    private string Secret(string name, char fill, int length = 64)
    {
        var file = Path.Combine(_folder, name);
        File.WriteAllText(file, new string(fill, length) + "\n");
        return file;
    }
}
