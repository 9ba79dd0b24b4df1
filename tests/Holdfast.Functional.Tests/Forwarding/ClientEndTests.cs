using System.Net.Sockets;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>Clients that leave at every step: the endpoint is let go, and nothing of the request is left.</summary>
public sealed class ClientEndTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task In_the_head_of_a_second_request(bool reset)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/first"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send(HttpPeers.Ok());
        Assert.Equal("ok", HttpPeers.Answer(client).Body);
        client.Send("GET /second HTTP/1.1\r\nHo");
        HttpPeers.End(client, reset);

        await peers.Gateway.SettledAsync();
        // The endpoint hears nothing of it, and then the end of a connection that nobody needs.
        Assert.Equal("", HttpPeers.ToEnd(endpoint));
        peers.AssertNoConnection();
    }

    [Theory]
    [InlineData("Content-Length: 10", "", false)]
    [InlineData("Content-Length: 10", "12345", true)]
    [InlineData("Content-Length: 10", "12345", false)]
    [InlineData("Transfer-Encoding: chunked", "", true)]
    [InlineData("Transfer-Encoding: chunked", "5\r\n12345\r\n", false)]
    [InlineData("Transfer-Encoding: chunked", "5\r\n12345\r\n", true)]
    [InlineData("Transfer-Encoding: chunked", "a\r\n12345", false)]
    public async Task In_the_body(string framing, string sent, bool reset)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request("POST", "/up", framing) + sent);
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        HttpPeers.End(client, reset);

        var received = HttpPeers.ToEnd(endpoint);
        Assert.True(received.Length < 10 + "5\r\n\r\n".Length, received);
        Assert.DoesNotContain("0\r\n\r\n", received, StringComparison.Ordinal);
        var line = await peers.LineAsync("/up");
        Assert.Contains(line.GetProperty("outcome").GetString(), (string[])["client_gone", "bad_request"]);
        await peers.Gateway.SettledAsync();
        peers.AssertNoConnection();
    }

    [Theory]
    [InlineData("GET", false)]
    [InlineData("GET", true)]
    [InlineData("POST", false)]
    [InlineData("POST", true)]
    public async Task While_it_waits_for_the_answer(string method, bool reset)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Request(method, "/poll", "Content-Length: 2") + "ab");
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        _ = endpoint.Receive(2);
        HttpPeers.End(client, reset);

        Assert.Equal("", HttpPeers.ToEnd(endpoint));
        var line = await peers.LineAsync("/poll");
        Assert.Equal(("client_gone", 0), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
        await peers.Gateway.SettledAsync();
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_requests_total", "code=\"none\""));
        peers.AssertNoConnection();
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\n", false)]
    [InlineData("Content-Length: 100\r\n\r\n12345", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", false)]
    [InlineData("\r\n12345", true)]
    public async Task In_the_answer(string answer, bool reset)
    {
        await using var peers = await HttpPeers.StartAsync();
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/long"));
        using var endpoint = peers.Accept();
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\n" + answer);
        _ = client.ReceiveHead();
        HttpPeers.End(client, reset);

        Assert.Equal("", HttpPeers.ToEnd(endpoint));
        var line = await peers.LineAsync("/long");
        Assert.Equal(("client_gone", 200), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task While_the_endpoint_is_being_connected_to()
    {
        using var full = new Socket(SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.IPv6Loopback, 0));
        full.Listen(0);
        var port = ((System.Net.IPEndPoint)full.LocalEndPoint!).Port;
        using var first = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await first.ConnectAsync(System.Net.IPAddress.IPv6Loopback, port, TestContext.Current.CancellationToken);
        await using var peers = await HttpPeers.StartAsync(change: s => s with
        {
            Routes = ["path: {prefix: /full}, timeouts: {connect: 5m, handshake: 5m}, backend: full"],
            Backends = [$"full: {{endpoints: [\"[::1]:{port}\"]}}"],
        });
        using var client = peers.Connect();
        client.Send(HttpPeers.Get("/full"));
        await Processes.UntilAsync(() => peers.Gateway.Host.Runtime.Backends.Sum(b => b.RequestsInFlight) == 1, "the request was in flight");
        client.Dispose();

        Assert.Equal("client_gone", (await peers.LineAsync("/full")).GetProperty("outcome").GetString());
        await peers.Gateway.SettledAsync();
    }

    /// <summary>Every step again and again: no descriptor is left behind.</summary>
    [Fact]
    public async Task Again_and_again_without_a_descriptor_left()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [((System.Net.IPEndPoint)endpoints.LocalEndPoint!).Port] });
        Round();
        await Processes.UntilAsync(() => gateway.Sockets() <= 32, "idle connections were closed");
        // Those of the runtime and the admin API settle; what a leak adds to each round does not.
        var before = gateway.Sockets();
        for (var i = 0; i < 20; i++)
            Round();
        await Processes.UntilAsync(() => gateway.Sockets() <= before, "every descriptor was given back");
        Assert.Equal(0, await gateway.MetricAsync("holdfast_requests_in_flight", "backend=\"test\""));
        gateway.CheckNeighbour();

        void Round()
        {
            for (var step = 0; step < 5; step++)
            {
                using var client = gateway.Connect();
                client.Send(HttpPeers.Request("POST", "/", "Content-Length: 4") + (step == 0 ? "ab" : "abcd"));
                using var endpoint = RawPeer.Accept(endpoints);
                _ = endpoint.ReceiveHead();
                if (step > 1)
                    endpoint.Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n" + (step == 2 ? "ab" : "abcd"));
                if (step == 4)
                    Assert.Equal("abcd", HttpPeers.Answer(client).Body);
                if (step == 3)
                    endpoint.Dispose();
                client.Reset();
                if (step < 3)
                    _ = HttpPeers.ToEnd(endpoint);
            }
        }
    }
}
