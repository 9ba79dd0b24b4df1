using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Admission;

/// <summary>Who the client is taken for: what the access log says and what the endpoint is told, behind real proxies and before forgers.</summary>
public sealed class ClientTests : IDisposable
{
    private const string Client = "127.0.0.5", Outsider = "127.0.0.9";
    private const string ProxyOf4711 = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";

    private readonly Socket _endpoints = RawPeer.Listen();

    public void Dispose() => _endpoints.Dispose();

    [Theory]
    [InlineData("X-Forwarded-For $proxy_add_x_forwarded_for", "6.6.6.6, 127.0.0.5, 127.0.0.1")]
    [InlineData("X-Forwarded-For $remote_addr", "127.0.0.5, 127.0.0.1")]
    public async Task Behind_nginx_the_client_is_whom_nginx_saw(string header, string told)
    {
        await using var gateway = await StartAsync("trustedProxies: [127.0.0.1/32]");
        await using var nginx = await FrontProxy.StartNginxAsync(gateway.Host.Addresses[1], header);
        using (var client = nginx.Connect(Client))
        {
            var head = Open(client, "X-Forwarded-For: 6.6.6.6");
            Assert.Equal([told], Upgrades.Values(head, "X-Forwarded-For"));
            Assert.Equal([Client], await LoggedAsync(gateway, client));
        }

        using var plain = nginx.Connect(Client);
        Assert.Equal([told], Upgrades.Values(Get(plain, "X-Forwarded-For: 6.6.6.6"), "X-Forwarded-For"));
    }

    [Fact]
    public async Task Behind_a_proxy_that_keeps_Forwarded_the_client_is_whom_that_proxy_saw()
    {
        await using var gateway = await StartAsync("trustedProxies: [127.0.0.1/32]");
        await using var haproxy = await FrontProxy.StartHaproxyAsync(gateway.Host.Addresses[1], "http", "", "http-request del-header x-forwarded-for\n  http-request add-header Forwarded for=%[src]");
        using var client = haproxy.Connect(Client);
        var head = Open(client, "Forwarded: for=6.6.6.6", "Forwarded: for=\"", "X-Forwarded-For: 6.6.6.6");
        Assert.Equal(["for=6.6.6.6", "for=\"", "for=127.0.0.5"], Upgrades.Values(head, "Forwarded"));
        Assert.Equal([Client], await LoggedAsync(gateway, client));
    }

