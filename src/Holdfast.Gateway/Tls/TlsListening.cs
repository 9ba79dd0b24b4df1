using System.Text;
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
    /// <summary>For the hello, and once more for the rest (Kestrel's default).</summary>
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
            Exception? fault = null;
            try
            {
                using (var patience = new CancellationTokenSource(HandshakeTimeout, runtime.Time))
                    client.OffersTls13 = await HelloPeek.OffersTls13Async(connection.Transport.Input, patience.Token).ConfigureAwait(false);
                await next(connection).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // A hello that cannot be parsed, say, or a connection that ends while TLS still writes. The server would log each as an error, and clients could fill the log.
                fault = e;
            }

            if (client.IsEstablished && fault is null)
                return;
            var listener = runtime.ListenerOf(client.ListenerId).Options.Name;
            if (!client.IsEstablished)
                failed(listener);
            TlsLog.Failed(runtime.Logger, fault, listener);
        });
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeTimeout,
            OnConnection = context =>
            {
                var client = context.Connection.Features.GetRequiredFeature<ClientConnection>();
                // A live change may have made it a plain listener meanwhile.
                var options = runtime.ListenerOf(client.ListenerId).Options.Tls ?? throw new ConnectionAbortedException("The listener speaks TLS no more.");
                return ValueTask.FromResult(runtime.Certificates.Of(options).OptionsFor(context.ClientHelloInfo.ServerName, client.OffersTls13));
            },
        });
        listen.Use(static next => connection =>
        {
            var client = connection.Features.GetRequiredFeature<ClientConnection>();
            client.IsEstablished = true;
            // Asked for only by a listener with clientCa, and then good.
            if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is { } shown)
                client.ClientCertificate = Encoding.ASCII.GetBytes($":{Convert.ToBase64String(shown.RawDataMemory.Span)}:");
            return next(connection);
        });
        listen.Use(guards.Middleware);
    }
}
