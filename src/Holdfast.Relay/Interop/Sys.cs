using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Holdfast.Relay.Interop;

/// <summary>
/// System calls on raw file descriptors, for sockets that a loop owns. Every call retries EINTR. A result below zero is a negated
/// <see cref="Errno"/>; nothing throws. All sockets are non-blocking and close-on-exec, and SO_REUSEPORT is never set.
/// </summary>
public static unsafe class Sys
{
    private const int AfUnix = 1;
    private const int SockStream = 1, SockNonBlock = 0x800, SockCloExec = 0x80000;
    private const int SolSocket = 1, SoReuseAddress = 2, SoError = 4, SoLinger = 13, SoReusePort = 15;
    private const int SoReceiveBuffer = 8, SoSendBuffer = 7;
    private const int IpProtoTcp = 6, TcpNoDelay = 1, IpProtoIpv6 = 41, Ipv6Only = 26;
    private const int IpProtoIp = 0, IpBindAddressNoPort = 24;
    private const int MsgPeek = 2, MsgNoSignal = 0x4000;
    private const int RlimitNoFile = 7;
    private const int FSetFd = 2, FdCloExec = 1;

    /// <summary>Bytes received, 0 at the peer's FIN, or a negated errno (<see cref="Errno.Again"/>: nothing there now).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Receive(int fd, Span<byte> buffer)
    {
        fixed (byte* p = buffer)
        {
            while (true)
            {
                var n = (int)Libc.recv(fd, p, buffer.Length, 0);
                if (n >= 0)
                    return n;
                var errno = Marshal.GetLastSystemError();
                if (errno != (int)Errno.Interrupted)
                    return -errno;
            }
        }
    }

    /// <summary>1 when there is something to receive, which stays there; 0 at the peer's FIN, or a negated errno.</summary>
    public static int Peek(int fd)
    {
        byte first;
        int n;
        do
            n = Check((int)Libc.recv(fd, &first, 1, MsgPeek));
        while (n == -(int)Errno.Interrupted);
        return n;
    }

