using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Holdfast.Gateway.Tls;

/// <summary>A certificate with its key and chain, ready for TLS. Immutable. Nobody disposes it: TLS handshakes under way may still use it after it was replaced.</summary>
internal sealed class LoadedCertificate
{
    private readonly X509Certificate2[] _chain;
    private readonly Lock _gate = new();
    private (Authorities Authorities, SslStreamCertificateContext Context)? _asking;

    /// <param name="leaf">With its private key.</param>
    /// <param name="chain">What lies between it and the root, from its file.</param>
    public LoadedCertificate(X509Certificate2 leaf, X509Certificate2[] chain)
    {
        (Leaf, _chain) = (leaf, chain);
        Names = new CertificateNames(leaf);
        X509Certificate2[] all = [leaf, .. chain];
        ValidFrom = all.Max(static c => new DateTimeOffset(c.NotBefore));
        ExpiresAt = all.Min(static c => new DateTimeOffset(c.NotAfter));
        Context = NewContext(trust: null);
    }

    public X509Certificate2 Leaf { get; }

    public CertificateNames Names { get; }

    public DateTimeOffset ValidFrom { get; }

    /// <summary>Of the leaf, or of what is between it and the root where that ends sooner: clients need all of it.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>For either side of a TLS handshake.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <summary>For a server that asks for client certificates: its question names the authorities, by which a browser with several certificates chooses.</summary>
    public SslStreamCertificateContext ContextAsking(Authorities authorities)
    {
        lock (_gate)
        {
            if (_asking is not { } known || known.Authorities != authorities)
            {
                known = (authorities, NewContext(SslCertificateTrust.CreateForX509Collection(authorities.Certificates, sendTrustInHandshake: true)));
                _asking = known;
            }

            return known.Context;
        }
    }

    /// <summary>Offline: nothing is fetched from addresses that a certificate names, neither a missing link of its chain nor an OCSP answer.</summary>
    private SslStreamCertificateContext NewContext(SslCertificateTrust? trust) => SslStreamCertificateContext.Create(Leaf, [.. _chain], offline: true, trust);
}
