using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Holdfast.Relay.Interop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Forwarding;

/// <summary>The end point that Kestrel "binds" to receive sockets from the loops.</summary>
internal sealed class HandOffEndPoint : EndPoint
{
    public override string ToString() => "handed-over";
}

/// <summary>
/// On a connection that came from a loop: which listener accepted it, from whom (the socket's peer, or the source in its PROXY protocol header), and its request's
/// Connection list, of which Kestrel keeps only what it knows.
/// </summary>
internal sealed record HandedOff(int ListenerId, NativeAddress Peer, string Connection);

/// <summary>
/// Kestrel's source of connections that are no upgrades: sockets accepted and looked at by the loops, with the bytes they read. Kestrel's own
/// socket transport serves them from there, so a client's FIN during a long poll is still noticed.
/// </summary>
internal sealed class HandOffListener : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionListener, IHandOff
{
    /// <summary>Sockets that may wait for Kestrel: it takes them in microseconds, so more means that it is stuck.</summary>
    private const int MostWaiting = 1024;

    private readonly Channel<Waiting> _waiting = Channel.CreateBounded<Waiting>(MostWaiting);
    private readonly SocketConnectionContextFactory _contexts;

    public HandOffListener(ILogger<HandOffListener> logger) =>
        // Nothing lies between what is written and the socket: a flush that has returned has left, and what a slow client leaves lying is seen by who writes it.
        _contexts = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions { MaxWriteBufferSize = 1 }, logger);

    public EndPoint EndPoint { get; private set; } = new HandOffEndPoint();

    public bool CanBind(EndPoint endpoint) => endpoint is HandOffEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        EndPoint = endpoint;
        return ValueTask.FromResult<IConnectionListener>(this);
    }

    public bool TryHandOff(int fd, int listenerId, in NativeAddress peer, string connection, ReadOnlySpan<byte> received) =>
        _waiting.Writer.TryWrite(new Waiting(fd, new HandedOff(listenerId, peer, connection), received.ToArray()));

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
                    var connection = _contexts.Create(socket);
                    connection.Transport = new DuplexPipe(new PrefixedPipeReader(connection.Transport.Input, waiting.Received), connection.Transport.Output);
                    connection.Features.Set(waiting.Request);
                    return connection;
                }
                catch (SocketException)
                {
                    // The client has left meanwhile. An exception out of here would end this listener for good.
                    socket?.Dispose();
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
            Sys.Close(waiting.Fd);
        _contexts.Dispose();
        return ValueTask.CompletedTask;
    }

    private readonly record struct Waiting(int Fd, HandedOff Request, byte[] Received);
}
