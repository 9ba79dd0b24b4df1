using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Filters;

/// <summary>Routes that send their clients elsewhere, and routes of one listener.</summary>
public sealed class RedirectTests
{
    [Theory]
    [InlineData(true, "test.example", "https://test.example:8443/old/x?y=%20")]
    [InlineData(false, "test.example", "https://test.example:8443/old/x?y=%20")]
    [InlineData(true, "[::1]:8080", "https://[::1]:8443/old/x?y=%20")]
    [InlineData(false, "[::1]:8080", "https://[::1]:8443/old/x?y=%20")]
    public async Task The_client_is_sent_elsewhere_and_no_endpoint_hears_of_it(bool upgrade, string host, string location)
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port],
            Routes = ["path: {prefix: /old}, filters: [{redirect: {scheme: https, port: 8443, status: 308}}]"],
        });
        using var client = gateway.Connect();
        // A page of another site is sent there too: what is refused is judged there.
        client.Send($"GET /old/x?y=%20 HTTP/1.1\r\nHost: {host}\r\nOrigin: https://elsewhere.example\r\n{(upgrade ? Upgrades.Lines : "")}\r\n");
        var answer = client.ReceiveHead();
        Assert.Equal((308, location, "0"), (Upgrades.Status(answer), Upgrades.Value(answer, "Location"), Upgrades.Value(answer, "Content-Length")));
        Assert.False(endpoints.Poll(0, SelectMode.SelectRead));
        if (upgrade)
        {
            Assert.Empty(client.ReceiveToEnd());
            Assert.Equal(1, await gateway.MetricAsync("holdfast_handshakes_total", "outcome=\"redirected\"", "backend=\"\""));
            var line = await gateway.Log.OfAsync(client);
            Assert.Equal(("redirected", 308), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
        }

        client.Dispose();
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_redirect_names_the_host_and_the_scheme_that_a_trusted_proxy_tells(bool upgrade)
    {
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Listener = "trustedProxies: [127.0.0.0/8]",
            Routes = ["path: {prefix: /old}, filters: [{redirect: {path: {prefix: /new}}}]"],
        });
        using var client = gateway.Connect();
        client.Send($"GET /old?x HTTP/1.1\r\nHost: inner\r\nX-Forwarded-Host: outer.example\r\nX-Forwarded-Proto: https\r\n{(upgrade ? Upgrades.Lines : "")}\r\n");
        var answer = client.ReceiveHead();
        Assert.Equal((302, "https://outer.example/new?x"), (Upgrades.Status(answer), Upgrades.Value(answer, "Location")));
    }

    [Fact]
    public async Task A_request_without_a_host_cannot_be_redirected_to_one()
    {
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Routes = ["path: {prefix: /}, headers: [{name: x, value: y}], filters: [{redirect: {port: 81}}]"] });
        using var client = gateway.Connect();
        client.Send("GET //evil.example/ HTTP/1.0\r\nX: y\r\n\r\n");
        var answer = client.ReceiveHead();
        Assert.Equal((400, null), (Upgrades.Status(answer), Upgrades.Value(answer, "Location")));
    }

    [Fact]
    public async Task The_examples_plain_listener_redirects_and_its_TLS_listener_serves()
    {
        var directory = Directory.CreateTempSubdirectory("holdfast-test-");
        try
        {
            using var endpoint = new EchoEndpoint();
            var (certificate, key) = WriteCertificate(directory.FullName);
            var text = Repository.Read("docs", "examples", "https-redirect.yaml")
                .Replace("0.0.0.0:8080", "127.0.0.1:0", StringComparison.Ordinal)
                .Replace("0.0.0.0:8443", "127.0.0.1:0", StringComparison.Ordinal)
                .Replace("/run/secrets/holdfast/tls.crt", certificate, StringComparison.Ordinal)
                .Replace("/run/secrets/holdfast/tls.key", key, StringComparison.Ordinal)
                .Replace("10.1.0.11:8080", $"127.0.0.1:{endpoint.Port}", StringComparison.Ordinal) + "admin: {address: 127.0.0.1:0}\nshutdown: {delay: 0s, duration: 0s}\n";
            var read = ConfigurationReader.Read(text, "https-redirect.yaml");
            Assert.True(read.Configuration is not null, string.Join('\n', read.Faults));
            await using var gateway = await GatewayHost.StartAsync(read.Configuration!, new GatewayHostOptions
            {
                Loops = 1,
                AccessLog = Stream.Null,
                Names = new ResolverSources { ResolvConf = "/dev/null", Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, 1)] },
                LogLevel = LogLevel.Error,
            });

            foreach (var upgrade in (bool[])[true, false])
            {
                using var plain = RawPeer.Connect(gateway.Addresses[0]);
                plain.Send($"GET /ws?room=1 HTTP/1.1\r\nHost: chat.example.com\r\n{(upgrade ? Upgrades.Lines : "")}\r\n");
                var answer = plain.ReceiveHead();
                Assert.Equal((308, "https://chat.example.com/ws?room=1"), (Upgrades.Status(answer), Upgrades.Value(answer, "Location")));
            }

            Assert.Equal(0, endpoint.Connections);
            using var socket = new TcpClient();
            await socket.ConnectAsync(gateway.Addresses[1], TestContext.Current.CancellationToken);
#pragma warning disable CA5359 // What is shown is made by this test a moment before.
            using var tls = new SslStream(socket.GetStream(), false, static (_, _, _, _) => true);
#pragma warning restore CA5359
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "chat.example.com" }, TestContext.Current.CancellationToken);
            await tls.WriteAsync(Encoding.ASCII.GetBytes(Upgrades.Request("/ws?room=1").Replace("test.example", "chat.example.com", StringComparison.Ordinal)), TestContext.Current.CancellationToken);
            Assert.StartsWith("HTTP/1.1 101 ", await HeadOfAsync(tls), StringComparison.Ordinal);
            Assert.Equal(1, endpoint.Connections);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_route_of_one_listener_is_none_on_another(bool upgrade)
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port],
            Listeners = ["name: other, address: \"127.0.0.1:0\""],
            Route = "listeners: [other]",
        });
        using var client = gateway.Connect();
        client.Send($"GET /x HTTP/1.1\r\nHost: test.example\r\n{(upgrade ? Upgrades.Lines : "")}\r\n");
        Assert.Equal(404, Upgrades.Status(client.ReceiveHead()));

        using var served = RawPeer.Connect(gateway.Host.Addresses[1]);
        served.Send($"GET /x HTTP/1.1\r\nHost: test.example\r\n{(upgrade ? Upgrades.Lines : "")}\r\n");
        using var endpoint = RawPeer.Accept(endpoints);
        Assert.StartsWith("GET /x HTTP/1.1\r\n", endpoint.ReceiveHead(), StringComparison.Ordinal);
    }

    private static (string Certificate, string Key) WriteCertificate(string directory)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=chat.example.com", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("chat.example.com");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var (certificateFile, keyFile) = (Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key"));
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (certificateFile, keyFile);
    }

    private static async Task<string> HeadOfAsync(Stream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (head.Length < 4 || head.ToString(head.Length - 4, 4) != "\r\n\r\n")
        {
            await stream.ReadExactlyAsync(one, TestContext.Current.CancellationToken);
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}
