using System.Text;
using Holdfast.Gateway.Tls;
using Holdfast.Testing.Tls;
using Xunit;

namespace Holdfast.Tests.Tls;

/// <summary>What is read from PEM files, and what is said of those that cannot be.</summary>
public sealed class PemFilesTests : IDisposable
{
    private readonly TestAuthority _root = new();

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_pair_is_read_whatever_the_form_of_its_key(bool rsa)
    {
        var certificate = _root.Issue(new TestRequest { Names = ["a.example"], Rsa = rsa });

        Assert.True(Read(certificate.Chain, certificate.Key).Leaf.HasPrivateKey);
        Assert.True(Read(certificate.Chain, certificate.TraditionalKey).Leaf.HasPrivateKey);
        Assert.Equal(["a.example"], Read(certificate.Chain, certificate.Key).Names.All);
        // Text around blocks, other blocks before, and a key in the certificate's file, as some tools write them.
        Assert.True(Read("Bag Attributes\n" + certificate.Chain + certificate.Key, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + certificate.TraditionalKey).Leaf.HasPrivateKey);
        Assert.True(Read(certificate.Chain.Replace("\n", "\r\n"), certificate.Key.Replace("\n", "\r\n")).Leaf.HasPrivateKey);
    }

    [Fact]
    public void The_chain_of_the_file_is_what_clients_are_sent_without_the_root()
    {
        using var middle = new TestAuthority("Middle", _root);
        var certificate = middle.Issue("a.example");

        Assert.Equal("CN=Middle", Assert.Single(Read(certificate.Chain, certificate.Key).Context.IntermediateCertificates).Subject);
        Assert.Equal("CN=Middle", Assert.Single(Read(certificate.Chain + _root.Pem, certificate.Key).Context.IntermediateCertificates).Subject);
    }

    [Fact]
    public void What_ends_first_of_a_chain_is_its_end()
    {
        using var middle = new TestAuthority("Middle", _root, validFor: TimeSpan.FromDays(3));
        var certificate = middle.Issue("a.example");

        Assert.InRange(Read(certificate.Chain, certificate.Key).ExpiresAt, DateTimeOffset.UtcNow.AddDays(2), DateTimeOffset.UtcNow.AddDays(3));
    }

    [Fact]
    public void Faults_say_which_file_and_what_would_be_right()
    {
        var (good, other, rsa) = (_root.Issue("a.example"), _root.Issue("a.example"), _root.Issue(new TestRequest { Names = ["a.example"], Rsa = true }));
        using var middle = new TestAuthority("Middle", _root);
        var below = middle.Issue("b.example");
        var second = below.Chain[below.Chain.LastIndexOf("-----BEGIN", StringComparison.Ordinal)..];
        var first = below.Chain[..^second.Length];
        var encrypted = good.Key.Replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");

        Fault(good.Chain, other.Key, isKey: true, "it does not fit the certificate, which needs another ECDSA key");
        Fault(good.Chain, rsa.Key, isKey: true, "needs another ECDSA key");
        Fault(rsa.Chain, good.TraditionalKey, isKey: true, "needs another RSA key");
        Fault(second + first, below.Key, isKey: false, "the key fits its certificate number 2, which must be the first");
        Fault(good.Chain, encrypted, isKey: true, "the key is encrypted", "openssl pkey");
        Fault(good.Chain, "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", isKey: true, "the key is encrypted");
        Fault(good.Chain, "", isKey: true, "there is no private key in it");
        Fault(good.Chain, good.Chain, isKey: true, "there is no private key in it");
        Fault(good.Chain, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", isKey: true, "it does not fit");
        Fault("", good.Key, isKey: false, "there is no certificate in it");
        Fault(good.Key, good.Key, isKey: false, "there is no certificate in it");
        Fault(good.Chain[..(good.Chain.Length / 2)], good.Key, isKey: false, "cut off or damaged");
        Fault("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.Key, isKey: false, "number 1 cannot be read");
    }

    [Fact]
    public void A_fault_tells_nothing_of_the_key()
    {
        var (good, other) = (_root.Issue("a.example"), _root.Issue("a.example"));
        var secret = other.Key.Split('\n')[1][..16];

        foreach (var key in new[] { other.Key, other.Key[..80], other.Key.Replace("PRIVATE", "ENCRYPTED PRIVATE"), "x" + other.Key.Replace("BEGIN", "BEGUN") })
            Assert.DoesNotContain(secret, Assert.Throws<PemFault>(() => Read(good.Chain, key)).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Authorities_need_a_root()
    {
        using var middle = new TestAuthority("Middle", _root);

        Assert.Equal(2, PemFiles.ReadAuthorities(Encoding.ASCII.GetBytes(middle.Pem + _root.Pem)).Certificates.Count);
        Assert.Contains("no root", Assert.Throws<PemFault>(() => PemFiles.ReadAuthorities(Encoding.ASCII.GetBytes(middle.Pem))).Message, StringComparison.Ordinal);
        Assert.Contains("no certificate", Assert.Throws<PemFault>(() => PemFiles.ReadAuthorities([])).Message, StringComparison.Ordinal);
    }

    private static LoadedCertificate Read(string certificates, string key) => PemFiles.ReadPair(Encoding.ASCII.GetBytes(certificates), Encoding.ASCII.GetBytes(key));

    private static void Fault(string certificates, string key, bool isKey, params string[] parts)
    {
        var fault = Assert.Throws<PemFault>(() => Read(certificates, key));
        Assert.Equal(isKey, fault.IsKey);
        Assert.All(parts, part => Assert.Contains(part, fault.Message, StringComparison.Ordinal));
    }
}
