using System.Collections.Concurrent;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Crowds;

/// <summary>The child's side of <see cref="Child"/>: lines of standard input, which wake an epoll loop. Null: the input has ended, and the process should.</summary>
internal sealed class Orders : IDisposable
{
    private readonly ConcurrentQueue<string?> _lines = new();
    private readonly WakeUp _wakeUp = new();

    public Orders(Epoll epoll, ulong token)
    {
        _ = epoll.Register(_wakeUp.Fd, EpollEvents.In, token);
        new Thread(Read) { IsBackground = true, Name = "orders" }.Start();
    }

    /// <summary>On the loop's thread, after its token was told.</summary>
    public bool TryTake(out string? line)
    {
        if (_lines.TryDequeue(out line))
            return true;
        _wakeUp.Clear();
        return _lines.TryDequeue(out line);
    }

    public void Dispose() => _wakeUp.Dispose();

    private void Read()
    {
        string? line;
        do
        {
            line = Console.In.ReadLine();
            _lines.Enqueue(line);
            _wakeUp.Signal();
        }
        while (line is not null);
    }
}
