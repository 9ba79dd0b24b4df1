using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Telemetry;

namespace Holdfast.Gateway.Tls;

/// <summary>TLS towards one backend's endpoints: its server name, authorities and client certificate. Thread-safe.</summary>
/// <param name="store">Has loaded the files of the options.</param>
/// <param name="time">For what is told of a certificate that is not valid now.</param>
internal sealed class UpstreamTls(BackendTlsOptions options, CertificateStore store, TimeProvider time)
{
    private static readonly List<SslApplicationProtocol> Alpn = [SslApplicationProtocol.Http11];

    private readonly AuthoritiesFile? _authorities = options.Ca is { } ca ? store.AuthoritiesOf(ca) : null;
    private readonly CertificatePair? _client = options.ClientCertificate is { } client ? store.Of(client) : null;

    public BackendTlsOptions Options { get; } = options;

    /// <summary>
    /// Does the TLS handshake with an endpoint, as what is in the files now says. Throws <see cref="AuthenticationException"/> with what is wrong
    /// with its certificate, or an I/O exception; the stream is then disposed.
    /// </summary>
    /// <param name="stream">The connected socket's; owned by the result.</param>
    /// <param name="endpoint">Whose name counts where none is configured.</param>
    /// <param name="cancel">Bounds the time.</param>
    public async ValueTask<SslStream> AuthenticateAsync(Stream stream, EndpointAddress endpoint, CancellationToken cancel)
    {
        var ssl = new SslStream(stream, leaveInnerStreamOpen: false);
        var judge = new Judge(this, (Options.ServerName ?? endpoint.Host).TrimEnd('.'));
        try
        {
            await ssl.AuthenticateAsClientAsync(judge.NewOptions(), cancel).ConfigureAwait(false);
            return ssl;
        }
        catch (AuthenticationException e)
        {
            await ssl.DisposeAsync().ConfigureAwait(false);
            throw new AuthenticationException(judge.Fault ?? Describe(e), e);
        }
        catch
        {
            await ssl.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static string Describe(AuthenticationException e)
    {
        // OpenSSL's own words, "error:0A00010B:SSL routines::wrong version number", are the innermost, and the only ones that say anything.
        Exception inner = e;
        while (inner.InnerException is { } next)
            inner = next;
        var reason = inner.Message.AsSpan();
        if (reason.LastIndexOf("::") is >= 0 and var colons)
            reason = reason[(colons + 2)..];
        // OpenSSL's words for what looks like a record, and .NET's for what does not.
        return reason.Contains("wrong version number", StringComparison.Ordinal) || reason.Contains("frame size", StringComparison.Ordinal)
            ? "it does not speak TLS"
            : $"the TLS handshake failed: {reason.Trim().TrimEnd('.')}";
    }

    /// <summary>One endpoint's certificate, and why it is refused.</summary>
    private sealed class Judge(UpstreamTls tls, string name)
    {
        public string? Fault { get; private set; }

        public SslClientAuthenticationOptions NewOptions() => new()
        {
            TargetHost = name,      // No SNI where it is an address, and then the certificate's addresses count.
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = Alpn,
            AllowRenegotiation = false,
            ClientCertificateContext = tls._client?.Current.Context,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            CertificateChainPolicy = Authorities.PolicyForServers(tls._authorities?.Current),
            RemoteCertificateValidationCallback = (_, certificate, chain, errors) => IsGood(certificate as X509Certificate2, chain, errors),
        };

        private bool IsGood(X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            if (errors == SslPolicyErrors.None || !tls.Options.Verify)
                return true;
            Fault = certificate is null ? "it has no certificate" : DescribeTime(certificate) ?? DescribeName(certificate, errors) ?? DescribeChain(certificate, chain);
            return false;
        }

        private string? DescribeTime(X509Certificate2 certificate)
        {
            var (now, from, to) = (tls.Time.GetUtcNow(), new DateTimeOffset(certificate.NotBefore), new DateTimeOffset(certificate.NotAfter));
            if (to < now)
                return $"its certificate expired at {UtcTime.Text(to)}";
            return from > now ? $"its certificate is not valid before {UtcTime.Text(from)}" : null;
        }

        private string? DescribeName(X509Certificate2 certificate, SslPolicyErrors errors)
        {
            if ((errors & SslPolicyErrors.RemoteCertificateNameMismatch) == 0)
                return null;
            var alternatives = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
            string[] names = [.. new CertificateNames(certificate).All, .. alternatives?.EnumerateIPAddresses().Select(static a => a.ToString()) ?? []];
            return $"its certificate is for {(names.Length == 0 ? "no name" : string.Join(", ", names.Take(8)))}, not for {name}";
        }

        private string DescribeChain(X509Certificate2 certificate, X509Chain? chain)
        {
            var from = tls._authorities is { } file ? $"the authorities in {file}" : "the system's authorities";
            var status = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, static (all, s) => all | s.Status) ?? X509ChainStatusFlags.NoError;
            if ((status & X509ChainStatusFlags.NotTimeValid) != 0)
                return "a certificate between its own and the root is not valid now";
            if ((status & X509ChainStatusFlags.NotValidForUsage) != 0)
                return "its certificate is not for servers (extended key usage)";
            if (certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData))
                return $"its certificate is self-signed and not among {from}";
            return (status & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0
                ? $"its certificate does not lead to {from}"
                : $"its certificate is refused: {status}";
        }
    }

    private TimeProvider Time => time;
}
