using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>
/// One connection to an endpoint, for one exchange at a time: one task writes, one (perhaps another) reads, any may call <see cref="Abort"/>. What is read lies in a window that
/// the reader empties. A connection that waits owns nothing but its small buffer; a larger one is rented only while there is something to read.
/// </summary>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly", Justification = "The read ahead is awaited once: by the next exchange, or when the connection is dropped.")]
internal sealed class UpstreamConnection
{
    /// <summary>Bytes that a connection can always take: the head of most answers, with a small body.</summary>
    private const int Small = 2048;

    /// <summary>Bytes read at once at most.</summary>
    private const int Large = 64 * 1024;

    private readonly Socket _socket;
    private readonly SslStream? _tls;
    private readonly byte[] _small = GC.AllocateUninitializedArray<byte>(Small);
    private byte[] _bytes;
    private int _start;
    private int _end;

    /// <summary>The last read brought as much as the small buffer holds, or more: so will the next.</summary>
    private bool _isBulk;

    /// <summary>A read into <see cref="_small"/> that began when the connection was put aside.</summary>
    private ValueTask<int> _ahead;
    private bool _isAhead;
    private int _isDown;

    private UpstreamConnection(Socket socket, SslStream? tls, EndpointState endpoint, NativeAddress address, UpstreamTls? settings)
    {
        (_socket, _tls, Endpoint, Address, Tls) = (socket, tls, endpoint, address, settings);
        _bytes = _small;
    }

    public EndpointState Endpoint { get; }

    public NativeAddress Address { get; }

    /// <summary>What its TLS was made with; null: plain.</summary>
    public UpstreamTls? Tls { get; }

    /// <summary>When it is put aside: until when it may be used, on the pool's clock.</summary>
    public long IdleUntil { get; set; }

    /// <summary>What waits is known to have been closed, or to say what nobody asked.</summary>
    public bool HasEnded => _ahead.IsCompleted;

    /// <summary><see cref="HasEnded"/>, and the kernel is asked: what it knows of an end may not have come through yet.</summary>
    public bool IsReadable => HasEnded || _socket.Poll(0, SelectMode.SelectRead);

    /// <summary>What was read and not yet consumed.</summary>
    public ReadOnlySpan<byte> Window => _bytes.AsSpan(_start, _end - _start);

    /// <summary>Throws <see cref="UpstreamException"/>, or <see cref="OperationCanceledException"/> when told to end.</summary>
    public static async ValueTask<UpstreamConnection> ConnectAsync(EndpointState endpoint, NativeAddress address, UpstreamTls? tls, CancellationToken cancel)
    {
        Socket? socket = null;
        try
        {
            var to = address.ToEndPoint();
            socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(to, cancel).ConfigureAwait(false);
            SslStream? stream = null;
            if (tls is not null)
                stream = await tls.AuthenticateAsync(new NetworkStream(socket, ownsSocket: true), endpoint.Address, cancel).ConfigureAwait(false);
            return new UpstreamConnection(socket, stream, endpoint, address, tls);
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException or ObjectDisposedException)
        {
            socket?.Dispose();
            cancel.ThrowIfCancellationRequested();
            throw new UpstreamException(e is SocketException failure ? UpstreamException.FaultOf(failure) : UpstreamFault.Tls, e);
        }
    }

    /// <summary>Writes all of it to the kernel, or throws an I/O exception.</summary>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        if (_tls is not null)
            return _tls.WriteAsync(bytes);
        var sending = _socket.SendAsync(bytes, SocketFlags.None);
        return sending.IsCompletedSuccessfully && sending.Result == bytes.Length ? default : FinishAsync(bytes, sending);
    }

    /// <summary>The length of the next head, which is then the window's start. Throws <see cref="UpstreamException"/>, or an I/O exception.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadHeadAsync()
    {
        for (var searched = 0; ;)
        {
            var end = HeadEnd.Find(Window, searched);
            if (end is > 0 and <= UpgradeHeads.MaxHead)
                return end;
            searched = _end - _start;
            if (end >= 0 || searched >= UpgradeHeads.MaxHead)
                throw new UpstreamException(UpstreamFault.HeadTooLarge);
            MakeRoom();
            if (await ReadMoreAsync().ConfigureAwait(false) == 0)
                throw new UpstreamException(UpstreamFault.NoAnswer);
        }
    }

    /// <summary>Reads what is there, once something is, into an empty window. 0: the endpoint has ended the connection.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> FillAsync()
    {
        GiveBack();
        if (_isBulk)
        {
            // Only looks: nothing is rented while nothing comes.
            _ = await ReadAsync(Memory<byte>.Empty).ConfigureAwait(false);
            _bytes = ArrayPool<byte>.Shared.Rent(Large);
        }

        return await ReadMoreAsync().ConfigureAwait(false);
    }

    public void Consume(int count) => _start += count;

    /// <summary>After a whole exchange. False: the endpoint has closed it, or says more than it was asked; then it is of no use.</summary>
    public bool TryRest()
    {
        if (_start != _end || _isDown != 0)
            return false;
        GiveBack();
        _ahead = ReadAsync(_small);
        _isAhead = true;
        return !_ahead.IsCompleted;
    }

    /// <summary>Ends it, and whatever waits on it; any thread, any number of times. Its reader calls <see cref="Dispose"/>.</summary>
    public void Abort()
    {
        if (Interlocked.Exchange(ref _isDown, 1) == 0)
            _socket.Dispose();
    }

    /// <summary>When nobody reads it any more.</summary>
    public void Dispose()
    {
        Abort();
        if (_isAhead)
            _ = ForgetAsync(_ahead);
        _isAhead = false;
        GiveBack();
        _tls?.Dispose();
    }

    private static async Task ForgetAsync(ValueTask<int> reading)
    {
        try
        {
            _ = await reading.ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // It was ended.
        }
    }

    private ValueTask<int> ReadAsync(Memory<byte> buffer) => _tls is null ? _socket.ReceiveAsync(buffer, SocketFlags.None) : _tls.ReadAsync(buffer);

    private async ValueTask FinishAsync(ReadOnlyMemory<byte> bytes, ValueTask<int> sending)
    {
        bytes = bytes[await sending.ConfigureAwait(false)..];
        while (!bytes.IsEmpty)
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None).ConfigureAwait(false)..];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadMoreAsync()
    {
        int read;
        if (_isAhead)
        {
            _isAhead = false;
            read = await _ahead.ConfigureAwait(false);
        }
        else
        {
            read = await ReadAsync(_bytes.AsMemory(_end)).ConfigureAwait(false);
        }

        _end += read;
        _isBulk = read >= Small;
        return read;
    }

    /// <summary>For a head that is longer than the small buffer.</summary>
    private void MakeRoom()
    {
        if (_isAhead || _end < _bytes.Length)
            return;
        var window = Window;
        if (_start > 0 && window.Length < _bytes.Length / 2)
        {
            window.CopyTo(_bytes);
            (_start, _end) = (0, window.Length);
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Large);
        window.CopyTo(larger);
        var length = window.Length;
        GiveBack();
        (_bytes, _end) = (larger, length);
    }

    /// <summary>The window is empty from here on.</summary>
    private void GiveBack()
    {
        if (!ReferenceEquals(_bytes, _small))
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = _small;
        _start = _end = 0;
    }
}
