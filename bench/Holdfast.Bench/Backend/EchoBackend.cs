using System.Net;
using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Backend;

/// <summary>
/// The application behind every proxy: answers each message with itself. It listens on one port of several loopback addresses, so that a
/// proxy has enough local ports towards it. It lives on the load's own thread: no switch between the two on their common core.
/// </summary>
internal sealed class EchoBackend : ILoopGuest, IDisposable
{
    private const ulong FirstConnection = 1ul << 8;
    private readonly List<int> _listeners = [];
    private readonly List<EchoConnection?> _connections = [];
    private readonly Stack<int> _free = new();
    private readonly EchoBuffers _buffers = new();
    private Epoll? _epoll;
    private ulong _firstToken;

    private readonly UpgradeDesk? _desk;

    /// <param name="addresses">How many endpoints: 127.0.0.1, 127.0.0.2 and so on.</param>
    /// <param name="desk">Decides when handshakes are answered; null: at once.</param>
    public EchoBackend(int addresses, UpgradeDesk? desk = null)
    {
        _desk = desk;
        var port = 0;
        for (var i = 1; i <= addresses; i++)
        {
            var fd = Sys.Listen(NativeAddress.From(new IPEndPoint(new IPAddress([127, 0, 0, (byte)i]), port)), backlog: 4096);
            if (fd < 0)
                throw new BenchException($"The backend cannot listen on 127.0.0.{i}:{port} (errno {-fd})");
            port = Sys.LocalAddress(fd).ToEndPoint().Port;
            Endpoints.Add($"127.0.0.{i}:{port}");
            _listeners.Add(fd);
        }
    }

    public List<string> Endpoints { get; } = [];

    public void Attach(Epoll epoll, ulong firstToken)
    {
        _epoll = epoll;
        _firstToken = firstToken;
        for (var i = 0; i < _listeners.Count; i++)
            epoll.Register(_listeners[i], EpollEvents.In, firstToken + (ulong)i);
    }

    public void OnEvents(ulong token, EpollEvents events)
    {
        if (token < FirstConnection)
        {
            Accept(_listeners[(int)token]);
            return;
        }

        var index = (int)(token - FirstConnection);
        if (_connections[index] is not { } connection || connection.OnEvents(events))
            return;
        _connections[index] = null;
        _free.Push(index);
    }

    public void Detach()
    {
        foreach (var connection in _connections)
            connection?.Drop();
        _connections.Clear();
        _free.Clear();
        _epoll = null;
    }

    public void Dispose()
    {
        foreach (var listener in _listeners)
            Sys.Close(listener);
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

            _connections[index] = new EchoConnection(fd, _buffers, _desk);
            const EpollEvents all = EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered;
            _epoll!.Register(fd, all, _firstToken + FirstConnection + (ulong)index);
        }
    }
}
