using System.Net;
using Holdfast.Relay.Interop;

namespace Holdfast.Relay.EventLoop;

/// <summary>
/// The listening sockets of one loop. What accept(2) reports is of three kinds: the client's own failures are passed over; pressure
/// (descriptors or memory used up) stops accepting for a while that doubles up to a cap, so that a full process neither spins nor dies and
/// clients wait in the backlog; anything else is a bug here and throws.
/// </summary>
internal sealed class Acceptor : IDisposable
{
    private const int Backlog = 4096;
    private const int AcceptsPerTurn = 4;
    private const int AcceptsAtClose = 64;
    private const int ProbeFrom = 256;      // Others take descriptors between two accepts, but not so many.
    private const int FirstPause = 50, LongestPause = 1_000;

    private readonly LoopCore _core;
    private readonly Action<int, NativeAddress, int> _onAccepted;
    private readonly List<Listener> _listeners = [];
    private int _lastFd;
    private int _pause = FirstPause;
    private long _pausedUntil;
    private long _pressure;
    private long _accepted;
    private bool _closedForGood;

    /// <param name="core">The loop's own.</param>
    /// <param name="onAccepted">Descriptor (owned by the callee), client, listener id.</param>
    public Acceptor(LoopCore core, Action<int, NativeAddress, int> onAccepted)
    {
        _core = core;
        _onAccepted = onAccepted;
    }

    /// <summary>Times that accepting had to pause for want of descriptors or memory; any thread.</summary>
    public long Pressure => Volatile.Read(ref _pressure);

    public long Accepted => Volatile.Read(ref _accepted);

    /// <summary>Opens a listening socket; any thread, before the loop runs. Throws <see cref="IOException"/> that says which address and why.</summary>
    public static int Open(IPEndPoint address, out IPEndPoint bound)
    {
        var fd = Sys.Listen(NativeAddress.From(address), Backlog);
        if (fd < 0)
        {
            throw new IOException((Errno)(-fd) switch
            {
                Errno.AddressInUse => $"{address}: the port is in use by another process",
                Errno.AccessDenied => $"{address}: not allowed to listen there (ports below 1024 need CAP_NET_BIND_SERVICE)",
                Errno.CannotAssignAddress => $"{address}: no interface has that address",
                var e => $"{address}: cannot listen (errno {(int)e})",
            });
        }

        bound = Sys.LocalAddress(fd).ToEndPoint();
        return fd;
    }

    /// <summary>
    /// Takes over a socket of <see cref="Open"/>; on the loop's thread, or before it runs. 0, or a negated errno and the socket is closed.
    /// </summary>
    public int Add(int fd, int listenerId)
    {
        var position = _listeners.FindIndex(static l => l.Closed);
        // Level-triggered: what one turn leaves in the backlog is told again. While accepting is paused, the end of the pause registers it.
        var result = _closedForGood ? -(int)Errno.BadDescriptor
            : _pausedUntil != 0 ? 0
            : _core.Epoll.Register(fd, EpollEvents.In, TokenOf(position < 0 ? _listeners.Count : position));
        if (result < 0)
        {
            Sys.Close(fd);
            return result;
        }

        if (position < 0)
            _listeners.Add(new Listener(fd, listenerId));
        else
            _listeners[position] = new Listener(fd, listenerId);
        return 0;
    }

    /// <summary>Accepts who has come, and then no more on this listener. False: no such listener.</summary>
    public bool Close(int listenerId)
    {
        var position = _listeners.FindIndex(l => l.Id == listenerId && !l.Closed);
        if (position < 0)
            return false;
        // The kernel resets who is left in the backlog.
        Accept(position, AcceptsAtClose);
        Sys.Close(_listeners[position].Fd);
        _listeners[position] = _listeners[position] with { Closed = true };
        return true;
    }

    /// <summary>Tokens of listeners: generation 0, odd numbers, so that none is the wake-up's.</summary>
    public static ulong TokenOf(int position) => (uint)((position << 1) | 1);

    public static int PositionOf(ulong token) => (int)(token >> 1);

    public void OnEvent(int position) => Accept(position, AcceptsPerTurn);

    private void Accept(int position, int most)
    {
        var listener = _listeners[position];
        if (listener.Closed)
            return;
        for (var i = 0; i < most; i++)
        {
            if (_lastFd >= _core.DescriptorCap - ProbeFrom && !IsDescriptorFree())
            {
                Pause();
                return;
            }

            var fd = Sys.Accept(listener.Fd, out var client);
            if (fd >= 0)
            {
                _lastFd = fd;
                _pause = FirstPause;
                Volatile.Write(ref _accepted, _accepted + 1);
                _onAccepted(fd, client, listener.Id);
                continue;
            }

            switch ((Errno)(-fd))
            {
                case Errno.Again:
                    return;
                case Errno.TooManyOpenFiles or Errno.TooManyOpenFilesInSystem or Errno.NoBufferSpace or Errno.OutOfMemory:
                    Pause();
                    return;
                case Errno.BadDescriptor or Errno.Invalid or Errno.NotASocket:
                    throw new InvalidOperationException($"accept4 on descriptor {listener.Fd} failed with errno {-fd}");
                default:
                    // ECONNABORTED, EPROTO, ENETDOWN...: accept(2) reports the client's network errors as its own.
                    continue;
            }
        }
    }

    /// <summary>Milliseconds until accepting goes on; -1: nothing is paused. Resumes when it is time.</summary>
    public int Resume()
    {
        if (_pausedUntil == 0)
            return -1;
        if (_core.Now < _pausedUntil)
            return (int)(_pausedUntil - _core.Now);
        _pausedUntil = 0;
        for (var i = 0; i < _listeners.Count; i++)
        {
            if (!_listeners[i].Closed)
                _ = _core.Epoll.Register(_listeners[i].Fd, EpollEvents.In, TokenOf(i));
        }

        return -1;
    }

    /// <summary>No more connections: the sockets close, and clients in the backlog are reset by the kernel.</summary>
    public void CloseAll()
    {
        _closedForGood = true;
        for (var i = 0; i < _listeners.Count; i++)
        {
            if (_listeners[i].Closed)
                continue;
            Sys.Close(_listeners[i].Fd);
            _listeners[i] = _listeners[i] with { Closed = true };
        }
    }

    public void Dispose() => CloseAll();

    /// <summary>Asked before an accept, not after: who is not accepted waits in the backlog, who is would have to be sent away.</summary>
    private bool IsDescriptorFree()
    {
        var fd = Sys.OpenStream(NativeAddress.From(new IPEndPoint(IPAddress.Loopback, 0)));
        if (fd >= 0)
            Sys.Close(fd);
        return fd >= 0 && fd < _core.DescriptorCap;
    }

    private void Pause()
    {
        Volatile.Write(ref _pressure, _pressure + 1);
        if (_pausedUntil == 0)
        {
            foreach (var listener in _listeners)
            {
                if (!listener.Closed)
                    _core.Epoll.Unregister(listener.Fd);
            }
        }

        _pausedUntil = _core.Now + _pause;
        _pause = Math.Min(_pause * 2, LongestPause);
    }

    private readonly record struct Listener(int Fd, int Id, bool Closed = false);
}
