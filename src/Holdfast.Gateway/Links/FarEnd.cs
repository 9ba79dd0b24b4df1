using System.Buffers;
using System.Net.Sockets;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.Links;

namespace Holdfast.Gateway.Links;

/// <summary>
/// The far end of a link: moves bytes between the pair of sockets and the real connection, one pump for each direction. An idle one owns no buffer: each pump waits with a read of
/// zero bytes. Bytes are not looked at here, and not counted: that is the loop's.
/// </summary>
/// <param name="fd">The far end of the pair; this object's from here on.</param>
internal abstract class FarEnd(int fd, OpenLinks links) : SocketLink, IDisposable
{
    /// <summary>Bytes moved at once.</summary>
    public const int PieceSize = 16 * 1024;

    // linux/tcp.h and net/tcp_states.h
    private const int TcpLevel = 6;
    private const int TcpInfo = 11;
    private const byte TcpStateClosed = 7;

    private readonly SafeSocketHandle _handle = new(fd, ownsHandle: true);
    private readonly CancellationTokenSource _cut = new();
    private readonly TaskCompletionSource _legClosed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Socket? _pair;
    private int _received;
    private long _writingSince;

    /// <summary>When the piece that is on its way to the connection was begun, as <see cref="OpenLinks.Now"/>; 0: none is.</summary>
    public long WritingSince => Volatile.Read(ref _writingSince);

    /// <summary>Completes once the loop has closed its end.</summary>
    protected Task LegClosed => _legClosed.Task;

    /// <summary>Of this process's links.</summary>
    protected OpenLinks Links => links;

    /// <summary>Cancelled when this link is over.</summary>
    protected CancellationToken Over => _cut.Token;

    /// <summary>The connection takes no byte any more.</summary>
    public void OnStalled()
    {
        _ = TrySetEnd(LinkEnd.Stalled);
        Abort();
        _pair!.Dispose();
    }

    /// <summary>Once nothing is moved any more.</summary>
    public virtual void Dispose()
    {
        Close();
        _pair?.Dispose();
        _handle.Dispose();
        _cut.Dispose();
    }

    /// <summary>Whether a read of 0 is a reset after all: the system tells an error once, and it may have told the write.</summary>
    protected abstract bool WasReset { get; }

    /// <summary>Resets the real connection. Any thread, at any time; never throws.</summary>
    protected abstract void Abort();

    /// <summary>Bytes came from the connection, and the loop has them now, unless it has ended.</summary>
    protected virtual void OnMoved(ReadOnlySpan<byte> bytes)
    {
    }

    protected override void OnLegClosed(bool aborted)
    {
        // The connection's end may take a lock, and whoever waits for this goes on elsewhere: neither belongs on the loop.
        if (aborted)
            ThreadPool.UnsafeQueueUserWorkItem(static link => link.Abort(), this, preferLocal: false);
        _legClosed.TrySetResult();
    }

    /// <summary>Before anything is received or sent. Throws <see cref="SocketException"/>.</summary>
    protected void Open()
    {
        _pair = new Socket(_handle);
        links.Add(this);
    }

    /// <summary>Ends what the pumps still wait for, and lets the pair go. The cause, if it is not known yet, is an end in order.</summary>
    protected void Close()
    {
        _ = TrySetEnd(LinkEnd.Eof);
        _cut.Cancel();
        _pair?.Dispose();
        links.Remove(this);
    }

    /// <summary>Bytes of the loop's, 0 once it has sent its last.</summary>
    protected async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        if (++_received % SocketCompletions.PiecesPerTurn == 0)
            await Task.Yield();
        try
        {
            return await _pair!.ReceiveAsync(buffer, SocketFlags.None, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return 0;       // It closed without having read all; or this end did.
        }
    }

