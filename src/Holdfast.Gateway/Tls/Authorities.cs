using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Holdfast.Gateway.Tls;

/// <summary>The only authorities that count for something. Immutable.</summary>
internal sealed class Authorities
{
    /// <summary>RFC 5280 4.2.1.12.</summary>
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1"), ClientAuthentication = new("1.3.6.1.5.5.7.3.2");

    public Authorities(X509Certificate2[] certificates)
    {
        Certificates = [.. certificates];
        ExpiresAt = certificates.Max(static c => new DateTimeOffset(c.NotAfter));
    }

    public X509Certificate2Collection Certificates { get; }

    /// <summary>Of the one that lasts longest.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>How a client's certificate is judged.</summary>
    public X509ChainPolicy PolicyForClients() => NewPolicy(Certificates, ClientAuthentication);

    /// <summary>How an endpoint's certificate is judged.</summary>
    /// <param name="authorities">Null: the system's.</param>
    public static X509ChainPolicy PolicyForServers(Authorities? authorities) => NewPolicy(authorities?.Certificates, ServerAuthentication);

    /// <summary>A new one for each TLS handshake, which writes in it. Nothing is fetched from addresses that a certificate names: the peer chose those.</summary>
    private static X509ChainPolicy NewPolicy(X509Certificate2Collection? trusted, Oid purpose)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true, ApplicationPolicy = { purpose } };
        if (trusted is null)
            return policy;
        policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        policy.CustomTrustStore.AddRange(trusted);
        // What is not self-signed ends no chain, but may be a link that the peer does not send.
        policy.ExtraStore.AddRange(trusted);
        return policy;
    }
}
