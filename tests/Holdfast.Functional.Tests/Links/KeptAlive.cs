using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Links;

/// <summary>
/// Clients whose connection has carried a plain request, which an endpoint of this object answers, before anything else: what comes next on it goes another way than on a fresh
/// connection, and must end the same.
/// </summary>
internal sealed class KeptAlive : IDisposable
{
    private const string Request = "GET /first HTTP/1.1\r\nHost: test.example\r\n\r\n";
    private readonly Socket _listener = RawPeer.Listen();

    public KeptAlive() => new Thread(Accept) { IsBackground = true, Name = "plain-endpoint" }.Start();

    /// <summary>A setup that routes the first request here.</summary>
    public GatewaySetup In(GatewaySetup setup) => setup with
    {
        Routes = [.. setup.Routes, "path: {prefix: /first}, backend: first"],
        Backends = [.. setup.Backends, $"first: {{endpoints: [\"127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}\"]}}"],
    };

    /// <summary>A client of which the first request is answered.</summary>
    public static RawPeer Connect(GatewayFixture gateway, int receiveBuffer = 0)
    {
        var client = gateway.Connect(receiveBuffer);
        client.Send(Request);
        var head = client.ReceiveHead();
        Assert.Equal(200, Upgrades.Status(head));
        Assert.Null(Upgrades.Value(head, "Connection"));
        Assert.Equal("hi"u8.ToArray(), client.Receive(2));
        return client;
    }

    /// <summary>The access log's line of this client's WebSocket; those of its requests are others.</summary>
    public static async Task<JsonElement> EndOfAsync(GatewayFixture gateway, int port)
    {
        var suffix = string.Create(CultureInfo.InvariantCulture, $":{port}");
        JsonElement? found = null;
        await Processes.UntilAsync(
            () => (found = gateway.Log.All.Cast<JsonElement?>().FirstOrDefault(
                l => l!.Value.GetProperty("event").GetString() == "connection" && l.Value.GetProperty("client").GetString()!.EndsWith(suffix, StringComparison.Ordinal))) is not null,
            "the access log had the WebSocket's line");
        return found!.Value;
    }

    public static Task<JsonElement> EndOfAsync(GatewayFixture gateway, RawPeer client) => EndOfAsync(gateway, ((IPEndPoint)client.Socket.LocalEndPoint!).Port);

    public void Dispose() => _listener.Dispose();

    private void Accept()
    {
        try
        {
            while (true)
            {
                var peer = new RawPeer(_listener.Accept());
                peer.Socket.ReceiveTimeout = 0;
                new Thread(() => Serve(peer)) { IsBackground = true, Name = "plain-connection" }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private static void Serve(RawPeer peer)
    {
        using (peer)
        {
            try
            {
                // No connection of the gateway's pool is left over, so that its descriptors can be counted.
                _ = peer.ReceiveHead();
                peer.Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // The gateway left.
            }
        }
    }
}
