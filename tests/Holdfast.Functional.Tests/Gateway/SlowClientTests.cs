using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>
/// Clients of plain HTTP that send or read next to nothing. Heads are timed on the loops, on a clock of the tests' own elsewhere; what follows them is
/// timed by the server framework on the real one, which these tests wait for: some seconds.
/// </summary>
public sealed class SlowClientTests : IAsyncLifetime
{
    private const int Many = 50;
    private readonly Socket _endpoints = RawPeer.Listen();
    private GatewayFixture _gateway = null!;

    [Theory]
    [InlineData("Content-Length: 1000\r\n\r\n", "")]
    [InlineData("Content-Length: 1000\r\n\r\n", "x")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")]
    public async Task A_body_that_trickles_ends_with_408_and_frees_the_endpoint(string head, string piece)
    {
        var clients = Enumerable.Range(0, Many).Select(_ => _gateway.Connect()).ToList();
        var endpoints = new List<RawPeer>();
        foreach (var client in clients)
        {
            client.Send("POST /up HTTP/1.1\r\nHost: test.example\r\n" + head);
            endpoints.Add(RawPeer.Accept(_endpoints));
            _ = endpoints[^1].ReceiveHead();
        }

        using var stopped = new CancellationTokenSource();
        var trickling = piece.Length == 0 ? Task.CompletedTask : TrickleAsync(clients, Encoding.ASCII.GetBytes(piece), stopped.Token);
        _gateway.CheckNeighbour();
        foreach (var client in clients)
            Assert.Equal(408, Upgrades.Status(client.ReceiveHead()));
        foreach (var endpoint in endpoints)
        {
            // The endpoint never takes what came for a whole request.
            Assert.DoesNotContain("0\r\n\r\n", Encoding.ASCII.GetString(ToEndOrReset(endpoint)), StringComparison.Ordinal);
            endpoint.Dispose();
        }

        await stopped.CancelAsync();
        await trickling;
        clients.ForEach(c => c.Dispose());
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_never_reads_its_answer_is_reset_and_frees_the_endpoint()
    {
        using var client = _gateway.Connect(receiveBuffer: 4096);
        client.Send("GET /endless HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        var piece = new byte[65_536];
        var sent = 0L;
        var lost = Assert.Throws<SocketException>(() =>
        {
            while (true)
            {
                endpoint.Send(piece);
                sent += piece.Length;
            }
        });
        TestContext.Current.TestOutputHelper?.WriteLine($"sent {sent}: {lost.SocketErrorCode}");
        Assert.NotEqual(SocketError.TimedOut, lost.SocketErrorCode);
        await _gateway.SettledAsync();
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port] });

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _endpoints.Dispose();
    }

    /// <summary>A piece on every connection twice a second, until told.</summary>
    private static async Task TrickleAsync(List<RawPeer> clients, byte[] piece, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        try
        {
            while (await timer.WaitForNextTickAsync(cancel))
            {
                foreach (var client in clients)
                    _ = client.Socket.Send(piece, SocketFlags.None, out _);
            }
        }
        catch (OperationCanceledException)
        {
            // Told.
        }
    }

    private static byte[] ToEndOrReset(RawPeer peer)
    {
        using var all = new MemoryStream();
        var buffer = new byte[4096];
        try
        {
            for (int n; (n = peer.Socket.Receive(buffer)) > 0;)
                all.Write(buffer, 0, n);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Aborted: as good an end.
        }

        return all.ToArray();
    }
}
