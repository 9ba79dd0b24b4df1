using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;
using Holdfast.Bench.Backend;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;

namespace Holdfast.Bench.Pages;

/// <summary>
/// Kept-alive HTTP/1.1 clients that each ask for a page, read it whole, and ask again: a closed loop, so it shows what the system does at most. The backend lives on the same
/// thread. A wrong answer or an ended connection ends the bench.
/// </summary>
internal sealed class PageLoad : IDisposable
{
    private const ulong GuestTokens = 1ul << 40;
    private const int WaitMicroseconds = 100_000;

    private readonly Epoll _epoll = new(512);
    private readonly EchoBackend _backend;
    private readonly PageClient[] _clients;
    private readonly Task _running;
    private long _answers;
    private volatile bool _stop;

    public PageLoad(int port, int clients, int size, EchoBackend backend)
    {
        _backend = backend;
        var target = NativeAddress.From(new IPEndPoint(IPAddress.Loopback, port));
        var request = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"GET /bytes/{size} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: holdfast-bench\r\nAccept: */*\r\n\r\n"));
        var buffer = GC.AllocateUninitializedArray<byte>(256 * 1024, pinned: true);
        _clients = [.. Enumerable.Range(0, clients).Select(_ => new PageClient(target, request, size, buffer))];
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _running = ended.Task;
        new Thread(() =>
        {
            try
            {
                Run();
                ended.SetResult();
            }
            catch (Exception e)
            {
                ended.SetException(e);
            }
        })
        { IsBackground = true, Name = "load" }.Start();
    }

    /// <summary>Whole pages so far.</summary>
    public long Answers => Volatile.Read(ref _answers);

    /// <summary>Completes when the time is over; throws when the load has failed before.</summary>
    public async Task ForAsync(TimeSpan time)
    {
        var wait = Task.Delay(time);
        if (await Task.WhenAny(wait, _running) == _running)
            await _running;
    }

    public async Task StopAsync()
    {
        _stop = true;
        await _running;
    }

    public void Dispose() => _epoll.Dispose();

    private void Run()
    {
        _backend.Attach(_epoll, GuestTokens);
        try
        {
            for (var i = 0; i < _clients.Length; i++)
                _clients[i].Dial(_epoll, (ulong)i);
            while (!_stop)
            {
                var n = _epoll.WaitMicroseconds(WaitMicroseconds);
                for (var i = 0; i < n; i++)
                {
                    var events = _epoll.Get(i, out var token);
                    if (token >= GuestTokens)
                        _backend.OnEvents(token - GuestTokens, events);
                    else
                        Volatile.Write(ref _answers, _answers + _clients[(int)token].OnEvents(events));
                }
            }
        }
        finally
        {
            foreach (var client in _clients)
                client.Drop();
            _backend.Detach();
        }
    }

    private sealed class PageClient(NativeAddress target, byte[] request, int size, byte[] buffer)
    {
        private readonly byte[] _head = new byte[8 * 1024];
        private int _fd = -1;
        private int _headLength;
        private int _bodyLeft;
        private bool _asked;

        public void Dial(Epoll epoll, ulong token)
        {
            _fd = Sys.OpenStream(target);
            if (_fd < 0 || epoll.Register(_fd, EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered, token) < 0
                || Sys.Connect(_fd, target) is not (>= 0 or -(int)Errno.InProgress))
                throw new BenchException("A client of the pages cannot dial");
        }

        /// <summary>Pages that are whole now.</summary>
        public int OnEvents(EpollEvents events)
        {
            if (!_asked && (events & EpollEvents.Out) != EpollEvents.None)
                Ask();
            if ((events & (EpollEvents.In | EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) == EpollEvents.None)
                return 0;
            var whole = 0;
            while (true)
            {
                var n = Sys.Receive(_fd, buffer);
                if (n == -(int)Errno.Again)
                    return whole;
                if (n <= 0)
                    throw new BenchException($"A client of the pages was disconnected ({n})");
                whole += Take(buffer.AsSpan(0, n));
                if (n < buffer.Length)
                    return whole;
            }
        }

        public void Drop()
        {
            if (_fd >= 0)
                Sys.Close(_fd);
        }

        private void Ask()
        {
            _asked = true;
            if (Sys.Send(_fd, request) != request.Length)
                throw new BenchException("A client of the pages cannot send");
        }

        private int Take(ReadOnlySpan<byte> input)
        {
            if (_bodyLeft == 0)
            {
                input.CopyTo(_head.AsSpan(_headLength));
                _headLength += input.Length;
                var end = HeadEnd.Find(_head.AsSpan(0, _headLength), 0);
                if (end < 0)
                    return 0;
                Check(_head.AsSpan(0, end));
                _bodyLeft = size;
                input = input[(input.Length - (_headLength - end))..];
                _headLength = 0;
            }

            if (input.Length > _bodyLeft)
                throw new BenchException("A page is longer than it says");
            _bodyLeft -= input.Length;
            if (_bodyLeft > 0)
                return 0;
            Ask();
            return 1;
        }

        private void Check(ReadOnlySpan<byte> head)
        {
            var text = Encoding.ASCII.GetString(head[..12]);
            if (text != "HTTP/1.1 200")
                throw new BenchException($"A page was answered with '{text}'");
            var at = head.IndexOf("ontent-Length: "u8);
            if (at < 0)
                at = head.IndexOf("ontent-length: "u8);
            if (at < 0 || !Utf8Parser.TryParse(head[(at + 15)..], out int length, out _) || length != size)
                throw new BenchException("A page has another length");
        }
    }
}
