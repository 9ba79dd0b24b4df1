using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Tls;

/// <summary>TLS on one listener: which certificate, versions, ciphers and application protocols a client meets. Thread-safe.</summary>
/// <param name="certificates">In the configuration's order.</param>
/// <param name="clientCa">Null: clients are not asked for a certificate.</param>
internal sealed class ListenerTls(ListenerTlsOptions options, CertificatePair[] certificates, AuthoritiesFile? clientCa)
{
    /// <summary>What a client gets that speaks TLS 1.2 at most: forward secrecy and authenticated encryption only (Mozilla's intermediate recommendation, without its finite-field DHE).</summary>
    private static readonly CipherSuitesPolicy? Tls12Ciphers = OperatingSystem.IsLinux() ? new CipherSuitesPolicy(
    [
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        // Not for such a client, but to know 1.3 beside 1.2: a client that was made to fall back then notices (RFC 8446 4.1.3, RFC 7507).
        TlsCipherSuite.TLS_AES_128_GCM_SHA256, TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
    ]) : null;

    private readonly List<SslApplicationProtocol> _alpn = [.. options.Alpn.Select(static p => new SslApplicationProtocol(p))];

    /// <summary>In the configuration's order.</summary>
    public IReadOnlyList<CertificatePair> Certificates => certificates;

    /// <summary>The certificate for a server name: an exact name beats a wildcard, the earlier of two equals the later; the first where none fits, and for a client that names no server.</summary>
    public LoadedCertificate Choose(string? serverName)
    {
        var name = CertificateNames.Normalize(serverName);
        var (best, bestFit) = (certificates[0].Current, NameFit.None);
        if (name.Length == 0)
            return best;
        foreach (var pair in certificates)
        {
            var certificate = pair.Current;
            var fit = certificate.Names.FitOf(name);
            if (fit == NameFit.Exact)
                return certificate;
            if (fit > bestFit)
                (best, bestFit) = (certificate, fit);
        }

        return best;
    }

    /// <summary>What holds for a client.</summary>
    /// <remarks>
    /// .NET keeps OpenSSL's context, and with it the keys of session tickets, only where it is given no list of ciphers. Every suite of TLS 1.3 is good, so a client that offers
    /// 1.3 is held to that version and needs none: it gets sessions that can be resumed. One that does not gets the list, and a full handshake every time.
    /// </remarks>
    /// <param name="offersTls13">As its hello says.</param>
    public SslServerAuthenticationOptions OptionsFor(string? serverName, bool offersTls13)
    {
        var certificate = Choose(serverName);
        var authorities = clientCa?.Current;
        var isTls13 = options.MinVersion == TlsVersion.Tls13 || offersTls13;
        var result = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = authorities is null ? certificate.Context : certificate.ContextAsking(authorities),
            EnabledSslProtocols = isTls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13,
            CipherSuitesPolicy = isTls13 ? null : Tls12Ciphers,
            ApplicationProtocols = _alpn,
            AllowRenegotiation = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (authorities is null)
            return result;
        result.ClientCertificateRequired = true;
        result.CertificateChainPolicy = authorities.PolicyForClients();
        // A session would carry a certificate past a change of the authorities, and .NET shares sessions between listeners that show the same certificate.
        result.AllowTlsResume = false;
        // Without a callback OpenSSL itself refuses whoever shows none, and says so in its alert.
        if (options.ClientCertificate == ClientCertificateUse.Optional)
            result.RemoteCertificateValidationCallback = static (_, shown, _, errors) => shown is null || errors == SslPolicyErrors.None;
        return result;
    }
}
