using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Tls;
using Holdfast.Testing.Tls;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Holdfast.Tests.Tls;

/// <summary>TLS with endpoints, good ones and others.</summary>
public sealed class UpstreamTlsTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _folder = new();
    private readonly CertificateStore _store = new(TimeProvider.System, () => NullLogger.Instance);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
        _root.Dispose();
    }

    [Fact]
    public async Task An_endpoint_of_the_own_authority_is_known_by_its_name()
    {
        var tls = Load(new BackendTlsOptions { Ca = Ca() });
        var shown = _root.Issue("app.internal", "127.0.0.1");

        var (error, server) = await MeetAsync(tls, shown, "app.internal");
        Assert.Null(error);
        Assert.Equal(("app.internal", "http/1.1"), (server.ServerName, server.Protocol));

        (error, server) = await MeetAsync(tls, shown, "app.internal.");
        Assert.Null(error);
        Assert.Equal("app.internal", server.ServerName);

        // By its address: no server name is asked for, and the certificate must be for the address.
        (error, server) = await MeetAsync(tls, shown, "127.0.0.1");
        Assert.Null(error);
        Assert.Equal("", server.ServerName);
    }

    [Fact]
    public async Task The_configured_name_counts_in_place_of_the_endpoints()
    {
        var (error, server) = await MeetAsync(Load(new BackendTlsOptions { Ca = Ca(), ServerName = "app.internal" }), _root.Issue("app.internal"), "10.1.2.3");

        Assert.Null(error);
        Assert.Equal("app.internal", server.ServerName);
    }

    [Fact]
    public async Task What_is_wrong_with_a_certificate_is_said()
    {
        using var stranger = new TestAuthority("Stranger");
        var tls = Load(new BackendTlsOptions { Ca = Ca() });

        await RefusedAsync(tls, _root.Issue("other.internal", "10.0.0.1"), "its certificate is for other.internal, 10.0.0.1, not for app.internal");
        await RefusedAsync(tls, _root.Issue(new TestRequest { Names = ["app.internal"], To = TimeSpan.FromDays(-2) }), "its certificate expired at ");
        await RefusedAsync(tls, _root.Issue(new TestRequest { Names = ["app.internal"], From = TimeSpan.FromDays(2) }), "its certificate is not valid before ");
        await RefusedAsync(tls, stranger.Issue("app.internal"), $"its certificate does not lead to the authorities in {Ca()}");
        await RefusedAsync(tls, stranger.Issue(new TestRequest { Names = ["app.internal"], SelfSigned = true }), $"its certificate is self-signed and not among the authorities in {Ca()}");
        await RefusedAsync(tls, _root.Issue(new TestRequest { Names = ["app.internal"], ForClients = true }), "its certificate is not for servers");
        // The test's root is none of the system's.
        await RefusedAsync(Load(new BackendTlsOptions()), _root.Issue("app.internal"), "its certificate does not lead to the system's authorities");
        var (error, _) = await MeetAsync(tls, _root.Issue("app.internal"), "127.0.0.1");
        Assert.Equal("its certificate is for app.internal, not for 127.0.0.1", error);
    }

    [Fact]
    public async Task A_self_signed_certificate_may_be_the_authority()
    {
        var shown = _root.Issue(new TestRequest { Names = ["app.internal"], SelfSigned = true });

        var (error, _) = await MeetAsync(Load(new BackendTlsOptions { Ca = _folder.Replace("own.pem", shown.Chain) }), shown, "app.internal");

        Assert.Null(error);
    }

    [Fact]
    public async Task Without_verification_whoever_answers_is_taken()
    {
        var tls = Load(new BackendTlsOptions { Verify = false });

        foreach (var shown in (TestCertificate[])[_root.Issue("other.internal"), _root.Issue(new TestRequest { SelfSigned = true, To = TimeSpan.FromDays(-2) })])
            Assert.Null((await MeetAsync(tls, shown, "app.internal")).Error);
    }

    [Fact]
    public async Task An_endpoint_that_asks_is_shown_the_client_certificate()
    {
        using var middle = new TestAuthority("Middle", _root);
        var (certificate, key) = _folder.Write("client", middle.Issue(new TestRequest { CommonName = "gateway", ForClients = true }));
        var (shown, options) = (_root.Issue("app.internal"), new BackendTlsOptions { Ca = Ca() });

        var (error, server) = await MeetAsync(Load(options with { ClientCertificate = new CertificateFiles(certificate, key) }), shown, "app.internal", asks: true);
        Assert.Null(error);
        Assert.Equal("CN=gateway", server.ClientSubject);

        (_, server) = await MeetAsync(Load(options), shown, "app.internal", asks: true);
        Assert.Null(server.ClientSubject);
    }

    [Fact]
    public async Task A_plain_endpoint_is_found_out()
    {
        var tls = Load(new BackendTlsOptions { Ca = Ca() });

        await FoundOutAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "it does not speak TLS");
        await FoundOutAsync("", null);

        async Task FoundOutAsync(string answer, string? error)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var client = new TcpClient();
            await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
            using var server = await listener.AcceptTcpClientAsync();
            var meeting = tls.AuthenticateAsync(client.GetStream(), new EndpointAddress("app.internal", 1), default).AsTask();
            var buffer = new byte[4096];
            Assert.NotEqual(0, await server.GetStream().ReadAsync(buffer));
            if (answer.Length > 0)
                await server.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer));
            server.Client.Shutdown(SocketShutdown.Send);
            if (error is null)
                await Assert.ThrowsAnyAsync<IOException>(() => meeting.WaitAsync(Patience));
            else
                Assert.Equal(error, (await Assert.ThrowsAsync<AuthenticationException>(() => meeting.WaitAsync(Patience))).Message);
            // The stream was the callee's, whatever became of it.
            Assert.False(client.Connected);
        }
    }

    [Fact]
    public async Task A_silent_endpoint_is_given_up_when_the_caller_says_so()
    {
        var tls = Load(new BackendTlsOptions { Ca = Ca() });
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using var server = await listener.AcceptTcpClientAsync();
        using var cancel = new CancellationTokenSource();

        var meeting = tls.AuthenticateAsync(client.GetStream(), new EndpointAddress("app.internal", 1), cancel.Token).AsTask();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => meeting.WaitAsync(Patience));
    }

    [Fact]
    public async Task Another_authority_counts_from_the_next_handshake_on_and_no_session_gets_around_it()
    {
        using var next = new TestAuthority("Next");
        var time = new Steps();
        await using var store = new CertificateStore(time, () => NullLogger.Instance);
        var tls = Load(store, new BackendTlsOptions { Ca = Ca() });
        var shown = _root.Issue("app.internal");
        using var context = new Shown(shown);
        Assert.Null((await MeetAsync(tls, context, "app.internal")).Error);
        Assert.Null((await MeetAsync(tls, context, "app.internal")).Error);

        _folder.Replace("ca.pem", next.Pem);
        await store.LookAsync(default);
        time.Now += ConfigurationWatcher.Stillness;
        await store.LookAsync(default);

        Assert.Equal($"its certificate does not lead to the authorities in {Ca(write: false)}", (await MeetAsync(tls, context, "app.internal")).Error);
        Assert.Null((await MeetAsync(tls, next.Issue("app.internal"), "app.internal")).Error);
    }

    [Fact]
    public async Task A_session_that_nobody_verified_is_no_way_around_verification()
    {
        using var stranger = new TestAuthority("Stranger");
        using var context = new Shown(stranger.Issue("app.internal"));
        var (careless, careful) = (Load(new BackendTlsOptions { Verify = false }), Load(new BackendTlsOptions { Ca = Ca() }));

        for (var i = 0; i < 3; i++)
            Assert.Null((await MeetAsync(careless, context, "app.internal")).Error);

        Assert.NotNull((await MeetAsync(careful, context, "app.internal")).Error);
    }

    private string Ca(bool write = true) => write ? _folder.Replace("ca.pem", _root.Pem) : _folder.File("ca.pem");

    private UpstreamTls Load(BackendTlsOptions options) => Load(_store, options);

    private static UpstreamTls Load(CertificateStore store, BackendTlsOptions options)
    {
        store.Load(new GatewayConfiguration { Listeners = [], Backends = [new BackendOptions { Name = "b", Endpoints = [new EndpointAddress("127.0.0.1", 1)], Tls = options }] });
        return new UpstreamTls(options, store, TimeProvider.System);
    }

    private static async Task RefusedAsync(UpstreamTls tls, TestCertificate shown, string error) =>
        Assert.StartsWith(error, (await MeetAsync(tls, shown, "app.internal")).Error, StringComparison.Ordinal);

    private static async Task<(string? Error, Met Server)> MeetAsync(UpstreamTls tls, TestCertificate shown, string host, bool asks = false)
    {
        using var context = new Shown(shown);
        return await MeetAsync(tls, context, host, asks);
    }

    /// <summary>A TLS handshake with a server that shows a certificate, a byte in each direction, and what each side knows then.</summary>
    private static async Task<(string? Error, Met Server)> MeetAsync(UpstreamTls tls, Shown shown, string host, bool asks = false)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using var peer = await listener.AcceptTcpClientAsync();
        var met = new Met();
        var serving = ServeAsync(peer, shown, asks, met);
        string? error = null;
        try
        {
            await using var ssl = await tls.AuthenticateAsync(client.GetStream(), new EndpointAddress(host, 1), default).AsTask().WaitAsync(Patience);
            await ssl.WriteAsync(new byte[] { 1 });
            Assert.Equal(1, await ssl.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
            Assert.Equal(SslProtocols.Tls13, ssl.SslProtocol);
        }
        catch (AuthenticationException e)
        {
            error = e.Message;
        }

        client.Dispose();
        await serving.WaitAsync(Patience);
        return (error, met);
    }

    private static async Task ServeAsync(TcpClient peer, Shown shown, bool asks, Met met)
    {
        await using var ssl = new SslStream(peer.GetStream());
        try
        {
            await ssl.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = shown.Context,
                ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
                ClientCertificateRequired = asks,
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                {
                    met.ClientSubject = certificate?.Subject;
                    return certificate is null || met.ClientSubject is not null;
                },
            });
            (met.ServerName, met.Protocol) = (ssl.TargetHostName, ssl.NegotiatedApplicationProtocol.ToString());
            _ = await ssl.ReadAsync(new byte[1]);
            await ssl.WriteAsync(new byte[] { 1 });
            _ = await ssl.ReadAsync(new byte[1]);
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            // The gateway did not like the certificate.
        }
    }

    private sealed class Met
    {
        public string? ServerName { get; set; }

        public string? Protocol { get; set; }

        public string? ClientSubject { get; set; }
    }

    private sealed class Shown : IDisposable
    {
        private readonly X509Certificate2 _certificate;

        public Shown(TestCertificate shown)
        {
            _certificate = X509Certificate2.CreateFromPem(shown.Chain, shown.Key);
            Context = SslStreamCertificateContext.Create(_certificate, null, offline: true);
        }

        public SslStreamCertificateContext Context { get; }

        public void Dispose() => _certificate.Dispose();
    }

    private sealed class Steps : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
