using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Tls;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Holdfast.Testing.Tls;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>What docs/tls.md says, with each of its configurations as it stands there but for addresses and the folder of files.</summary>
public sealed class TlsPageTests : IAsyncLifetime
{
    private const string Page = "docs/tls.md";

    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _files = new();
    private GatewayHost? _gateway;

    public ValueTask InitializeAsync()
    {
        foreach (var folder in (string[])["tls", "other", "clients", "internal", "client"])
            Directory.CreateDirectory(_files.File(folder));
        _files.Write("tls/tls", _root.Issue("chat.example"));
        _files.Write("other/tls", _root.Issue("*.other.example"));
        _files.Write("client/tls", _root.Issue(new TestRequest { CommonName = "gateway", ForClients = true }));
        _files.Replace("clients/ca.crt", _root.Pem);
        _files.Replace("internal/ca.crt", _root.Pem);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _files.Dispose();
        _root.Dispose();
    }

    [Fact]
    public async Task Names_choose_among_certificates_and_plain_clients_are_sent_to_https()
    {
        using var endpoint = new OkEndpoint();
        await StartAsync(0, endpoint.Port);

        foreach (var (name, subject) in ((string, string)[])[("chat.example", "CN=chat.example"), ("a.other.example", "CN=*.other.example")])
        {
            using var client = await ConnectAsync(name);
            Assert.Equal((200, subject), (await client.GetAsync(), client.Stream.RemoteCertificate!.Subject));
        }

        using var plain = RawPeer.Connect(_gateway!.Addresses[1]);
        plain.Send("GET /room?x=1 HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        var head = plain.ReceiveHead();
        Assert.Equal((301, "https://chat.example/room?x=1"), (Upgrades.Status(head), Upgrades.Value(head, "Location")));
    }

    [Fact]
    public async Task Clients_without_a_certificate_do_not_come_in()
    {
        using var endpoint = new OkEndpoint();
        await StartAsync(1, endpoint.Port);

        using (var ann = await ConnectAsync("chat.example", client: _root.Issue(new TestRequest { CommonName = "ann", ForClients = true })))
            Assert.Equal(200, await ann.GetAsync());
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var nobody = await ConnectAsync("chat.example");
            await nobody.GetAsync();
        });
        Assert.Single(endpoint.Heads);
    }

    [Theory]
    [InlineData("h2,http/1.1", "h2")]
    [InlineData("http/1.1", "http/1.1")]
    [InlineData(null, "")]
    public async Task Clients_that_offer_HTTP_2_get_it(string? offered, string spoken)
    {
        using var endpoint = new OkEndpoint();
        await StartAsync(2, endpoint.Port);

        using var client = await ConnectAsync("chat.example", offered?.Split(','));

        Assert.Equal(spoken, client.Stream.NegotiatedApplicationProtocol.ToString());
        if (spoken == "h2")
        {
            using var handler = new SocketsHttpHandler { SslOptions = Options("chat.example", null, null) };
            handler.ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(_gateway!.Addresses[0], cancel);
                return new NetworkStream(socket, ownsSocket: true);
            };
            using var http = new HttpClient(handler) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact, Timeout = RawPeer.Patience };
            Assert.Equal("ok", await http.GetStringAsync(new Uri("https://chat.example/")));
        }
        else
        {
            Assert.Equal(200, await client.GetAsync());
        }
    }

    [Fact]
    public async Task The_PROXY_header_comes_before_TLS()
    {
        using var endpoint = new OkEndpoint();
        await StartAsync(3, endpoint.Port, c => c with { Listeners = [c.Listeners[0] with { TrustedProxies = [new IPNetwork(IPAddress.Loopback, 32)] }] });

        using var client = await ConnectAsync("chat.example", before: "PROXY TCP4 203.0.113.7 10.0.0.1 40000 8443\r\n");

        Assert.Equal(200, await client.GetAsync());
        Assert.True(endpoint.Heads.TryDequeue(out var head));
        Assert.Equal(["203.0.113.7"], Upgrades.Values(head, "X-Forwarded-For"));
        Assert.Equal(["https"], Upgrades.Values(head, "X-Forwarded-Proto"));
    }

    [Fact]
    public async Task Endpoints_are_verified_checked_and_shown_the_client_certificate()
    {
        var issued = _root.Issue("app.internal");
        using var certificate = X509Certificate2.CreateFromPem(issued.Chain, issued.Key);
        var clients = new ConcurrentQueue<string?>();
        using var endpoint = new OkEndpoint(async stream =>
        {
            var ssl = new SslStream(stream);
            await ssl.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ServerCertificate = certificate,
                ClientCertificateRequired = true,
                RemoteCertificateValidationCallback = (_, client, _, _) =>
                {
                    clients.Enqueue(client?.Subject);
                    return client is not null;
                },
            });
            return ssl;
        });
        await StartAsync(4, endpoint.Port);

        await Processes.UntilAsync(() => endpoint.Heads.Any(h => h.StartsWith("GET /healthz ", StringComparison.Ordinal)), "the check came over TLS");
        using var client = RawPeer.Connect(_gateway!.Addresses[0]);
        client.Send("GET / HTTP/1.1\r\nHost: app.example\r\n\r\n");
        Assert.Equal(200, Upgrades.Status(client.ReceiveHead()));
        Assert.All(clients, static c => Assert.Equal("CN=gateway", c));
    }

    private SslClientAuthenticationOptions Options(string name, string[]? alpn, X509Certificate2? client) => new()
    {
        TargetHost = name,
        EnabledSslProtocols = SslProtocols.None,
        AllowTlsResume = false,
        ApplicationProtocols = alpn is null ? null : [.. alpn.Select(p => new SslApplicationProtocol(p))],
        ClientCertificateContext = client is null ? null : SslStreamCertificateContext.Create(client, null, offline: true),
        CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { _root.Certificate } },
    };

    private async Task<TlsClient> ConnectAsync(string name, string[]? alpn = null, TestCertificate? client = null, string before = "")
    {
        using var shown = client is null ? null : X509Certificate2.CreateFromPem(client.Chain, client.Key);
        var socket = new TcpClient { NoDelay = true };
        await socket.ConnectAsync(_gateway!.Addresses[0]);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(before));
        var ssl = new SslStream(socket.GetStream());
        await ssl.AuthenticateAsClientAsync(Options(name, alpn, shown)).WaitAsync(RawPeer.Patience);
        return new TlsClient(socket, ssl);
    }

    private async Task StartAsync(int block, int endpoint, Func<GatewayConfiguration, GatewayConfiguration>? change = null)
    {
        var yaml = CodeBlock.Read(Page).Where(b => b.Language == "yaml").ElementAt(block).Text.Replace("/etc/holdfast", _files.Folder);
        var read = ConfigurationReader.Read(yaml, Page);
        Assert.Empty(read.Faults);
        var loopback = new IPEndPoint(IPAddress.Loopback, 0);
        var configuration = read.Configuration! with
        {
            Listeners = [.. read.Configuration.Listeners.Select(l => l with { Address = loopback })],
            Admin = read.Configuration.Admin with { Address = loopback },
            Backends = [.. read.Configuration.Backends.Select(b => b with { Endpoints = [new EndpointAddress("127.0.0.1", endpoint)], SlowStart = TimeSpan.Zero })],
        };
        _gateway = await GatewayHost.StartAsync(change?.Invoke(configuration) ?? configuration, new GatewayHostOptions
        {
            Loops = 1,
            Names = new ResolverSources { ResolvConf = "/dev/null", Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, 1)] },
            LogLevel = LogLevel.None,
        });
    }
}
