using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Auth;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Filters;

/// <summary>A route's filters in the way of WebSocket handshakes and of plain requests.</summary>
public sealed class FilterTests : IDisposable
{
    private const string Changes = """
        filters: [
          {requestHeaders: {set: {x-set: new, x-fresh: "a b"}, add: {x-list: "2"}, remove: [x-gone, accept-language]}},
          {responseHeaders: {set: {server: hidden, x-frame-options: DENY}, add: {vary: origin}, remove: [x-powered-by]}},
          {rewrite: {host: "internal.example:81", path: {prefix: /v2/}}}]
        """;

    private readonly Socket _endpoints = RawPeer.Listen();

    private int Port => ((IPEndPoint)_endpoints.LocalEndPoint!).Port;

    public void Dispose() => _endpoints.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_endpoint_and_the_client_see_what_the_filters_leave_and_add(bool upgrade)
    {
        await using var gateway = await StartAsync();
        using var client = gateway.Connect();
        Ask(client, upgrade, "/api/room%2F1?a=/api", "X-Set: old", "x-set: older", "X-List: 1", "X-Gone: g", "Accept-Language: de", "X-Kept: k");
        using var endpoint = RawPeer.Accept(_endpoints);
        var seen = endpoint.ReceiveHead();
        Assert.StartsWith("GET /v2/room%2F1?a=/api HTTP/1.1\r\n", seen, StringComparison.Ordinal);
        Assert.Equal(["internal.example:81"], Upgrades.Values(seen, "Host"));
        Assert.Equal(["test.example"], Upgrades.Values(seen, "X-Forwarded-Host"));
        Assert.Equal(["new"], Upgrades.Values(seen, "X-Set"));
        Assert.Equal(["a b"], Upgrades.Values(seen, "X-Fresh"));
        Assert.Equal(["1", "2"], Upgrades.Values(seen, "X-List"));
        Assert.Equal(["k"], Upgrades.Values(seen, "X-Kept"));
        Assert.Empty(Upgrades.Values(seen, "X-Gone"));
        Assert.Empty(Upgrades.Values(seen, "Accept-Language"));

        string[] lines = ["Server: app/1", "X-Powered-By: app", "Vary: accept", "X-Kept: k"];
        endpoint.Send(upgrade ? Upgrades.Switching(seen, lines) : $"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");
        CheckAnswer(client.ReceiveHead(), upgrade ? 101 : 200);
        if (upgrade)
        {
            client.Send(Frames.FromClient(Frames.Text, "hello"u8));
            Assert.Equal("hello"u8.ToArray(), endpoint.ReceiveFrame().Payload);
        }

        client.Dispose();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_endpoints_refusal_is_an_answer_and_the_gateways_own_is_not(bool upgrade)
    {
        await using var gateway = await StartAsync();
        using var refused = gateway.Connect();
        Ask(refused, upgrade, "/api");
        using (var endpoint = RawPeer.Accept(_endpoints))
        {
            Assert.StartsWith("GET /v2/ HTTP/1.1\r\n", endpoint.ReceiveHead(), StringComparison.Ordinal);
            endpoint.Send("HTTP/1.1 403 No\r\nServer: app/1\r\nX-Powered-By: app\r\nVary: accept\r\nX-Kept: k\r\nContent-Length: 0\r\n\r\n");
            CheckAnswer(refused.ReceiveHead(), 403);
        }

        _endpoints.Dispose();
        using var lost = gateway.Connect();
        Ask(lost, upgrade, "/api");
        var own = lost.ReceiveHead();
        Assert.Equal((502, null), (Upgrades.Status(own), Upgrades.Value(own, "X-Frame-Options")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Auth_and_affinity_go_by_what_the_client_sent(bool upgrade)
    {
        using var service = new AuthService("HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await StartAsync(
            "filters: [{requestHeaders: {remove: [authorization, x-session]}}, {rewrite: {host: internal, path: {full: /x}}}]",
            $"auth: {{url: '{service.Url}', copyHeaders: [x-user]}}, limits: {{connectionsPerKey: {{header: x-session, max: 1}}}}");
        using var client = gateway.Connect();
        Ask(client, upgrade, "/api/a?b", "Authorization: Bearer t", "X-Session: one");
        using var endpoint = RawPeer.Accept(_endpoints);
        var seen = endpoint.ReceiveHead();
        Assert.StartsWith("GET /x?b HTTP/1.1\r\n", seen, StringComparison.Ordinal);
        Assert.Equal(["ann"], Upgrades.Values(seen, "X-User"));
        Assert.Empty(Upgrades.Values(seen, "Authorization"));
        Assert.Empty(Upgrades.Values(seen, "X-Session"));
        var asked = Assert.Single(service.Heads);
        Assert.Equal(
            ("/api/a?b", "test.example", "Bearer t"),
            (Upgrades.Value(asked, "X-Forwarded-Uri"), Upgrades.Value(asked, "X-Forwarded-Host"), Upgrades.Value(asked, "Authorization")));

        // The key is counted by the header that no endpoint sees: another has room, the same has none.
        using var same = gateway.Connect();
        Ask(same, upgrade, "/api/a?b", "X-Session: one");
        Assert.Equal(429, Upgrades.Status(same.ReceiveHead()));
        using var other = gateway.Connect();
        Ask(other, upgrade, "/api/a?b", "X-Session: two");
        using var second = RawPeer.Accept(_endpoints);
        Assert.StartsWith("GET /x?b HTTP/1.1\r\n", second.ReceiveHead(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_head_that_grows_too_long_is_431()
    {
        await using var gateway = await StartAsync($"filters: [{{requestHeaders: {{set: {{x-long: {new string('v', 4096)}}}}}}}]");
        using var fits = gateway.Connect();
        Ask(fits, upgrade: true, "/api", "X-Mine: " + new string('m', 16_000));
        using var endpoint = RawPeer.Accept(_endpoints);
        Assert.Equal(4096, Upgrades.Value(endpoint.AnswerUpgrade(), "X-Long")!.Length);
        Assert.Equal(101, Upgrades.Status(fits.ReceiveHead()));

        using var grown = gateway.Connect();
        Ask(grown, upgrade: true, "/api", "X-Mine: " + new string('m', 30_000));
        Assert.Equal(431, Upgrades.Status(grown.ReceiveHead()));
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead));
        fits.Dispose();
        endpoint.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_held_connection_comes_to_its_next_endpoint_with_the_same_filters()
    {
        await using var gateway = await StartAsync(Changes, "hold: {protocol: opaque}");
        using var client = gateway.Connect();
        Ask(client, upgrade: true, "/api/x", "X-Gone: g");
        using var first = RawPeer.Accept(_endpoints);
        _ = first.AnswerUpgrade();
        CheckAnswer(client.ReceiveHead(), 101, isBare: true);
        await gateway.ApplyAsync(Setup("filters: [{rewrite: {path: {full: /other}}}]", "hold: {protocol: opaque}"));
        first.Dispose();

        using var second = RawPeer.Accept(_endpoints);
        var seen = second.AnswerUpgrade();
        Assert.StartsWith("GET /v2/x HTTP/1.1\r\n", seen, StringComparison.Ordinal);
        Assert.Equal(("internal.example:81", "new", null, "1"), (Upgrades.Value(seen, "Host"), Upgrades.Value(seen, "X-Set"), Upgrades.Value(seen, "X-Gone"), Upgrades.Value(seen, "Holdfast-Rehomed")));
        client.Send(Frames.FromClient(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), second.ReceiveFrame().Payload);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_change_of_filters_is_for_what_comes_after_it(bool upgrade)
    {
        await using var gateway = await StartAsync("filters: [{responseHeaders: {set: {x-version: one}}}, {requestHeaders: {set: {x-version: one}}}]");
        using var old = gateway.Connect();
        Ask(old, upgrade, "/api");
        using var endpoint = RawPeer.Accept(_endpoints);
        var seen = endpoint.ReceiveHead();
        Assert.Equal("one", Upgrades.Value(seen, "X-Version"));

        // The answer to what was asked before the change is changed as it was configured then.
        await gateway.ApplyAsync(Setup("filters: [{responseHeaders: {set: {x-version: two}}}, {rewrite: {path: {full: /two}}}]"));
        endpoint.Send(upgrade ? Upgrades.Switching(seen) : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        Assert.Equal("one", Upgrades.Value(old.ReceiveHead(), "X-Version"));

        using var late = gateway.Connect();
        Ask(late, upgrade, "/api");
        using var second = RawPeer.Accept(_endpoints);
        var after = second.ReceiveHead();
        Assert.StartsWith("GET /two HTTP/1.1\r\n", after, StringComparison.Ordinal);
        Assert.Null(Upgrades.Value(after, "X-Version"));
        second.Send(upgrade ? Upgrades.Switching(after) : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.Equal("two", Upgrades.Value(late.ReceiveHead(), "X-Version"));
        if (upgrade)
            old.Send(Frames.FromClient(Frames.Text, "open"u8));
        else
            endpoint.Send("ok");
        Assert.Equal(upgrade ? "open"u8.ToArray() : "ok"u8.ToArray(), upgrade ? endpoint.ReceiveFrame().Payload : old.Receive(2));
    }

    [Fact]
    public async Task Weights_share_the_handshakes_as_without_filters()
    {
        using var most = new EchoEndpoint();
        using var few = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Routes = ["path: {prefix: /api}, filters: [{rewrite: {path: {prefix: /}}}], backends: [{name: most, weight: 3}, {name: few, weight: 1}]"],
            Backends = [$"most: {{endpoints: ['127.0.0.1:{most.Port}']}}", $"few: {{endpoints: ['127.0.0.1:{few.Port}']}}"],
        });
        const int Asked = 200;
        for (var i = 0; i < Asked; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade("/api/x")));
        }

        // Five standard deviations to either side of three quarters.
        Assert.Equal(Asked, most.Connections + few.Connections);
        Assert.InRange(most.Connections, 119, 181);
    }

    /// <summary>The answer's lines as <see cref="Changes"/> leaves them.</summary>
    private static void CheckAnswer(string head, int status, bool isBare = false)
    {
        Assert.Equal((status, isBare ? null : "k"), (Upgrades.Status(head), Upgrades.Value(head, "X-Kept")));
        Assert.Equal(["hidden"], Upgrades.Values(head, "Server"));
        Assert.Equal(["DENY"], Upgrades.Values(head, "X-Frame-Options"));
        Assert.Equal(isBare ? ["origin"] : ["accept", "origin"], Upgrades.Values(head, "Vary"));
        Assert.Empty(Upgrades.Values(head, "X-Powered-By"));
    }

    private static void Ask(RawPeer client, bool upgrade, string target, params string[] lines) => client.Send(
        upgrade ? Upgrades.Request(target, lines) : $"GET {target} HTTP/1.1\r\nHost: test.example\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");

    private GatewaySetup Setup(string filters, string backend = "slowStart: 0s") => new()
    {
        Endpoints = [Port],
        Backend = backend,
        Routes = [$"path: {{prefix: /api}}, backend: test, {filters.ReplaceLineEndings(" ")}"],
    };

    private Task<GatewayFixture> StartAsync(string filters = Changes, string backend = "slowStart: 0s") => GatewayFixture.StartAsync(Setup(filters, backend));
}
