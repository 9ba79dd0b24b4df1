using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Links;

/// <summary>WebSockets to endpoints that speak TLS: the loop's leg is a pair of sockets, and everything ends as it does with plain endpoints.</summary>
public sealed class TlsEndpointTests : IDisposable
{
    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _files = new();
    private readonly Socket _endpoints = RawPeer.Listen();
    private readonly X509Certificate2 _certificate;

    public TlsEndpointTests()
    {
        _files.Replace("root.pem", _root.Pem);
        var issued = _root.Issue("app.internal");
        using var pem = X509Certificate2.CreateFromPem(issued.Chain, issued.Key);
        _certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(200_000)]
    [InlineData(5_000_000)]
    public async Task Messages_pass_both_ways_and_closes_too(int length)
    {
        await using var gateway = await StartAsync();
        using var client = Open(gateway, out var endpoint);
        using (endpoint)
        {
            var payload = new byte[length];
            new Random(length).NextBytes(payload);
            var sending = Task.Run(() => client.Send(Frames.FromClient(Frames.Binary, payload)), TestContext.Current.CancellationToken);
            Assert.True(payload.AsSpan().SequenceEqual(endpoint.ReceiveFrame().Payload));
            await sending;
            sending = Task.Run(() => endpoint.Send(Frames.FromServer(Frames.Binary, payload)), TestContext.Current.CancellationToken);
            Assert.True(payload.AsSpan().SequenceEqual(client.ReceiveFrame().Payload));
            await sending;

            client.Send(Frames.CloseFrame(client: true, 4001, "bye"));
            Assert.Equal(Frames.ClosePayload(4001, "bye"u8), endpoint.ReceiveFrame().Payload);
            endpoint.Send(Frames.CloseFrame(client: false, 4002, "bye bye"));
            Assert.Equal(4002, client.ReceiveFrame().CloseCode);
            Assert.True(endpoint.Ends());
            await endpoint.FinishAsync();
            client.Finish();
        }

        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData("close", "upstream_close", 4567)]
    [InlineData("end", "upstream_eof", 1012)]
    [InlineData("reset", "upstream_reset", 1012)]
    public async Task How_the_endpoint_ends_is_told(string cause, string reason, int code)
    {
        await using var gateway = await StartAsync();
        using var client = Open(gateway, out var endpoint);
        using (endpoint)
        {
            endpoint.Send(Frames.FromServer(Frames.Text, "before"u8));
            Assert.Equal("before"u8.ToArray(), client.ReceiveFrame().Payload);
            if (cause == "close")
                endpoint.Send(Frames.CloseFrame(client: false, 4567));
            else if (cause == "end")
                await endpoint.FinishAsync();
            else
                endpoint.Reset();
            var close = client.EndsWithCode();
            Assert.Equal(code, close);
            if (cause == "close")
                Assert.Equal(Frames.Close, endpoint.ReceiveFrame().Opcode);
        }

        Assert.Equal(reason, (await gateway.Log.OfAsync(client)).GetProperty("reason").GetString());
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(false, "downstream_eof")]
    [InlineData(true, "downstream_reset")]
    public async Task When_the_client_is_gone_the_endpoint_is_told_by_the_end_of_TLS(bool reset, string reason)
    {
        await using var gateway = await StartAsync();
        using var client = Open(gateway, out var endpoint);
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        using (endpoint)
        {
            if (reset)
                client.Reset();
            else
                client.Finish();
            Assert.True(endpoint.Ends());
        }

        Assert.Equal(reason, (await gateway.Log.OfAsync(port)).GetProperty("reason").GetString());
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_whose_certificate_is_not_good_is_502_counts_against_it_and_never_sees_a_request()
    {
        await using var gateway = await StartAsync("serverName: other.internal");
        for (var i = 0; i < 3; i++)
        {
            using var client = gateway.Connect();
            client.Send(Upgrades.Request());
            using var peer = RawPeer.Accept(_endpoints);
            await using var tls = new System.Net.Security.SslStream(new NetworkStream(peer.Socket, ownsSocket: false));
            try
            {
                await tls.AuthenticateAsServerAsync(_certificate);
                Assert.True(await tls.ReadAsync(new byte[1], TestContext.Current.CancellationToken) == 0);
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
            {
                // The gateway's alert.
            }

            Assert.Equal(502, Upgrades.Status(client.ReceiveHead()));
            Assert.Equal("TLS with the endpoint failed.\n", System.Text.Encoding.ASCII.GetString(client.ReceiveToEnd()));
        }

        Assert.Equal(3, gateway.Host.Runtime.Backends.Single(b => b.Name == "test").Endpoints[0].FailuresInARow);
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_speaks_no_TLS_is_502()
    {
        await using var gateway = await StartAsync();
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.Receive(1);
        endpoint.Send("HTTP/1.1 400 Bad Request\r\n\r\n");
        Assert.Equal(502, Upgrades.Status(client.ReceiveHead()));
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task An_endpoint_that_never_answers_the_TLS_handshake_is_504_after_the_connect_time_out_and_is_let_go()
    {
        await using var gateway = await StartAsync(manualTime: true);
        using var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.Receive(1);
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(6));
        Assert.Equal(504, Upgrades.Status(client.ReceiveHead()));
        _ = Ended(endpoint);
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_during_the_TLS_handshake_takes_it_along()
    {
        await using var gateway = await StartAsync();
        var client = gateway.Connect();
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.Receive(1);
        client.Reset();
        _ = Ended(endpoint);
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Nobody_there_is_502()
    {
        await using var gateway = await StartAsync();
        _endpoints.Dispose();
        using var client = gateway.Connect();
        Assert.Equal(502, Upgrades.Status(client.Upgrade()));
        client.Dispose();
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task Each_fault_of_an_endpoints_TLS_is_logged_once()
    {
        await using var gateway = await StartAsync("serverName: other.internal");
        var log = new LogLines();
        gateway.Host.Runtime.Logger = log;
        for (var i = 0; i < 3; i++)
        {
            using var client = gateway.Connect();
            client.Send(Upgrades.Request());
            using var peer = RawPeer.Accept(_endpoints);
            await using var tls = new System.Net.Security.SslStream(new NetworkStream(peer.Socket, ownsSocket: false));
            var handshake = tls.AuthenticateAsServerAsync(_certificate);
            Assert.Equal(502, Upgrades.Status(client.ReceiveHead()));
            await Task.WhenAny(handshake);
        }

        var line = Assert.Single(log.All, l => l.Contains("TLS with", StringComparison.Ordinal));
        Assert.StartsWith("Error 1320 TLS with 127.0.0.1:", line, StringComparison.Ordinal);
        Assert.EndsWith("of test fails: its certificate is for app.internal, not for other.internal", line, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _endpoints.Dispose();
        _files.Dispose();
        _root.Dispose();
    }

    private Task<GatewayFixture> StartAsync(string tls = "serverName: app.internal", bool manualTime = false) => GatewayFixture.StartAsync(
        new GatewaySetup
        {
            Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
            Backend = $"slowStart: 0s, tls: {{{tls}, ca: {_files.File("root.pem")}}}",
        },
        manualTime);

    private RawPeer Open(GatewayFixture gateway, out TlsPeer endpoint)
    {
        var client = gateway.Connect();
        client.Send(Upgrades.Request());
        endpoint = TlsPeer.Accept(_endpoints, _certificate);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        return client;
    }

    private static bool Ended(RawPeer peer)
    {
        try
        {
            return peer.ReceiveToEnd().Length >= 0;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;
        }
    }
}

internal static class ClosingClients
{
    /// <summary>As a client: reads to the Close frame, answers it and ends; its code.</summary>
    public static int EndsWithCode(this RawPeer client)
    {
        var frame = client.ReceiveFrame();
        Assert.Equal(Frames.Close, frame.Opcode);
        client.Send(Frames.FromClient(Frames.Close, frame.Payload));
        client.Finish();
        return frame.CloseCode;
    }
}
