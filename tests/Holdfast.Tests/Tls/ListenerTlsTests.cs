using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Tls;
using Holdfast.Testing.Tls;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Holdfast.Tests.Tls;

/// <summary>What a listener offers a client.</summary>
public sealed class ListenerTlsTests : IAsyncLifetime
{
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

    [Theory]
    [InlineData("chat.example", "exact")]
    [InlineData("CHAT.example", "exact")]
    [InlineData("x.example", "wildcard")]
    [InlineData("bücher.example", "idn")]
    [InlineData("xn--bcher-kva.example", "idn")]
    [InlineData("twice.other", "twice-first")]
    [InlineData("elsewhere.test", "default")]
    [InlineData("x.y.example", "default")]
    [InlineData("", "default")]
    [InlineData(null, "default")]
    public void The_most_specific_certificate_is_chosen(string? serverName, string expected)
    {
        var tls = Load(new ListenerTlsOptions
        {
            Certificates =
            [
                Issue("default", "default.test"), Issue("wildcard", "*.example"), Issue("exact", "chat.example"), Issue("idn", "xn--bcher-kva.example"),
                Issue("twice-first", "twice.other"), Issue("twice-second", "twice.other"),
            ],
        });

        Assert.Equal($"CN={expected}", tls.Choose(serverName).Leaf.Subject);
    }

    [Fact]
    public void A_client_of_TLS_1_3_is_held_to_it_and_may_resume_sessions()
    {
        var options = Load(new ListenerTlsOptions { Certificates = [Issue("a", "a.example")] }).OptionsFor("a.example", offersTls13: true);

        Assert.Equal(SslProtocols.Tls13, options.EnabledSslProtocols);
        Assert.Null(options.CipherSuitesPolicy);
        Assert.True(options.AllowTlsResume);
        Assert.False(options.AllowRenegotiation);
        Assert.Equal([SslApplicationProtocol.Http11], options.ApplicationProtocols!);
    }

    [Fact]
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public void An_older_client_is_given_ciphers_with_forward_secrecy_and_authentication_only()
    {
        var options = Load(new ListenerTlsOptions { Certificates = [Issue("a", "a.example")] }).OptionsFor("a.example", offersTls13: false);

        Assert.Equal(SslProtocols.Tls12 | SslProtocols.Tls13, options.EnabledSslProtocols);
        Assert.All(options.CipherSuitesPolicy!.AllowedCipherSuites.Select(s => s.ToString()).Where(s => s.Contains("_WITH_")), suite =>
        {
            Assert.StartsWith("TLS_ECDHE_", suite, StringComparison.Ordinal);
            Assert.Matches("_GCM_|_CHACHA20_POLY1305_", suite);
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_listener_of_TLS_1_3_knows_nothing_else(bool offersTls13) => Assert.Equal(
        SslProtocols.Tls13,
        Load(new ListenerTlsOptions { Certificates = [Issue("a", "a.example")], MinVersion = TlsVersion.Tls13 }).OptionsFor(null, offersTls13).EnabledSslProtocols);

    [Fact]
    public void Client_certificates_are_judged_by_the_listeners_authorities_alone_without_the_network()
    {
        var options = Load(new ListenerTlsOptions { Certificates = [Issue("a", "a.example")], ClientCa = _folder.Replace("ca.pem", _root.Pem) }).OptionsFor(null, offersTls13: true);

        Assert.True(options.ClientCertificateRequired);
        Assert.False(options.AllowTlsResume);
        Assert.True(options.CertificateChainPolicy!.DisableCertificateDownloads);
        Assert.Equal(System.Security.Cryptography.X509Certificates.X509RevocationMode.NoCheck, options.CertificateChainPolicy.RevocationMode);
        Assert.Equal(_root.Certificate.Thumbprint, Assert.Single(options.CertificateChainPolicy.CustomTrustStore).Thumbprint);
    }

    private CertificateFiles Issue(string commonName, string name)
    {
        var (certificate, key) = _folder.Write(commonName, _root.Issue(new TestRequest { CommonName = commonName, Names = [name] }));
        return new CertificateFiles(certificate, key);
    }

    private ListenerTls Load(ListenerTlsOptions tls)
    {
        _store.Load(new GatewayConfiguration { Listeners = [new ListenerOptions { Name = "web", Address = new IPEndPoint(IPAddress.Loopback, 8443), Tls = tls }] });
        return _store.Of(tls);
    }
}
