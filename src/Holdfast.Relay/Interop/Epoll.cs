using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Holdfast.Relay.Interop;

/// <summary>What epoll reports of a descriptor; the kernel's bits.</summary>
[Flags]
public enum EpollEvents : uint
{
    None = 0,
    In = 0x001,
    Out = 0x004,
    Error = 0x008,
    HangUp = 0x010,
    ReadHangUp = 0x2000,
    EdgeTriggered = 1u << 31,
}

/// <summary>
/// One epoll instance with its event array. Owned by one thread, but for <see cref="Dispose"/> after that thread has ended.
/// Sockets are registered once, edge-triggered, for everything: no epoll_ctl follows until a re-home gives one to another pair.
/// </summary>
public sealed unsafe class Epoll : IDisposable
{
    // struct epoll_event is packed on x64 (12 bytes, data at 4) and aligned elsewhere (16 bytes, data at 8).
    private static readonly int Stride = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = Stride - 8;

    private const int CloExec = 0x80000, Add = 1, Delete = 2, Change = 3;
    private readonly byte* _events;
    private readonly int _capacity;
    private int _fd;
    private bool _noPreciseWait;

    public Epoll(int capacity)
    {
        _capacity = capacity;
        _events = (byte*)NativeMemory.AllocZeroed((nuint)(capacity * Stride));
        _fd = Libc.epoll_create1(CloExec);
        if (_fd < 0)
            throw new InvalidOperationException("epoll_create1 failed with errno " + Marshal.GetLastSystemError());
    }

    /// <summary>0 or a negated errno.</summary>
    public int Register(int fd, EpollEvents events, ulong data)
    {
        var item = stackalloc byte[16];
        Unsafe.WriteUnaligned(item, (uint)events);
        Unsafe.WriteUnaligned(item + DataOffset, data);
        return Libc.epoll_ctl(_fd, Add, fd, item) == 0 ? 0 : -Marshal.GetLastSystemError();
    }

    /// <summary>Level-triggered: told as long as the other has events that were not taken. 0 or a negated errno.</summary>
    public int Register(Epoll other, ulong data) => Register(other._fd, EpollEvents.In, data);

    /// <summary>Gives a registered descriptor other data; what is ready is told anew. 0 or a negated errno.</summary>
    public int Modify(int fd, EpollEvents events, ulong data)
    {
        var item = stackalloc byte[16];
        Unsafe.WriteUnaligned(item, (uint)events);
        Unsafe.WriteUnaligned(item + DataOffset, data);
        return Libc.epoll_ctl(_fd, Change, fd, item) == 0 ? 0 : -Marshal.GetLastSystemError();
    }

    /// <summary>
    /// Needed only before a descriptor lives on elsewhere: closing the last descriptor of a socket unregisters it, but a shared
    /// description would be reported for ever.
    /// </summary>
    public void Unregister(int fd) => _ = Libc.epoll_ctl(_fd, Delete, fd, null);

    /// <summary>Events waiting (0 at the time-out, in milliseconds; -1 waits without end). Read them with <see cref="Get"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Wait(int timeoutMs)
    {
        var n = Libc.epoll_wait(_fd, _events, _capacity, timeoutMs);
        return n >= 0 ? n : OnWaitFailed();
    }

    /// <summary>
    /// As <see cref="Wait"/>, to the microsecond (plus the thread's timer slack, 50 us): a schedule of messages needs it, a relay does not.
    /// On a kernel or libc without epoll_pwait2 (Linux 5.11, glibc 2.35) it rounds up to milliseconds.
    /// </summary>
    public int WaitMicroseconds(long timeout)
    {
        if (_noPreciseWait)
            return Wait(timeout < 0 ? -1 : (int)Math.Min((timeout + 999) / 1000, int.MaxValue));
        var time = stackalloc long[2] { timeout / 1_000_000, timeout % 1_000_000 * 1000 };
        try
        {
            var n = Libc.epoll_pwait2(_fd, _events, _capacity, timeout < 0 ? null : time, null);
            if (n >= 0)
                return n;
            if (Marshal.GetLastSystemError() != (int)Errno.NotImplemented)
                return OnWaitFailed();
        }
        catch (EntryPointNotFoundException)
        {
            // An older libc: the same as an older kernel.
        }

        _noPreciseWait = true;
        return WaitMicroseconds(timeout);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public EpollEvents Get(int index, out ulong data)
    {
        var item = _events + (index * Stride);
        data = Unsafe.ReadUnaligned<ulong>(item + DataOffset);
        return (EpollEvents)Unsafe.ReadUnaligned<uint>(item);
    }

    public void Dispose()
    {
        if (_fd < 0)
            return;
        _ = Libc.close(_fd);
        _fd = -1;
        NativeMemory.Free(_events);
    }

    private static int OnWaitFailed()
    {
        var errno = Marshal.GetLastSystemError();
        return errno == (int)Errno.Interrupted ? 0 : throw new InvalidOperationException("epoll_wait failed with errno " + errno);
    }
}

/// <summary>An eventfd: any thread may <see cref="Signal"/>; the loop that registered it is woken and calls <see cref="Clear"/>.</summary>
public sealed unsafe class WakeUp : IDisposable
{
    private const int CloExec = 0x80000, NonBlock = 0x800;

    public WakeUp()
    {
        Fd = Libc.eventfd(0, CloExec | NonBlock);
        if (Fd < 0)
            throw new InvalidOperationException("eventfd failed with errno " + Marshal.GetLastSystemError());
    }

    public int Fd { get; }

    public void Signal()
    {
        var one = 1ul;
        _ = Libc.write(Fd, (byte*)&one, 8);
    }

    public void Clear()
    {
        var value = 0ul;
        _ = Libc.read(Fd, (byte*)&value, 8);
    }

    public void Dispose() => _ = Libc.close(Fd);
}
