using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Links;
using Holdfast.Gateway.Auth;
using Holdfast.Testing;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>Services that are asked over https.</summary>
public sealed class AuthTlsTests : IDisposable
{
    private readonly Socket _service = RawPeer.Listen();
    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _files = new();

    private Uri Url => new($"https://127.0.0.1:{((IPEndPoint)_service.LocalEndPoint!).Port}/verify");

    [Fact]
    public async Task One_that_the_systems_authorities_vouch_for_is_asked()
    {
        using var certificate = Load(_root.Issue("127.0.0.1"));
        using var endpoint = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(
            new GatewaySetup { Endpoints = [endpoint.Port], Backend = $"auth: {{url: '{Url}', copyHeaders: [x-user]}}" }, neighbour: false, authorities: _files.Replace("system.pem", _root.Pem));
        using var client = gateway.Connect();
        client.Send(Upgrades.Request("/ws?room=1"));
        using var asked = TlsPeer.Accept(_service, certificate);
        Assert.Equal("/ws?room=1", Upgrades.Value(asked.ReceiveHead(), "X-Forwarded-Uri"));
        asked.Send("HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 0\r\n\r\n"u8);
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
    }

    [Fact]
    public async Task Nothing_is_fetched_from_addresses_in_a_certificate()
    {
        using var elsewhere = RawPeer.Listen();
        using var issuer = new TestAuthority("Issuer", _root);
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)elsewhere.LocalEndPoint!).Port}/issuer.cer");
        // The issuer's certificate, which would follow in a whole chain, is not shown.
        using var certificate = Load(issuer.Issue(new TestRequest { Names = ["127.0.0.1"], IssuerAt = address }));
        using var gate = new AuthGate(new AuthOptions { Url = Url, Timeout = RawPeer.Patience });
        var answer = Questions.AskAsync(gate, "/");
        // Of TLS 1.3, whose server is done before its client has judged it.
        using var asked = TlsPeer.Accept(_service, certificate);

        Assert.Equal((AuthVerdict.Failed, "The auth service's TLS handshake failed."), ((await answer).Verdict, (await answer).Detail));
        Assert.False(elsewhere.Poll(0, SelectMode.SelectRead), "somebody asks for the issuer's certificate");
    }

    public void Dispose()
    {
        _service.Dispose();
        _root.Dispose();
        _files.Dispose();
    }

    /// <summary>The leaf alone.</summary>
    private static X509Certificate2 Load(TestCertificate issued)
    {
        using var pem = X509Certificate2.CreateFromPem(issued.Chain, issued.Key);
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }
}
