using System.Security.Cryptography.X509Certificates;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Tls;

/// <summary>Clients that must, or may, show a certificate.</summary>
public sealed class ClientCertificateTests
{
    [Theory]
    [InlineData("none", false, true)]
    [InlineData("good", true, true)]
    [InlineData("below", true, true)]
    [InlineData("stranger", false, false)]
    [InlineData("self-signed", false, false)]
    [InlineData("expired", false, false)]
    [InlineData("server", false, false)]
    public async Task Whoever_shows_one_shows_a_good_one(string shown, bool required, bool optional)
    {
        if (OpenSsl.Missing is { } missing)
            Assert.Skip(missing);
        foreach (var (tls, served) in ((string, bool)[])[("clientCa: {folder}/clients.pem", required), ("clientCa: {folder}/clients.pem, clientCertificate: optional", optional)])
        {
            using var clients = new TestAuthority("Clients");
            await using var gateway = await TlsGateway.StartAsync(tls, g =>
            {
                using var middle = new TestAuthority("Middle", clients);
                g.Files.Replace("clients.pem", clients.Pem);
                g.Files.Write("good", clients.Issue(Client("ann")));
                g.Files.Write("below", middle.Issue(Client("bob")));
                // The server's own authority is not the clients'.
                g.Files.Write("stranger", g.Root.Issue(Client("eve")));
                g.Files.Write("self-signed", clients.Issue(Client("eve") with { SelfSigned = true }));
                g.Files.Write("expired", clients.Issue(Client("ann") with { To = TimeSpan.FromDays(-1) }));
                g.Files.Write("server", clients.Issue(Client("srv") with { ForClients = false }));
            });
            var files = shown == "none" ? [] : (string[])["-cert", gateway.Files.File(shown + ".crt"), "-key", gateway.Files.File(shown + ".key"), "-cert_chain", gateway.Files.File(shown + ".crt")];

            foreach (var version in (string[])["-tls1_2", "-tls1_3"])
            {
                var output = await OpenSsl.ConnectAsync(gateway.Port, [version, .. files]);
                Assert.True(served == output.Contains("HTTP/1.1 200", StringComparison.Ordinal), $"{shown} {version} {tls}: {output}");
                Assert.Contains("Acceptable client certificate CA names\nCN = Clients\n", output, StringComparison.Ordinal);
            }

            Assert.Equal(served ? 0 : 2, await gateway.MetricAsync("holdfast_tls_handshake_failures_total"));
        }
    }

    [Fact]
    public async Task A_session_of_a_listener_without_client_certificates_opens_none_that_wants_them()
    {
        if (OpenSsl.Missing is { } missing)
            Assert.Skip(missing);
        await using var gateway = await TlsGateway.StartAsync(prepare: g => g.Files.Replace("clients.pem", g.Root.Pem));
        var session = gateway.Files.File("session");
        Assert.Contains("HTTP/1.1 200", await OpenSsl.ConnectAsync(gateway.Port, "-tls1_3", "-sess_out", session), StringComparison.Ordinal);

        var asking = gateway.Read("clientCa: {folder}/clients.pem");
        await gateway.Host.ApplyAsync(asking);
        var output = await OpenSsl.ConnectAsync(gateway.Port, "-tls1_3", "-sess_in", session);

        Assert.DoesNotContain("HTTP/1.1 200", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Reused", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoints_are_told_the_certificate_and_no_forged_one()
    {
        using var clients = new TestAuthority("Clients");
        var ann = clients.Issue(Client("ann"));
        await using var gateway = await TlsGateway.StartAsync("clientCa: {folder}/clients.pem, clientCertificate: optional", g => g.Files.Replace("clients.pem", clients.Pem));
        using var certificate = X509Certificate2.CreateFromPem(ann.Chain, ann.Key);
        const string Forged = "Client-Cert: :Zm9yZ2Vk:\r\nclient-cert-chain: :Zm9yZ2Vk:\r\n";

        foreach (var shown in (X509Certificate2?[])[certificate, null])
        {
            foreach (var upgrade in (bool[])[false, true])
            {
                using var client = await gateway.ConnectAsync("a.example", shown);
                await client.Stream.WriteAsync(Encoding.ASCII.GetBytes($"GET /{upgrade} HTTP/1.1\r\nHost: a.example\r\n{Forged}{(upgrade ? Upgrades.Lines : "")}\r\n"));
                await Processes.UntilAsync(() => !gateway.Endpoint.Heads.IsEmpty, "the endpoint had the request");
                Assert.True(gateway.Endpoint.Heads.TryDequeue(out var head));
                Assert.Equal(upgrade, head.Contains("Upgrade: websocket", StringComparison.OrdinalIgnoreCase));
                Assert.Equal(shown is null ? [] : [$":{Convert.ToBase64String(certificate.RawData)}:"], Upgrades.Values(head, "Client-Cert"));
                Assert.Empty(Upgrades.Values(head, "Client-Cert-Chain"));
            }
        }
    }

    private static TestRequest Client(string name) => new() { CommonName = name, ForClients = true };
}
