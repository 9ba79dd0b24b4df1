using System.Net;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Backend;

/// <summary>
/// The application behind every proxy: one epoll thread that answers each message with itself. It listens on one port of several
/// loopback addresses, so that a proxy has enough local ports towards it. Same process and core as the load.
/// </summary>
internal sealed class EchoBackend : IDisposable
{
    private const int EventsPerTurn = 512;
    private const ulong ListenerTokens = 1ul << 32, WakeToken = ulong.MaxValue;
    private readonly Epoll _epoll = new(EventsPerTurn);
    private readonly WakeUp _wakeUp = new();
    private readonly List<int> _listeners = [];
    private readonly List<EchoConnection?> _connections = [];
    private readonly Stack<int> _free = new();
    private readonly EchoBuffers _buffers = new();
    private readonly Thread _thread;
    private volatile bool _stop;

    /// <param name="addresses">How many endpoints: 127.0.0.1, 127.0.0.2 and so on.</param>
    public EchoBackend(int addresses)
    {
        var port = 0;
        for (var i = 1; i <= addresses; i++)
        {
            var fd = Sys.Listen(NativeAddress.From(new IPEndPoint(new IPAddress([127, 0, 0, (byte)i]), port)), backlog: 4096);
            if (fd < 0)
                throw new InvalidOperationException($"The backend cannot listen on 127.0.0.{i}:{port} (errno {-fd})");
            port = Sys.LocalAddress(fd).ToEndPoint().Port;
            Endpoints.Add($"127.0.0.{i}:{port}");
            _epoll.Register(fd, EpollEvents.In, ListenerTokens + (ulong)_listeners.Count);
            _listeners.Add(fd);
        }

        _epoll.Register(_wakeUp.Fd, EpollEvents.In, WakeToken);
        _thread = new Thread(Run) { IsBackground = true, Name = "backend" };
        _thread.Start();
    }

    public List<string> Endpoints { get; } = [];

    public void Dispose()
    {
        _stop = true;
        _wakeUp.Signal();
        _thread.Join();
        foreach (var connection in _connections)
            connection?.Drop();
        foreach (var listener in _listeners)
            Sys.Close(listener);
        _epoll.Dispose();
        _wakeUp.Dispose();
    }

    private void Run()
    {
        while (!_stop)
        {
            var n = _epoll.Wait(-1);
            for (var i = 0; i < n; i++)
            {
                var events = _epoll.Get(i, out var token);
                if (token == WakeToken)
                    _wakeUp.Clear();
                else if (token >= ListenerTokens)
                    Accept(_listeners[(int)(token - ListenerTokens)]);
                else
                    OnEvents((int)token, events);
            }
        }
    }

    private void Accept(int listener)
    {
        int fd;
        while ((fd = Sys.Accept(listener, out _)) >= 0)
        {
            if (!_free.TryPop(out var index))
            {
                index = _connections.Count;
                _connections.Add(null);
            }

            _connections[index] = new EchoConnection(fd, _buffers);
            _epoll.Register(fd, EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered, (ulong)index);
        }
    }

    private void OnEvents(int index, EpollEvents events)
    {
        if (_connections[index] is not { } connection)
            return;
        if (connection.OnEvents(events))
            return;
        _connections[index] = null;
        _free.Push(index);
    }
}