    [Theory]
    [InlineData("send-proxy")]
    [InlineData("send-proxy-v2")]
    [InlineData("send-proxy-v2 proxy-v2-options unique-id,crc32c")]
    public async Task Behind_HAProxy_with_the_PROXY_protocol_the_client_is_whom_HAProxy_saw(string server)
    {
        await using var gateway = await StartAsync("proxyProtocol: true, trustedProxies: [127.0.0.1/32]");
        var more = server.Contains("unique-id", StringComparison.Ordinal) ? "unique-id-format %[uuid()]" : "";
        await using var haproxy = await FrontProxy.StartHaproxyAsync(gateway.Host.Addresses[1], "tcp", server, more);
        using (var client = haproxy.Connect(Client))
        {
            // The client is no trusted proxy: what it says of others counts for nothing.
            var head = Open(client, "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6");
            Assert.Equal([Client], Upgrades.Values(head, "X-Forwarded-For"));
            Assert.Empty(Upgrades.Values(head, "Forwarded"));
            var local = client.Socket.LocalEndPoint!.ToString();
            Assert.Equal([local], await LoggedAsync(gateway, client));
        }

        using var plain = haproxy.Connect(Client);
        var request = Get(plain, "X-Forwarded-For: 6.6.6.6");
        Assert.Equal([Client], Upgrades.Values(request, "X-Forwarded-For"));
        Assert.StartsWith("GET / HTTP/1.1\r\n", request, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("send-proxy")]
    [InlineData("send-proxy-v2")]
    public async Task HAProxys_own_checks_come_from_HAProxy(string server)
    {
        await using var gateway = await StartAsync("proxyProtocol: true, trustedProxies: [127.0.0.1/32]");
        await using var haproxy = await FrontProxy.StartHaproxyAsync(gateway.Host.Addresses[1], "tcp", server + " check inter 200ms", "option httpchk GET /check");
        using var endpoint = RawPeer.Accept(_endpoints);
        var head = endpoint.ReceiveHead();
        Assert.StartsWith("GET /check ", head, StringComparison.Ordinal);
        Assert.Equal(["127.0.0.1"], Upgrades.Values(head, "X-Forwarded-For"));
    }

    [Fact]
    public async Task Two_proxies_in_a_row_are_both_looked_through()
    {
        await using var gateway = await StartAsync("proxyProtocol: true, trustedProxies: [127.0.0.1/32, 10.0.0.0/8]");
        using var client = RawPeer.Connect(gateway.Host.Addresses[1]);
        client.Send("PROXY TCP4 10.1.1.1 192.0.2.1 4711 443\r\n");
        Assert.Equal(["6.6.6.6, 203.0.113.7, 10.1.1.1"], Upgrades.Values(Open(client, "X-Forwarded-For: 6.6.6.6, 203.0.113.7"), "X-Forwarded-For"));
        Assert.Equal(["203.0.113.7"], await LoggedAsync(gateway, client));
    }

    [Fact]
    public async Task Of_a_peer_that_is_no_trusted_proxy_no_forwarding_header_is_believed()
    {
        await using var gateway = await StartAsync("trustedProxies: [127.0.0.1/32]");
        var ends = 0;
        foreach (var forged in (string[])["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6"])
        {
            using var client = FrontProxy.ConnectFrom(Outsider, gateway.Host.Addresses[1]);
            var head = Open(client, forged);
            Assert.Equal([Outsider], Upgrades.Values(head, "X-Forwarded-For"));
            Assert.Empty(Upgrades.Values(head, "Forwarded"));
            var local = client.Socket.LocalEndPoint!.ToString();
            Assert.Equal(local, (await LoggedAsync(gateway, client, ++ends))[^1]);

            using var plain = FrontProxy.ConnectFrom(Outsider, gateway.Host.Addresses[1]);
            Assert.Equal([Outsider], Upgrades.Values(Get(plain, forged), "X-Forwarded-For"));
        }
    }

    [Fact]
    public async Task A_PROXY_header_from_a_peer_that_is_no_trusted_proxy_closes_the_connection_unanswered()
    {
        await using var gateway = await StartAsync("proxyProtocol: true, trustedProxies: [127.0.0.1/32]");
        using var outsider = FrontProxy.ConnectFrom(Outsider, gateway.Host.Addresses[1]);
        AssertClosedUnanswered(outsider, ProxyOf4711 + Upgrades.Request());
        await RefusedAsync(gateway, 1);

        using var proxy = RawPeer.Connect(gateway.Host.Addresses[1]);
        proxy.Send(ProxyOf4711);
        _ = Open(proxy);
        Assert.Equal(["203.0.113.7:4711"], await LoggedAsync(gateway, proxy));
    }

    [Theory]
    [InlineData("")]
    [InlineData("PROXY TCP4 203.0.113.7 192.0.2.1 4711 99999\r\n")]
    [InlineData("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\n")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\u0031\u0011\0\0")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\u0021\u0011\u00FF\u00FF")]
    public async Task A_missing_or_malformed_PROXY_header_closes_the_connection_unanswered(string header)
    {
        await using var gateway = await StartAsync("proxyProtocol: true");
        using var upgrade = RawPeer.Connect(gateway.Host.Addresses[1]);
        AssertClosedUnanswered(upgrade, header + Upgrades.Request());
        using var plain = RawPeer.Connect(gateway.Host.Addresses[1]);
        AssertClosedUnanswered(plain, header + "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n");
        await RefusedAsync(gateway, 2);
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(ProxyOf4711)]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\u0020\0\0\0")]
    public async Task Where_no_PROXY_header_is_expected_it_is_a_bad_request(string header)
    {
        await using var gateway = await StartAsync("trustedProxies: [127.0.0.1/32]");
        using var client = RawPeer.Connect(gateway.Host.Addresses[1]);
        client.Send(header + Upgrades.Request());
        Assert.Equal(400, Upgrades.Status(client.ReceiveHead()));
    }

