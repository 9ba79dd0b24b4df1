using System.Buffers;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Admin;

/// <summary>Where a listing goes on: a loop and a place in its table, which a connection keeps for life.</summary>
internal readonly record struct ConnectionCursor(int Loop, int Position);

/// <summary>
/// Asks the loops for their connections in small pieces, one piece per turn, so that a large table stops no loop. A loop that does not answer
/// within two seconds is a <see cref="TimeoutException"/>: a stop never hangs on it.
/// </summary>
internal sealed class ConnectionTable(GatewayRuntime runtime)
{
    /// <summary>Pairs copied in one turn of a loop: some 50 µs.</summary>
    private const int Piece = 256;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Adds what <paramref name="wanted"/> accepts until there are <paramref name="limit"/>. Where to go on, or null at the end.</summary>
    public async Task<ConnectionCursor?> ListAsync(
        List<PairView> into, ConnectionCursor from, int limit, Func<PairView, bool> wanted, CancellationToken cancel)
    {
        var views = ArrayPool<PairView>.Shared.Rent(Piece);
        var nexts = ArrayPool<int>.Shared.Rent(Piece);
        ConnectionCursor? end = null;
        for (var number = from.Loop; number < runtime.Loops.Count && end is null; number++)
        {
            var position = number == from.Loop ? from.Position : 0;
            while (position >= 0 && end is null)
            {
                if (into.Count == limit)
                {
                    end = new ConnectionCursor(number, position);
                    break;
                }

                var start = position;
                var (count, next) = await AskAsync(runtime.Loops[number], loop => Copy(loop, start, views, nexts), cancel);
                var used = 0;
                for (; used < count && into.Count < limit; used++)
                {
                    position = nexts[used];
                    if (wanted(views[used]))
                        into.Add(views[used]);
                }

                if (used == count)
                    position = next;
            }
        }

        // Not after a time-out: the loop may still write to them.
        ArrayPool<PairView>.Shared.Return(views);
        ArrayPool<int>.Shared.Return(nexts);
        return end;
    }

    public async Task<PairView?> FindAsync(UInt128 id, CancellationToken cancel)
    {
        var found = new List<PairView>(1);
        _ = await ListAsync(found, default, limit: 1, view => view.Id == id, cancel);
        return found.Count > 0 ? found[0] : null;
    }

    /// <summary>Tells both sides 1001 (going away): clients reconnect as they do when a server leaves. False: no such connection.</summary>
    public async Task<bool> CloseAsync(UInt128 id, CancellationToken cancel)
    {
        foreach (var loop in runtime.Loops)
        {
            if (await AskAsync(loop, l => l.Close(id, EndReason.AdminClose, CloseCode.GoingAway, CloseCode.GoingAway), cancel))
                return true;
        }

        return false;
    }

    /// <summary>On the loop's thread. One by one, so that a listing can go on after any of them; stops at a long stretch of free places.</summary>
    private static (int Count, int Next) Copy(EventLoop loop, int position, PairView[] views, int[] nexts)
    {
        var count = 0;
        while (position >= 0 && count < Piece)
        {
            position = loop.Snapshot(position, views.AsSpan(count, 1), out var copied);
            if (copied == 0)
                break;
            nexts[count++] = position;
        }

        return (count, position);
    }

    private async Task<T> AskAsync<T>(EventLoop loop, Func<EventLoop, T> question, CancellationToken cancel)
    {
        // A stopped loop would never answer.
        if (runtime.Phase == GatewayPhase.Stopped)
            throw new TimeoutException();
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Post(l => answer.SetResult(question(l)));
        return await answer.Task.WaitAsync(AnswerTimeout, runtime.Time, cancel);
    }
}
