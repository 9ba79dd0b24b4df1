using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Holdfast.Testing.Tls;

/// <summary>A certificate authority of a test's own: a root, or below another.</summary>
public sealed class TestAuthority : IDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly TestAuthority? _parent;

    public TestAuthority(string name = "Test Root", TestAuthority? parent = null, TimeSpan? validFor = null)
    {
        _parent = parent;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-400), DateTimeOffset.UtcNow + (validFor ?? TimeSpan.FromDays(3650)));
        if (parent is null)
        {
            _certificate = request.CreateSelfSigned(from, to);
            return;
        }

        using var signed = parent.Sign(request, from, to);
        _certificate = signed.CopyWithPrivateKey(key);
    }

    /// <summary>Its own certificate.</summary>
    public string Pem => _certificate.ExportCertificatePem() + "\n";

    public X509Certificate2 Certificate => _certificate;

    public TestCertificate Issue(params string[] names) => Issue(new TestRequest { Names = names });

    public TestCertificate Issue(TestRequest wanted)
    {
        using var key = wanted.Rsa ? RSA.Create(2048) : (AsymmetricAlgorithm)ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = $"CN={wanted.CommonName ?? (wanted.Names.Count > 0 ? wanted.Names[0] : "nobody")}";
        var request = key is RSA rsa
            ? new CertificateRequest(subject, rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest(subject, (ECDsa)key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(wanted.ForClients ? "1.3.6.1.5.5.7.3.2" : "1.3.6.1.5.5.7.3.1")], critical: false));
        if (wanted.Names.Count > 0)
        {
            var alternatives = new SubjectAlternativeNameBuilder();
            foreach (var name in wanted.Names)
            {
                if (IPAddress.TryParse(name, out var address))
                    alternatives.AddIpAddress(address);
                else
                    alternatives.AddDnsName(name);
            }

            request.CertificateExtensions.Add(alternatives.Build());
        }

        if (wanted.IssuerAt is { } issuer)
            request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(null, [issuer.AbsoluteUri]));
        var now = DateTimeOffset.UtcNow;
        var (from, to) = (now + wanted.From, now + wanted.To);
        using var signed = wanted.SelfSigned ? request.CreateSelfSigned(from, to) : Sign(request, from, to);
        var chain = signed.ExportCertificatePem() + "\n";
        for (var authority = this; authority._parent is not null && !wanted.SelfSigned; authority = authority._parent)
            chain += authority.Pem;
        return new TestCertificate(chain, key.ExportPkcs8PrivateKeyPem() + "\n", Traditional(key), signed.SerialNumber);
    }

    public void Dispose() => _certificate.Dispose();

    private X509Certificate2 Sign(CertificateRequest request, DateTimeOffset from, DateTimeOffset to)
    {
        using var key = _certificate.GetECDsaPrivateKey()!;
        return request.Create(_certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(key), from, to, Serial());
    }

    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x3f) | 0x40);
        return serial;
    }

    private static string Traditional(AsymmetricAlgorithm key) => (key is RSA rsa ? rsa.ExportRSAPrivateKeyPem() : ((ECDsa)key).ExportECPrivateKeyPem()) + "\n";
}

/// <summary>What a certificate is to be.</summary>
public sealed record TestRequest
{
    /// <summary>Its subject alternative names: DNS names and addresses. None: it has only a common name.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    public string? CommonName { get; init; }

    public bool Rsa { get; init; }

    public bool SelfSigned { get; init; }

    public bool ForClients { get; init; }

    /// <summary>Where it says that its issuer's certificate is to be had.</summary>
    public Uri? IssuerAt { get; init; }

    /// <summary>From now.</summary>
    public TimeSpan From { get; init; } = TimeSpan.FromDays(-100);

    /// <summary>From now.</summary>
    public TimeSpan To { get; init; } = TimeSpan.FromDays(90);
}

/// <summary>A certificate in PEM.</summary>
/// <param name="Chain">The leaf, then the authorities below the root.</param>
/// <param name="Key">PKCS#8.</param>
/// <param name="TraditionalKey">PKCS#1 or SEC 1.</param>
/// <param name="Serial">Hexadecimal, as openssl prints it.</param>
public sealed record TestCertificate(string Chain, string Key, string TraditionalKey, string Serial);

/// <summary>A directory for certificates, gone with the test.</summary>
public sealed class CertificateFolder : IDisposable
{
    private int _version;

    public string Folder { get; } = Directory.CreateTempSubdirectory("holdfast-tls-").FullName;

    public string File(string name) => Path.Combine(Folder, name);

    /// <summary>Writes <c>name.crt</c> and <c>name.key</c>, each as a whole: beside, then renamed.</summary>
    public (string Certificate, string Key) Write(string name, TestCertificate certificate) =>
        (Replace(name + ".crt", certificate.Chain), Replace(name + ".key", certificate.Key));

    public string Replace(string name, string text)
    {
        var path = File(name);
        var temporary = path + $".{Interlocked.Increment(ref _version)}";
        System.IO.File.WriteAllText(temporary, text);
        System.IO.File.Move(temporary, path, overwrite: true);
        return path;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
