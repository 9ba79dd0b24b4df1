using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Holdfast.Gateway.Links;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Links;

namespace Holdfast.Gateway.Tls;

/// <summary>The far end of an endpoint's link: its TCP connection and TLS, from the dial to the end.</summary>
internal sealed class TlsLink(int fd, IPEndPoint target, EventLoop loop, DialTicket ticket, TlsDialer dialer, OpenLinks links) : FarEnd(fd, links)
{
    private readonly CancellationTokenSource _unwanted = new();
    private volatile Socket? _socket;
    private volatile bool _isFinished;

    /// <summary>Connects, tells the loop, and moves bytes until either has ended. Never throws.</summary>
    public async Task RunAsync()
    {
        try
        {
            if (await ConnectAsync().ConfigureAwait(false) is not { } tls)
                return;
            await using (tls.ConfigureAwait(false))
            {
                loop.Dialed(ticket, null);
                await RelayAsync(tls).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            Abort();
        }
        finally
        {
            Dispose();
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _socket?.Dispose();
    }

    /// <summary>A connection whose both directions have ended in order is closed too.</summary>
    protected override bool WasReset => !_isFinished && IsClosed(_socket!);

    protected override void OnLegClosed(bool aborted)
    {
        base.OnLegClosed(aborted);
        _ = _unwanted.CancelAsync();        // Who waits for it goes on elsewhere, not on the loop.
    }

    protected override void Abort()
    {
        try
        {
            _socket?.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // It is closed already.
        }

        _socket?.Dispose();
    }

    /// <summary>Null: it has failed, which the loop was told, or nobody waits for it any more.</summary>
    private async Task<SslStream?> ConnectAsync()
    {
        var wanted = _unwanted.Token;
        try
        {
            Open();
            var socket = _socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (socket.Handle >= loop.DescriptorCap)
                throw new SocketException((int)SocketError.TooManyOpenSockets);
            await socket.ConnectAsync(target, wanted).ConfigureAwait(false);
            return await dialer.AuthenticateAsync(new NetworkStream(socket, ownsSocket: false), wanted).ConfigureAwait(false);
        }
        catch (Exception e) when (IsEnd(e) || e is AuthenticationException)
        {
            if (wanted.IsCancellationRequested)
                return null;
            loop.Dialed(ticket, FailureOf(e));
            return null;
        }
    }

    private async Task RelayAsync(SslStream tls)
    {
        var toLoop = ToLoopAsync(tls);
        await FromLoopAsync(tls, CancellationToken.None).ConfigureAwait(false);
        if (!toLoop.IsCompleted)
        {
            // The loop has sent its last: so is the endpoint told. What it still says is read for as long as the loop does.
            await FinishAsync(tls).ConfigureAwait(false);
            _ = await Task.WhenAny(toLoop, LegClosed).ConfigureAwait(false);
        }

        Close();
        await toLoop.ConfigureAwait(false);
    }

    private async Task FinishAsync(SslStream tls)
    {
        _isFinished = true;
        BeginWrite();
        try
        {
            await tls.ShutdownAsync().ConfigureAwait(false);
            _socket!.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // It has gone: what is read says how.
        }
        finally
        {
            EndWrite();
        }
    }

    private static DialFailure FailureOf(Exception exception) => (exception as SocketException ?? exception.InnerException as SocketException)?.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => DialFailure.Refused,
        SocketError.TimedOut => DialFailure.ConnectTimeout,
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable => DialFailure.LocalResources,
        SocketError.HostUnreachable or SocketError.HostDown or SocketError.NetworkUnreachable or SocketError.NetworkDown => DialFailure.Unreachable,
        _ => exception is AuthenticationException ? DialFailure.TlsFailed : DialFailure.Reset,
    };
}