    /// <summary>Bytes taken by the kernel (maybe fewer than given), or a negated errno. A lost peer is an errno, never a signal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Send(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            while (true)
            {
                var n = (int)Libc.send(fd, p, bytes.Length, MsgNoSignal);
                if (n >= 0)
                    return n;
                var errno = Marshal.GetLastSystemError();
                if (errno != (int)Errno.Interrupted)
                    return -errno;
            }
        }
    }

    /// <summary>Closes without a retry: on Linux the descriptor is gone even when close reports EINTR.</summary>
    public static void Close(int fd) => _ = Libc.close(fd);

    /// <summary>Sends FIN; the other direction stays open.</summary>
    public static void ShutdownWrite(int fd) => _ = Libc.shutdown(fd, 1);

    /// <summary>Closes with RST, so that the peer cannot mistake an unfinished frame for an orderly end.</summary>
    public static void Abort(int fd)
    {
        var linger = stackalloc int[2] { 1, 0 };
        _ = Libc.setsockopt(fd, SolSocket, SoLinger, linger, 8);
        _ = Libc.close(fd);
    }

    /// <summary>A TCP socket for a dial: non-blocking, TCP_NODELAY. A negated errno on failure.</summary>
    public static int OpenStream(in NativeAddress address)
    {
        var fd = Check(Libc.socket(address.Family, SockStream | SockNonBlock | SockCloExec, 0));
        if (fd >= 0)
            SetNoDelay(fd);
        return fd;
    }

    /// <summary>
    /// Two connected AF_UNIX stream sockets, non-blocking. Each may have <paramref name="sendBuffer"/> bytes on their way, as the kernel charges them: some 770 for each write
    /// of 64 bytes. 0 or a negated errno.
    /// </summary>
    public static int OpenPair(int sendBuffer, out int one, out int other)
    {
        var pair = stackalloc int[2];
        var result = Check(Libc.socketpair(AfUnix, SockStream | SockNonBlock | SockCloExec, 0, pair));
        (one, other) = result < 0 ? (-1, -1) : (pair[0], pair[1]);
        if (result < 0)
            return result;
        SetBuffers(one, 0, sendBuffer);
        SetBuffers(other, 0, sendBuffer);
        return 0;
    }

    /// <summary>
    /// Gives a dial its source address; the port is chosen at connect, per destination (IP_BIND_ADDRESS_NO_PORT), so that each source
    /// address brings its own range of ports. 0 or a negated errno.
    /// </summary>
    public static int BindSource(int fd, in NativeAddress source)
    {
        var one = 1;
        _ = Libc.setsockopt(fd, IpProtoIp, IpBindAddressNoPort, &one, 4);
        fixed (NativeAddress* p = &source)
            return Check(Libc.bind(fd, (byte*)p, source.Length));
    }

    /// <summary>0 when connected at once, else a negated errno (<see cref="Errno.InProgress"/>: wait until writable).</summary>
    public static int Connect(int fd, in NativeAddress address)
    {
        fixed (NativeAddress* p = &address)
            return Check(Libc.connect(fd, (byte*)p, address.Length));
    }

    /// <summary>A listening socket, SO_REUSEADDR only, so that a second process on the port is refused. A negated errno on failure.</summary>
    public static int Listen(in NativeAddress address, int backlog)
    {
        var fd = Check(Libc.socket(address.Family, SockStream | SockNonBlock | SockCloExec, 0));
        if (fd < 0)
            return fd;
        var one = 1;
        var zero = 0;
        _ = Libc.setsockopt(fd, SolSocket, SoReuseAddress, &one, 4);
        if (address.Family == NativeAddress.FamilyV6)
            _ = Libc.setsockopt(fd, IpProtoIpv6, Ipv6Only, address.IsAnyV6 ? &zero : &one, 4);
        int result;
        fixed (NativeAddress* p = &address)
            result = Check(Libc.bind(fd, (byte*)p, address.Length));
        if (result == 0)
            result = Check(Libc.listen(fd, backlog));
        if (result == 0)
            return fd;
        Close(fd);
        return result;
    }

    /// <summary>An accepted, non-blocking socket with TCP_NODELAY, or a negated errno.</summary>
    public static int Accept(int listener, out NativeAddress peer)
    {
        peer = default;
        var length = (uint)sizeof(NativeAddress);
        int fd;
        fixed (NativeAddress* p = &peer)
            fd = Check(Libc.accept4(listener, (byte*)p, &length, SockNonBlock | SockCloExec));
        if (fd >= 0)
            SetNoDelay(fd);
        return fd;
    }

    public static NativeAddress LocalAddress(int fd)
    {
        NativeAddress address = default;
        var length = (uint)sizeof(NativeAddress);
        _ = Libc.getsockname(fd, (byte*)&address, &length);
        return address;
    }

    /// <summary>The pending error of a socket (0: none), which reading clears; tells how a non-blocking connect went.</summary>
    public static int TakeError(int fd)
    {
        var error = 0;
        var length = 4u;
        return Libc.getsockopt(fd, SolSocket, SoError, &error, &length) == 0 ? error : Marshal.GetLastSystemError();
    }

    /// <summary>Whether SO_REUSEPORT is set: it never should be (a second process would silently share the port).</summary>
    public static bool SharesPort(int fd)
    {
        var value = 0;
        var length = 4u;
        return Libc.getsockopt(fd, SolSocket, SoReusePort, &value, &length) == 0 && value != 0;
    }

    /// <summary>Caps the kernel's buffers of a socket, in bytes; tests use it to make a peer slow soon.</summary>
    public static void SetBuffers(int fd, int receive, int send)
    {
        if (receive > 0)
            _ = Libc.setsockopt(fd, SolSocket, SoReceiveBuffer, &receive, 4);
        if (send > 0)
            _ = Libc.setsockopt(fd, SolSocket, SoSendBuffer, &send, 4);
    }

    /// <summary>Lets a descriptor survive exec, or not (the default for all that is opened here).</summary>
    public static void SetCloseOnExec(int fd, bool close) => _ = Libc.fcntl(fd, FSetFd, close ? FdCloExec : 0);

    /// <summary>The soft limit of open descriptors of this process (the runtime has raised it to the hard one before Main).</summary>
    public static long DescriptorLimit()
    {
        var limits = stackalloc ulong[2];
        return Libc.getrlimit(RlimitNoFile, limits) == 0 ? (long)Math.Min(limits[0], int.MaxValue) : 1024;
    }

    private static void SetNoDelay(int fd)
    {
        var one = 1;
        _ = Libc.setsockopt(fd, IpProtoTcp, TcpNoDelay, &one, 4);
    }

    private static int Check(int result) => result >= 0 ? result : -Marshal.GetLastSystemError();
}
