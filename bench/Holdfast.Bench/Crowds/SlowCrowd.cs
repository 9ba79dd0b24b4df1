using System.Net;
using System.Text.Json;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Crowds;

/// <summary>What a slow crowd has seen so far.</summary>
/// <param name="Open">Sockets that are connected or being connected.</param>
/// <param name="Fewest">The least number of them since all had come, or since last asked.</param>
/// <param name="Connects">Dials so far.</param>
/// <param name="Cut">Sockets that the server ended.</param>
/// <param name="TimedOut">Of those, with 408.</param>
/// <param name="Refused">Of those, with another answer.</param>
/// <param name="Failed">Dials that failed.</param>
/// <param name="Trickled">Single bytes sent.</param>
internal sealed record SlowCrowdCounts(int Open, int Fewest, long Connects, long Cut, long TimedOut, long Refused, long Failed, long Trickled);

/// <summary>
/// Slow-loris clients in a process of their own: each sends a part of a request head, then a byte every few seconds and never the end. Who is cut comes again at
/// once. Orders: "go", "stats" (answered with <see cref="SlowCrowdCounts"/>), "end" (all close; answered the same way).
/// </summary>
internal sealed class SlowCrowd : IDisposable
{
    private const ulong OrdersToken = ulong.MaxValue;
    private const int DialsPerTurn = 64;
    private static readonly byte[] Part = "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Padding: "u8.ToArray();

    private readonly Epoll _epoll = new(512);
    private readonly Orders _orders;
    private readonly NativeAddress _target;
    private readonly NativeAddress[] _sources;
    private readonly TimeSpan _ramp;
    private readonly Random _random = new(1);
    private readonly Socket[] _sockets;
    private readonly PriorityQueue<(int Index, int Life), long> _bytes = new();
    private readonly Queue<int> _toDial = new();
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(4096, pinned: true);
    private readonly long _start = TimeProvider.System.GetTimestamp();
    private long _goneAt = -1;
    private int _came, _open, _fewest = int.MaxValue;
    private long _connects, _cut, _timedOut, _refused, _failed, _trickled;

    private SlowCrowd(int port, int count, int addresses, TimeSpan ramp)
    {
        _orders = new Orders(_epoll, OrdersToken);
        _target = NativeAddress.From(new IPEndPoint(IPAddress.Loopback, port));
        _sources = [.. Enumerable.Range(0, addresses).Select(CrowdPlan.SourceOf)];
        _ramp = ramp;
        _sockets = new Socket[count];
        Array.Fill(_sockets, new Socket(-1, 0));
    }

    /// <param name="Life">Tells it from earlier ones of that place.</param>
    /// <param name="Begun">Connected, and its part of a head sent.</param>
    private readonly record struct Socket(int Fd, int Life, bool Begun = false);

    private long Now => (long)TimeProvider.System.GetElapsedTime(_start).TotalMilliseconds;

    public static int Run(int port, int count, int addresses, TimeSpan ramp)
    {
        using var crowd = new SlowCrowd(port, count, addresses, ramp);
        Console.WriteLine("ready");
        crowd.Loop();
        return 0;
    }

    public void Dispose()
    {
        _orders.Dispose();
        _epoll.Dispose();
    }

    private void Loop()
    {
        while (true)
        {
            var n = _epoll.Wait(Step());
            for (var i = 0; i < n; i++)
            {
                var events = _epoll.Get(i, out var token);
                if (token != OrdersToken)
                    OnEvents((int)(token >> 32), (int)(uint)token);
                else if (!Obey())
                    return;
            }
        }
    }

    private bool Obey()
    {
        while (_orders.TryTake(out var order))
        {
            switch (order)
            {
                case null:
                    return false;
                case "go":
                    _goneAt = Now;
                    _connects = _cut = _timedOut = _refused = _failed = _trickled = 0;
                    _fewest = int.MaxValue;
                    break;
                case "end":
                    for (var index = 0; index < _sockets.Length; index++)
                        Drop(index);
                    _goneAt = -1;
                    _came = 0;
                    _bytes.Clear();
                    _toDial.Clear();
                    Tell();
                    break;
                default:
                    Tell();
                    break;
            }
        }

        return true;
    }

