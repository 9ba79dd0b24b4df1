using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Limits;

/// <summary>Connections of plain HTTP under a listener's limit.</summary>
public sealed class PlainConnectionLimitTests : IDisposable
{
    private readonly Socket _endpoints = RawPeer.Listen();

    public void Dispose() => _endpoints.Dispose();

    [Fact]
    public async Task A_connection_that_serves_plain_requests_counts_until_it_is_closed()
    {
        // The fixture's neighbour is one of the two.
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Listener = "limits: {connections: 2}",
            Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
        });
        for (var i = 0; i < 3; i++)
        {
            using var client = Ask(gateway, out var endpoint);
            using var _ = endpoint;
            using var other = gateway.Connect();
            other.Send("GET / HTTP/1.1\r\nHost: test.example\r\n\r\n");
            Assert.Equal(503, Upgrades.Status(other.ReceiveHead()));
            endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            Assert.Equal(200, Upgrades.Status(client.ReceiveHead()));
        }
    }

    /// <summary>A request that its endpoint has got: the connection before it may still be on its way out.</summary>
    private RawPeer Ask(GatewayFixture gateway, out RawPeer endpoint)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var client = gateway.Connect();
            client.Send("GET / HTTP/1.1\r\nHost: test.example\r\n\r\n");
            while (client.Socket.Available == 0)
            {
                if (_endpoints.Poll(1000, SelectMode.SelectRead))
                {
                    endpoint = RawPeer.Accept(_endpoints);
                    _ = endpoint.ReceiveHead();
                    return client;
                }
            }

            Assert.Equal(503, Upgrades.Status(client.ReceiveHead()));
            client.Dispose();
            Assert.True(TimeProvider.System.GetElapsedTime(start) < RawPeer.Patience, "the place is never given back");
        }
    }
}
