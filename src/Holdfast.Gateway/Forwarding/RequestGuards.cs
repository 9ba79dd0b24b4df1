using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Holdfast.Gateway.Forwarding;

/// <summary>
/// Puts a <see cref="RequestGuard"/> before Kestrel's HTTP/1.1 parser on every connection that was handed over. On a TLS end point it belongs behind UseHttps, where it sees
/// what was decrypted and which protocol was agreed on.
/// </summary>
internal sealed class RequestGuards(TimeProvider time)
{
    public TimeProvider Time { get; } = time;

    /// <summary>Called with the status of each request that a guard refused, which no application sees. Any thread; must not block or throw.</summary>
    public Action<ClientConnection, int>? OnRefused { get; set; }

    public ConnectionDelegate Middleware(ConnectionDelegate next) => async connection =>
    {
        // HTTP/2 frames its requests itself; each is judged as it is taken.
        if (connection.Features.Get<ITlsApplicationProtocolFeature>()?.ApplicationProtocol.Span.SequenceEqual("h2"u8) == true)
        {
            await next(connection).ConfigureAwait(false);
            return;
        }

        var transport = connection.Transport;
        var isTls = connection.Features.Get<ITlsConnectionFeature>() is not null;
        var socket = isTls ? null : connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        using var guard = new RequestGuard(this, transport, connection.Features.Get<ClientConnection>()!, socket);
        connection.Features.Set(guard);
        connection.Transport = new DuplexPipe(guard, transport.Output);
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            connection.Transport = transport;
        }
    };
}
