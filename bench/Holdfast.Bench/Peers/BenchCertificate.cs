using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Holdfast.Bench.Peers;

/// <summary>One key and certificate for all systems and runs, for 127.0.0.1: ECDSA P-256, what certificate authorities give by default nowadays.</summary>
internal static class BenchCertificate
{
    private static readonly Lazy<(string Certificate, string Key)> Pem = new(Create);

    /// <summary>As tls.crt and tls.key, and both in tls.pem, as HAProxy wants them.</summary>
    public static async Task WriteAsync(string directory)
    {
        var (certificate, key) = Pem.Value;
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.crt"), certificate);
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.key"), key);
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.pem"), certificate + key);
    }

    private static (string Certificate, string Key) Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench.example", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        return (certificate.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
