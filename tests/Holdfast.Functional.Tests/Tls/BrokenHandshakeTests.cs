using System.Net;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Tls;

/// <summary>Clients that speak no TLS, or not to its end.</summary>
public sealed class BrokenHandshakeTests
{
    [Fact]
    public async Task Whatever_begins_a_connection_others_are_served_and_nothing_is_left()
    {
        await using var gateway = await TlsGateway.StartAsync();
        using (var client = await gateway.ConnectAsync())
            Assert.Equal(200, await client.GetAsync());
        var hello = await HelloAsync(gateway);
        await SettledAsync(gateway);
        var before = Descriptors();
        var random = new Random(7);

        for (var i = 0; i < 500; i++)
        {
            using var peer = RawPeer.Connect(gateway.Host.Addresses[0]);
            var garbage = new byte[random.Next(1, 600)];
            random.NextBytes(garbage);
            peer.Send((i % 5) switch
            {
                0 => garbage,
                1 => hello.AsSpan(0, random.Next(1, hello.Length)),
                2 => Damaged(hello, random),
                3 => "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"u8,
                _ => hello,
            });
            if (i % 3 == 0)
                peer.Reset();
            else if (i % 3 == 1)
                peer.Finish();
            if (i % 50 != 0)
                continue;
            using var client = await gateway.ConnectAsync();
            Assert.Equal(200, await client.GetAsync());
        }

        await SettledAsync(gateway);
        await Processes.UntilAsync(() => Descriptors() <= before, $"no more than {before} descriptors were open; there are {Descriptors()}");
        Assert.Equal(500, await gateway.MetricAsync("holdfast_tls_handshake_failures_total", "listener=\"web\""));
    }

    [Fact]
    public async Task Silent_clients_are_given_up_and_take_nobodys_place_for_ever()
    {
        await using var gateway = await TlsGateway.StartAsync(listener: "limits: {connections: 20}");
        var hello = await HelloAsync(gateway);
        await SettledAsync(gateway);

        // Silent from the start, in the middle of a record, and after the hello: all are gone within the time for a head, or for a TLS handshake.
        var silent = Enumerable.Range(0, 18).Select(i =>
        {
            var peer = RawPeer.Connect(gateway.Host.Addresses[0]);
            if (i % 3 != 0)
                peer.Send(i % 3 == 1 ? hello.AsSpan(0, 40) : hello);
            return peer;
        }).ToList();
        using (var client = await gateway.ConnectAsync())
            Assert.Equal(200, await client.GetAsync());
        foreach (var peer in silent)
        {
            try
            {
                _ = peer.ReceiveToEnd();
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Reset: also an end.
            }

            peer.Dispose();
        }

        await SettledAsync(gateway);
    }

    [Fact]
    public async Task A_plain_request_on_a_TLS_listener_reaches_no_endpoint()
    {
        await using var gateway = await TlsGateway.StartAsync();

        using var peer = RawPeer.Connect(gateway.Host.Addresses[0]);
        peer.Send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
        try
        {
            Assert.DoesNotContain("HTTP/1.1 200", System.Text.Encoding.Latin1.GetString(peer.ReceiveToEnd()), StringComparison.Ordinal);
        }
        catch (System.Net.Sockets.SocketException)
        {
            // Reset: no answer either.
        }

        Assert.Empty(gateway.Endpoint.Heads);
    }

    private static ReadOnlySpan<byte> Damaged(byte[] hello, Random random)
    {
        var damaged = hello.ToArray();
        for (var i = 0; i < 4; i++)
            damaged[random.Next(damaged.Length)] ^= (byte)random.Next(1, 256);
        // A hello that survives its damage is still none that anyone goes on with.
        return damaged;
    }

    /// <summary>A client's first bytes.</summary>
    private static async Task<byte[]> HelloAsync(TlsGateway gateway)
    {
        using var listener = RawPeer.Listen();
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndPoint!);
        using var server = RawPeer.Accept(listener);
        await using var ssl = new System.Net.Security.SslStream(client.GetStream());
        var handshake = ssl.AuthenticateAsClientAsync("a.example");
        var header = server.Receive(5);
        byte[] hello = [.. header, .. server.Receive((header[3] << 8) | header[4])];
        server.Dispose();
        await Assert.ThrowsAnyAsync<Exception>(() => handshake);
        Assert.NotEqual(0, gateway.Port);
        return hello;
    }

    /// <summary>No connection is left on the loops, or counted on the listener.</summary>
    private static Task SettledAsync(TlsGateway gateway) => Processes.UntilAsync(
        () => gateway.Host.Runtime.Loops.All(static l => l.Load == 0) && gateway.Host.Runtime.Admitted == 0, "nothing was left");

    private static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;
}
