using System.Net.Security;
using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Tls;

/// <summary>TLS towards one backend's endpoints: its server name, authorities and client certificate. Thread-safe.</summary>
internal sealed class UpstreamTls(BackendTlsOptions options)
{
    public BackendTlsOptions Options { get; } = options;

    /// <summary>
    /// Does the TLS handshake with an endpoint, as what is in the files now says. Throws <see cref="System.Security.Authentication.AuthenticationException"/> with what is wrong
    /// with its certificate, or an I/O exception; the stream is then disposed.
    /// </summary>
    /// <param name="stream">The connected socket's; owned by the result.</param>
    /// <param name="endpoint">Whose name counts where none is configured.</param>
    /// <param name="cancel">Bounds the time.</param>
    public ValueTask<SslStream> AuthenticateAsync(Stream stream, EndpointAddress endpoint, CancellationToken cancel) => throw new NotSupportedException();
}