    /// <summary>Moves what the connection says to the loop, and tells it how the connection ended that direction. Never throws.</summary>
    protected async Task ToLoopAsync(Stream connection)
    {
        try
        {
            for (var pieces = 1; await MoveToLoopAsync(connection).ConfigureAwait(false); pieces++)
            {
                if (pieces % SocketCompletions.PiecesPerTurn == 0)
                    await Task.Yield();
            }

            var isReset = WasReset;
            _ = TrySetEnd(isReset ? LinkEnd.Reset : LinkEnd.Eof);
            if (isReset)
                _pair!.Dispose();
            else
                _pair!.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The pair goes too: the loop need not wait until it has read all to hear of a reset.
            if (!_cut.IsCancellationRequested)
                _ = TrySetEnd(LinkEnd.Reset);
            _pair!.Dispose();
        }
    }

    /// <summary>
    /// Moves what the loop says to the connection, until the loop's last byte, or until this link is over. What cannot be written is dropped: the loop is not to take a
    /// connection that is gone for one that is slow, and how it ended is for the other pump to say; once it has, this returns, however much more the loop has. Never throws.
    /// </summary>
    /// <param name="gone">
    /// Cancelled when the connection is. Every write needs it: where Kestrel holds the connection, writes to one that is gone succeed for ever.
    /// </param>
    protected async Task FromLoopAsync(Stream connection, CancellationToken gone)
    {
        var isGone = false;
        while (true)
        {
            _ = await ReceiveAsync(Memory<byte>.Empty, CancellationToken.None).ConfigureAwait(false);
            var buffer = ArrayPool<byte>.Shared.Rent(PieceSize);
            try
            {
                var read = await ReceiveAsync(buffer.AsMemory(0, PieceSize), CancellationToken.None).ConfigureAwait(false);
                if (read == 0 || (isGone && End != LinkEnd.None))
                    return;
                if (!isGone)
                    await WriteAsync(connection, buffer.AsMemory(0, read), gone).ConfigureAwait(false);
            }
            catch (Exception e) when (IsEnd(e))
            {
                isGone = true;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    /// <summary>Writes a piece to the connection within the time that it may take.</summary>
    protected async ValueTask WriteAsync(Stream connection, ReadOnlyMemory<byte> bytes, CancellationToken gone)
    {
        BeginWrite();
        try
        {
            await connection.WriteAsync(bytes, gone).ConfigureAwait(false);
        }
        finally
        {
            EndWrite();
        }
    }

    /// <summary>From here on the connection has the time of one piece to take something.</summary>
    protected void BeginWrite() => Volatile.Write(ref _writingSince, links.Now);

    protected void EndWrite() => Volatile.Write(ref _writingSince, 0);

    /// <summary>Whether a TCP connection that this side has not ended is closed all the same.</summary>
    protected static bool IsClosed(Socket socket)
    {
        Span<byte> info = stackalloc byte[8];
        try
        {
            return socket.GetRawSocketOption(TcpLevel, TcpInfo, info) > 0 && info[0] == TcpStateClosed;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;        // Whoever wrote has found it closed.
        }
    }

    /// <summary>Whatever a connection's end may show as: sockets, TLS and Kestrel have many ways to say it, and none of them concerns anybody but this link.</summary>
    protected static bool IsEnd(Exception exception) =>
        exception is IOException or SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException;

    /// <summary>False: the connection has ended in order.</summary>
    private async ValueTask<bool> MoveToLoopAsync(Stream connection)
    {
        _ = await connection.ReadAsync(Memory<byte>.Empty, _cut.Token).ConfigureAwait(false);
        var buffer = ArrayPool<byte>.Shared.Rent(PieceSize);
        try
        {
            var read = await connection.ReadAsync(buffer.AsMemory(0, PieceSize), _cut.Token).ConfigureAwait(false);
            if (read == 0)
                return false;
            await SendAsync(buffer.AsMemory(0, read)).ConfigureAwait(false);
            OnMoved(buffer.AsSpan(0, read));
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            while (!bytes.IsEmpty)
                bytes = bytes[await _pair!.SendAsync(bytes, SocketFlags.None, _cut.Token).ConfigureAwait(false)..];
        }
        catch (SocketException)
        {
            // The loop has closed its end. The connection is still read, or its close would reset it and overtake what it is to be told.
        }
    }
}