    private void Tell()
    {
        var counts = new SlowCrowdCounts(_open, _fewest == int.MaxValue ? 0 : _fewest, _connects, _cut, _timedOut, _refused, _failed, _trickled);
        _fewest = _came == _sockets.Length ? _open : int.MaxValue;
        Console.WriteLine(JsonSerializer.Serialize(counts));
    }

    /// <summary>Dials and sends what is due; milliseconds until more is.</summary>
    private int Step()
    {
        if (_goneAt < 0)
            return -1;
        var now = Now;
        var due = _ramp == TimeSpan.Zero ? _sockets.Length
            : (int)Math.Min(_sockets.Length, _sockets.Length * (now - _goneAt) / _ramp.TotalMilliseconds);
        var dials = 0;
        for (; _came < due && dials < DialsPerTurn; dials++)
            Dial(_came++);
        for (; dials < DialsPerTurn && _toDial.TryDequeue(out var index); dials++)
            Dial(index);
        if (_came == _sockets.Length)
            _fewest = Math.Min(_fewest, _open);
        while (_bytes.TryPeek(out var next, out var at) && at <= now)
        {
            _ = _bytes.Dequeue();
            if (_sockets[next.Index].Life == next.Life && _sockets[next.Index].Fd >= 0)
                Trickle(next.Index, now);
        }

        return dials == DialsPerTurn ? 0 : _came < _sockets.Length ? 1 : 5;
    }

    private void Dial(int index)
    {
        var life = _sockets[index].Life + 1;
        var fd = Sys.OpenStream(_target);
        _connects++;
        _sockets[index] = new Socket(fd, life);
        if (fd < 0)
        {
            Retry(index);
            return;
        }

        _open++;
        const EpollEvents all = EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered;
        var result = Sys.BindSource(fd, _sources[index % _sources.Length]);
        if (result >= 0)
            result = _epoll.Register(fd, all, ((ulong)(uint)index << 32) | (uint)life);
        if (result >= 0)
            result = Sys.Connect(fd, _target);
        if (result is < 0 and not -(int)Errno.InProgress)
            Retry(index);
    }

    private void Retry(int index)
    {
        _failed++;
        Drop(index);
        _toDial.Enqueue(index);
    }

    private void OnEvents(int index, int life)
    {
        var socket = _sockets[index];
        if (socket.Life != life || socket.Fd < 0)
            return;
        if (!socket.Begun)
        {
            if (Sys.TakeError(socket.Fd) != 0)
            {
                Retry(index);
                return;
            }

            _sockets[index] = socket with { Begun = true };
            _ = Sys.Send(socket.Fd, Part);
            _bytes.Enqueue((index, life), Now + _random.Next(2000, 4000));
        }

        var n = Sys.Receive(socket.Fd, _buffer);
        if (n == -(int)Errno.Again)
            return;
        _cut++;
        if (n > 0 && _buffer.AsSpan(0, n).StartsWith("HTTP/1.1 408"u8))
            _timedOut++;
        else if (n > 0)
            _refused++;
        Drop(index);
        _toDial.Enqueue(index);
    }

    private void Trickle(int index, long now)
    {
        _ = Sys.Send(_sockets[index].Fd, "b"u8);
        _trickled++;
        _bytes.Enqueue((index, _sockets[index].Life), now + _random.Next(2000, 4000));
    }

    private void Drop(int index)
    {
        var socket = _sockets[index];
        if (socket.Fd < 0)
            return;
        _open--;
        Sys.Close(socket.Fd);
        _sockets[index] = socket with { Fd = -1 };
    }
}
