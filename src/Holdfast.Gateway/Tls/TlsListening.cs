using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Holdfast.Gateway.Tls;

/// <summary>Sets up the server for the sockets of TLS listeners.</summary>
internal static class TlsListening
{
    /// <summary>As nearly everyone's is within a second or two; the listener's sockets wait no longer for a silent client.</summary>
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// HTTP/2's limits. Streams: each may be a WebSocket, and the one over the limit waits without a word to anyone, so there are ten times the server's usual 100; what a
    /// stream costs is bounded where it becomes a connection. Windows: a client that does not read its streams must not stop the others on its connection: 16 MiB are 170 stalled ones.
    /// Pings: as of the WebSockets by default, for connections without one.
    /// </summary>
    public static void Limit(Http2Limits limits)
    {
        limits.MaxStreamsPerConnection = 1000;
        limits.InitialStreamWindowSize = 96 * 1024;
        limits.InitialConnectionWindowSize = 16 * 1024 * 1024;
        limits.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
    }

    /// <param name="failed">A TLS handshake failed, or was given up; the listener's name.</param>
    public static void Use(ListenOptions listen, GatewayRuntime runtime, RequestGuards guards, Action<string> failed)
    {
        // Which of the two is for the listener's alpn to say.
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.Use(next => async connection =>
        {
            var client = connection.Features.GetRequiredFeature<ClientConnection>();
            await next(connection).ConfigureAwait(false);
            if (client.IsEstablished)
                return;
            var listener = runtime.ListenerOf(client.ListenerId).Options.Name;
            failed(listener);
            TlsLog.HandshakeFailed(runtime.Logger, listener);
        });
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeTimeout,
            OnConnection = context =>
            {
                var client = context.Connection.Features.GetRequiredFeature<ClientConnection>();
                // A live change may have made it a plain listener meanwhile.
                var options = runtime.ListenerOf(client.ListenerId).Options.Tls ?? throw new ConnectionAbortedException("The listener speaks TLS no more.");
                var hello = context.ClientHelloInfo;
                return ValueTask.FromResult(runtime.Certificates.Of(options).OptionsFor(hello.ServerName, hello.SslProtocols));
            },
        });
        listen.Use(static next => connection =>
        {
            connection.Features.GetRequiredFeature<ClientConnection>().IsEstablished = true;
            return next(connection);
        });
        listen.Use(guards.Middleware);
    }
}
