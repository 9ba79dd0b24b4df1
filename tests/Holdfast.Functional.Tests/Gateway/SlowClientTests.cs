using System.Diagnostics.Metrics;
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
    public async Task A_client_that_never_reads_an_answer_without_end_is_reset_and_frees_the_endpoint()
    {
        using var client = _gateway.Connect(receiveBuffer: 4096);
        client.Send("GET /endless HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        var piece = new byte[65_536];
        Assert.Throws<SocketException>(SendForEver);
        Assert.NotEmpty(client.ReceiveToReset());
        await _gateway.SettledAsync();

        void SendForEver()
        {
            while (true)
                endpoint.Send(piece);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Clients_that_never_read_their_answers_are_let_go_wherever_the_answer_ends(bool chunked)
    {
        using var open = new OpenConnections(_gateway.Address.Port);
        var clients = new List<RawPeer>();
        var sending = new List<Task>();
        // Some of these lengths fill the kernel's buffers just so, some leave a rest.
        for (var i = 0; i < Many; i++)
        {
            var length = (i + 1) * 80_000;
            clients.Add(_gateway.Connect(receiveBuffer: 4096));
            clients[^1].Send("GET /long HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n");
            var endpoint = RawPeer.Accept(_endpoints);
            _ = endpoint.ReceiveHead();
            sending.Add(Task.Run(() =>
            {
                using (endpoint)
                {
                    try
                    {
                        endpoint.Send(chunked ? $"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n" : $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                        endpoint.Send(new byte[length]);
                        endpoint.Send(chunked ? "\r\n0\r\n\r\n" : "");
                        _ = ToEndOrReset(endpoint);
                    }
                    catch (SocketException)
                    {
                        // The gateway let go of it, with its client.
                    }
                }
            }, TestContext.Current.CancellationToken));
        }

        _gateway.CheckNeighbour();
        Assert.Equal(Many, open.Begun);
        await Dev.Processes.UntilAsync(() => open.Count == 0, "every connection was let go");
        clients.ForEach(c => c.Dispose());
        await Task.WhenAll(sending);
        await _gateway.SettledAsync();
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(new GatewaySetup
    {
        Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
        LongestPiece = TimeSpan.FromSeconds(2),
    });

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

    /// <summary>Connections of one listener that the server framework has taken over since, and of them those that it has not let go.</summary>
    private sealed class OpenConnections : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _begun;
        private long _count;

        public OpenConnections(int port)
        {
            _listener.InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == "kestrel.active_connections")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, change, tags, _) =>
            {
                foreach (var (name, value) in tags)
                {
                    if (name != "server.port" || value is not int of || of != port)
                        continue;
                    Interlocked.Add(ref _count, change);
                    Interlocked.Add(ref _begun, Math.Max(0, change));
                }
            });
            _listener.Start();
        }

        public long Begun => Interlocked.Read(ref _begun);

        public long Count => Interlocked.Read(ref _count);

        public void Dispose() => _listener.Dispose();
    }
}
