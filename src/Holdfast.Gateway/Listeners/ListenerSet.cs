using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Listeners;

/// <summary>
/// The listening sockets, as configurations bring and take them. All accept on the first loop. A listener is its address: under another name or
/// with other limits it keeps its socket. One caller at a time.
/// </summary>
internal sealed class ListenerSet(GatewayRuntime runtime, int descriptorCap)
{
    /// <summary>Opens the first ones, before the loops run. Throws <see cref="IOException"/> that names the address.</summary>
    public void Start(IReadOnlyList<ListenerOptions> listeners)
    {
        var loops = runtime.Loops.ToArray();
        var bound = new List<BoundListener>();
        foreach (var listener in listeners)
        {
            var fd = EventLoop.OpenListener(listener.Address, out var address);
            bound.Add(runtime.AddListener(listener, address));
            loops[0].Listen(fd, bound[^1].Id, loops.Length == 1 ? null : new LoopBalancer(loops).Distribute);
        }

        runtime.Listeners = bound;
    }

    /// <summary>
    /// Opens those that are not open yet: they accept from here on, and nothing else has changed. Throws <see cref="IOException"/> that names
    /// the key and the address, with none of them open. End it with <see cref="CommitAsync"/>.
    /// </summary>
    public async Task<ListenerChange> OpenAsync(IReadOnlyList<ListenerOptions> listeners, IPEndPoint admin)
    {
        var change = new ListenerChange { Configured = new BoundListener[listeners.Count], Options = listeners, Removed = [.. runtime.Listeners] };
        Keep(change, static (bound, options) => bound.Options.Name == options.Name);
        Keep(change, static (_, _) => true);

        var opened = new List<(int Fd, BoundListener Listener)>();
        try
        {
            for (var i = 0; i < listeners.Count; i++)
            {
                if (change.Configured[i] is not null)
                    continue;
                var fd = Open(i, listeners[i].Address, admin, out var address);
                change.Configured[i] = runtime.AddListener(listeners[i], address);
                change.Opened.Add(change.Configured[i]);
                opened.Add((fd, change.Configured[i]));
            }
        }
        catch (IOException)
        {
            foreach (var (fd, _) in opened)
                Sys.Close(fd);
            throw;
        }

        // Once all are open, so that no client is accepted on one that is closed again.
        for (var i = 0; i < opened.Count; i++)
        {
            var (fd, listener) = opened[i];
            if (await OnLoopAsync(loop => loop.TryListen(fd, listener.Id)).ConfigureAwait(false))
                continue;
            foreach (var (_, accepting) in opened[..i])
                _ = await OnLoopAsync(loop => loop.StopListening(accepting.Id)).ConfigureAwait(false);
            foreach (var (waiting, _) in opened[(i + 1)..])
                Sys.Close(waiting);
            throw new IOException($"{listener.Options.Address}: the system has no room for another listening socket");
        }

        return change;
    }

    /// <summary>Puts the change's options in force, and stops accepting on listeners that are configured no more; their connections live on.</summary>
    public async Task CommitAsync(ListenerChange change)
    {
        for (var i = 0; i < change.Configured.Length; i++)
            change.Configured[i].Options = change.Options[i];
        runtime.Listeners = change.Configured;
        foreach (var listener in change.Removed)
            _ = await OnLoopAsync(loop => loop.StopListening(listener.Id)).ConfigureAwait(false);
    }

    private static void Keep(ListenerChange change, Func<BoundListener, ListenerOptions, bool> isSame)
    {
        for (var i = 0; i < change.Options.Count; i++)
        {
            var options = change.Options[i];
            if (change.Configured[i] is not null
                || change.Removed.Find(b => b.Options.Address.Equals(options.Address) && isSame(b, options)) is not { } bound)
                continue;
            change.Configured[i] = bound;
            change.Removed.Remove(bound);
        }
    }

    private int Open(int index, IPEndPoint address, IPEndPoint admin, out IPEndPoint bound)
    {
        var key = FormattableString.Invariant($"listeners[{index}].address: ");
        int fd;
        try
        {
            fd = EventLoop.OpenListener(address, out bound);
        }
        catch (IOException e)
        {
            // In the way may be we ourselves: a listener moves from one interface to all of them, say.
            if (runtime.Listeners.FirstOrDefault(l => l.Address.Port == address.Port) is { } own)
            {
                throw new IOException(
                    $"{key}{address}: the port is held by this gateway's listener {own.Options.Name} ({own.Address}); take that one out in a change of its own, or restart", e);
            }

            if (admin.Port == address.Port)
                throw new IOException($"{key}{address}: the port is held by this gateway's admin API ({admin}), which only a restart moves", e);
            throw new IOException(key + e.Message, e);
        }

        if (fd < descriptorCap)
            return fd;
        Sys.Close(fd);
        throw new IOException($"{key}{address}: no file descriptor is left for another listener");
    }

    private Task<T> OnLoopAsync<T>(Func<EventLoop, T> ask)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        runtime.Loops[0].Post(loop => answer.SetResult(ask(loop)));
        return answer.Task;
    }
}

/// <summary>Listeners that are open for a change, and those it does without.</summary>
internal sealed class ListenerChange
{
    /// <summary>In the order of <see cref="Options"/>.</summary>
    public required BoundListener[] Configured { get; init; }

    public required IReadOnlyList<ListenerOptions> Options { get; init; }

    public List<BoundListener> Opened { get; } = [];

    public required List<BoundListener> Removed { get; init; }
}
