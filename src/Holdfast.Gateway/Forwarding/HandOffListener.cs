using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.Interop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Forwarding;

/// <summary>An end point that Kestrel "binds" to receive sockets from the loops: one for plain HTTP, one for TLS.</summary>
internal sealed class HandOffEndPoint(bool isTls) : EndPoint
{
    public bool IsTls { get; } = isTls;

    public override string ToString() => IsTls ? "handed-over-tls" : "handed-over";
}

/// <summary>
/// Kestrel's source of connections: sockets accepted and looked at by the loops, with the bytes they read. Kestrel's own socket transport serves them from there, so a client's
/// FIN during a long poll is still noticed.
/// </summary>
internal sealed class HandOffListenerFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector, IHandOff, IDisposable
{
    private readonly SocketConnectionContextFactory _contexts;
    private readonly HandOffListener _plain;
    private readonly HandOffListener _tls;

    public HandOffListenerFactory(GatewayRuntime runtime, ILogger<HandOffListenerFactory> logger)
    {
        // Nothing lies between what is written and the socket: a flush that has returned has left, and what a slow client leaves lying is seen by who writes it.
        _contexts = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions { MaxWriteBufferSize = 1, UnsafePreferInlineScheduling = true }, logger);
        _plain = new HandOffListener(runtime, _contexts, new HandOffEndPoint(isTls: false));
        _tls = new HandOffListener(runtime, _contexts, new HandOffEndPoint(isTls: true));
    }

    public bool CanBind(EndPoint endpoint) => endpoint is HandOffEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(((HandOffEndPoint)endpoint).IsTls ? _tls : _plain);

    public bool TryHandOff(int fd, int listenerId, in NativeAddress peer, bool isTls, ReadOnlySpan<byte> received) =>
        (isTls ? _tls : _plain).TryTake(fd, new ClientConnection(listenerId, peer, isTls), received.ToArray());

    public void Dispose() => _contexts.Dispose();
}

/// <summary>The sockets for one of the end points. Each has a place of <see cref="GatewayRuntime.TryAdmit"/>, which its end gives back.</summary>
internal sealed class HandOffListener(GatewayRuntime runtime, SocketConnectionContextFactory contexts, HandOffEndPoint endpoint) : IConnectionListener
{
    /// <summary>Sockets that may wait for Kestrel: it takes them in microseconds, so more means that it is stuck.</summary>
    private const int MostWaiting = 1024;

    private readonly Channel<Waiting> _waiting = Channel.CreateBounded<Waiting>(MostWaiting);

    public EndPoint EndPoint => endpoint;

    /// <summary>False: too many wait, or it has stopped; the caller keeps the descriptor.</summary>
    public bool TryTake(int fd, ClientConnection client, byte[] received) => _waiting.Writer.TryWrite(new Waiting(fd, client, received));

    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "Kestrel owns the connection it is given.")]
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _waiting.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (_waiting.Reader.TryRead(out var waiting))
            {
                Socket? socket = null;
                try
                {
                    socket = new Socket(new SafeSocketHandle(waiting.Fd, ownsHandle: true));
                    var connection = contexts.Create(socket);
                    connection.Transport = new DuplexPipe(new PrefixedPipeReader(connection.Transport.Input, waiting.Received), connection.Transport.Output);
                    connection.Features.Set(waiting.Client);
                    return new AdmittedConnection(connection, runtime, waiting.Client.ListenerId);
                }
                catch (SocketException)
                {
                    // The client has left meanwhile. An exception out of here would end this listener for good.
                    socket?.Dispose();
                    runtime.Leave(waiting.Client.ListenerId);
                }
            }
        }

        return null;
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _waiting.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out var waiting))
        {
            Sys.Close(waiting.Fd);
            runtime.Leave(waiting.Client.ListenerId);
        }

        return ValueTask.CompletedTask;
    }

    private readonly record struct Waiting(int Fd, ClientConnection Client, byte[] Received);
}
