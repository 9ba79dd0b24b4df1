using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Hosting;

/// <summary>
/// Gives each accepted connection to the loop with the fewest. WebSockets live for hours: letting the kernel spread them by hash leaves cores
/// uneven for as long. An instance is used on the accepting loop's thread.
/// </summary>
internal sealed class LoopBalancer(EventLoop[] loops)
{
    private static int _lastShared;
    private int _last;

    /// <summary>The loop with the fewest, for a connection that none of them has accepted. Any thread.</summary>
    public static EventLoop LeastLoaded(IReadOnlyList<EventLoop> loops)
    {
        var best = loops[(int)((uint)Interlocked.Increment(ref _lastShared) % loops.Count)];
        foreach (var loop in loops)
        {
            if (loop.Load < best.Load)
                best = loop;
        }

        return best;
    }

    public void Distribute(int fd, NativeAddress client, int listenerId)
    {
        var best = loops[_last = (_last + 1) % loops.Length];
        foreach (var loop in loops)
        {
            if (loop.Load < best.Load)
                best = loop;
        }

        // The accepting loop is the first.
        if (ReferenceEquals(best, loops[0]))
            best.Adopt(fd, client, listenerId);
        else
            best.HandOver(fd, client, listenerId);
    }
}
