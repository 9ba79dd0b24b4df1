using System.Net;
using System.Net.Sockets;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>What an endpoint sees of a request's headers, for upgrades and for plain requests alike.</summary>
public sealed class HeaderTests
{
    private static readonly string[] Given =
    [
        "Connection: keep-alive, X-Per-Hop", "X-Per-Hop: 1", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: X", "Proxy-Connection: close", "Proxy-Authorization: Basic eA==",
        "Holdfast-Connection-Id: forged", "HOLDFAST-Rehomed: 3", "holdfast-anything: x",
        "X-Forwarded-For: 1.2.3.4", "x-forwarded-for: 5.6.7.8", "X-Forwarded-Proto: https", "X-Forwarded-Host: outer.example", "X-Forwarded-Port: 443", "Forwarded: for=1.2.3.4",
        "Cookie: a=b", "Authorization: Bearer x", "X-Latin: caf\u00e9", "Accept-Language: de", "User-Agent: test",
    ];

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task What_a_client_may_not_say_is_stripped_and_what_an_endpoint_should_know_is_added(bool upgrade, bool trusted)
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port],
            Listener = trusted ? "trustedProxies: [127.0.0.0/8]" : "",
        });
        var origin = "Origin: http://" + (trusted ? "outer.example" : "test.example");
        var first = await SeenAsync(gateway, endpoints, upgrade, [.. Given, origin]);
        var second = await SeenAsync(gateway, endpoints, upgrade, [.. Given, origin, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);

        foreach (var gone in (string[])["X-Per-Hop", "Keep-Alive", "Trailer", "Proxy-Connection", "Proxy-Authorization", "Holdfast-Rehomed", "Holdfast-Anything"])
            Assert.Empty(Upgrades.Values(first, gone));
        // That trailers are welcome is passed on by the gateway itself, which passes them on.
        Assert.Equal(upgrade ? [] : ["trailers"], Upgrades.Values(first, "TE"));
        foreach (var kept in (string[])["Cookie: a=b", "Authorization: Bearer x", origin, "X-Latin: caf\u00e9", "Accept-Language: de", "User-Agent: test"])
            Assert.Equal(kept[(kept.IndexOf(':', StringComparison.Ordinal) + 2)..], Upgrades.Value(first, kept[..kept.IndexOf(':', StringComparison.Ordinal)]));
        Assert.Equal(["test.example"], Upgrades.Values(first, "Host"));
        Assert.Equal([trusted ? "1.2.3.4, 5.6.7.8, 127.0.0.1" : "127.0.0.1"], Upgrades.Values(first, "X-Forwarded-For"));
        Assert.Equal([trusted ? "https" : "http"], Upgrades.Values(first, "X-Forwarded-Proto"));
        Assert.Equal([trusted ? "outer.example" : "test.example"], Upgrades.Values(first, "X-Forwarded-Host"));
        Assert.Equal(trusted ? ["443"] : [], Upgrades.Values(first, "X-Forwarded-Port"));
        Assert.Equal(trusted ? ["for=1.2.3.4"] : [], Upgrades.Values(first, "Forwarded"));

        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$", Upgrades.Value(first, "traceparent"));
        Assert.Equal(["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"], Upgrades.Values(second, "traceparent"));
        Assert.Matches("^[0-9a-f]{32}$", Assert.Single(Upgrades.Values(first, "Holdfast-Connection-Id")));
        Assert.NotEqual(Upgrades.Value(first, "Holdfast-Connection-Id"), Upgrades.Value(second, "Holdfast-Connection-Id"));
        Assert.Equal(upgrade ? ["Upgrade"] : ["TE"], Upgrades.Values(first, "Connection"));
        Assert.Equal(upgrade ? ["websocket"] : [], Upgrades.Values(first, "Upgrade"));
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task The_connection_id_is_the_access_logs()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port] });
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        var id = Upgrades.Value(endpoint.AnswerUpgrade(), "Holdfast-Connection-Id");
        _ = client.ReceiveHead();
        client.Finish();
        endpoint.Dispose();

        Assert.Equal(id, (await gateway.Log.OfAsync(client)).GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_client_on_a_dual_stack_listener_is_told_as_IPv4_and_trusted_as_such()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Address = "[::]:0",
            Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port],
            Listener = "trustedProxies: [127.0.0.0/8]",
        });
        foreach (var upgrade in (bool[])[true, false])
        {
            var head = await SeenAsync(gateway, endpoints, upgrade, ["X-Forwarded-For: 1.2.3.4"]);
            Assert.Equal("1.2.3.4, 127.0.0.1", Upgrades.Value(head, "X-Forwarded-For"));
        }
    }

    private static async Task<string> SeenAsync(GatewayFixture gateway, Socket endpoints, bool upgrade, string[] lines)
    {
        using var client = RawPeer.Connect(new IPEndPoint(IPAddress.Loopback, gateway.Address.Port));
        client.Send(upgrade ? Upgrades.Request("/ws?a=%20b", lines) : $"GET /ws?a=%20b HTTP/1.1\r\nHost: test.example\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");
        using var endpoint = RawPeer.Accept(endpoints);
        var head = endpoint.ReceiveHead();
        Assert.StartsWith("GET /ws?a=%20b HTTP/1.1\r\n", head, StringComparison.Ordinal);
        if (upgrade)
        {
            endpoint.Send(Upgrades.Switching(head));
            Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
            client.Finish();
        }
        else
        {
            endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Mine\r\nX-Mine: 1\r\nHoldfast-X: 1\r\nX-Latin: caf\u00e9\r\n\r\nok");
            var answer = client.ReceiveHead();
            Assert.Equal((200, "caf\u00e9"), (Upgrades.Status(answer), Upgrades.Value(answer, "X-Latin")));
            Assert.Equal((null, null), (Upgrades.Value(answer, "X-Mine"), Upgrades.Value(answer, "Holdfast-X")));
            Assert.Equal("ok"u8.ToArray(), client.Receive(2));
        }

        endpoint.Dispose();
        await gateway.TurnAsync();
        return head;
    }
}