    [Fact]
    public async Task The_pages_host_is_the_only_origin_by_default()
    {
        await using var gateway = await StartAsync("trustedProxies: [127.0.0.1/32]");
        using (var client = FrontProxy.ConnectFrom(Outsider, gateway.Host.Addresses[1]))
            _ = Open(client, "Origin: https://test.example:8443");
        using (var client = RawPeer.Connect(gateway.Host.Addresses[1]))
            _ = Open(client, "X-Forwarded-Host: app.example", "Origin: https://app.example");
        using (var client = FrontProxy.ConnectFrom(Outsider, gateway.Host.Addresses[1]))
            _ = Open(client);

        string[][] refused =
        [
            ["Origin: https://evil.example"], ["Origin: null"], ["Origin: "], ["Origin: https://test.example.evil.example"], ["Origin: https://test.example@evil.example"],
            ["Origin: https://test.example", "Origin: https://test.example"], ["Origin: https://evil.example", "X-Forwarded-Host: evil.example"],
        ];
        foreach (var lines in refused)
        {
            using var client = FrontProxy.ConnectFrom(Outsider, gateway.Host.Addresses[1]);
            Assert.Equal(403, Upgrades.Status(client.Upgrade("/ws", lines)));
        }

        await Processes.UntilAsync(() => gateway.Log.All.Count(l => l.TryGetProperty("outcome", out var o) && o.GetString() == "origin_refused") == refused.Length, "every refusal was logged");
    }

    private async Task<GatewayFixture> StartAsync(string listener) => await GatewayFixture.StartAsync(new GatewaySetup
    {
        Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
        // The fixture's neighbour has the first listener for itself.
        Listeners = [$"name: tested, address: \"127.0.0.1:0\", {listener}"],
    });

    /// <summary>The head that the endpoint is sent for an upgrade, which it grants, and then ends.</summary>
    private string Open(RawPeer client, params string[] lines)
    {
        client.Send(Upgrades.Request("/ws", lines));
        using var endpoint = RawPeer.Accept(_endpoints);
        var head = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        client.Finish();
        _ = endpoint.ReceiveToEnd();
        return head;
    }

    private string Get(RawPeer client, params string[] lines)
    {
        client.Send($"GET / HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        var head = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Assert.EndsWith("ok", Encoding.ASCII.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        return head;
    }

    /// <summary>The clients of the connections that have ended, once there are so many.</summary>
    private static async Task<IReadOnlyList<string?>> LoggedAsync(GatewayFixture gateway, RawPeer client, int count = 1)
    {
        client.Dispose();
        await Processes.UntilAsync(() => gateway.Log.All.Count(l => l.TryGetProperty("reason", out _)) >= count, "the connection's end was logged");
        return [.. gateway.Log.All.Where(l => l.TryGetProperty("reason", out _)).Select(l => l.GetProperty("client").GetString())];
    }

    private static async Task RefusedAsync(GatewayFixture gateway, int count)
    {
        await Processes.UntilAsync(() => gateway.Log.All.Count(l => l.TryGetProperty("outcome", out var o) && o.GetString() == "bad_proxy_header") == count, "the refusals were logged");
        Assert.Equal(count, await gateway.MetricAsync("holdfast_handshakes_total", "outcome=\"bad_proxy_header\""));
    }

    /// <summary>FIN, or a reset where bytes lay unread.</summary>
    private static void AssertClosedUnanswered(RawPeer client, string sent)
    {
        try
        {
            client.Send(sent);
            Assert.Empty(client.ReceiveToEnd());
        }
        catch (SocketException e)
        {
            Assert.True(e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown, e.Message);
        }
    }
}
