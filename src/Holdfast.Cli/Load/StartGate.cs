using Holdfast.Relay.Interop;

namespace Holdfast.Cli.Load;

/// <summary>Lets all threads of a run start their schedule at the same time: when the last has finished its handshakes. Thread-safe.</summary>
internal sealed class StartGate(int threads, LoadClock clock) : IDisposable
{
    private readonly List<WakeUp> _wakeUps = [];
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _missing = threads;
    private long _start = long.MaxValue;

    /// <summary>Completes when the schedule has started.</summary>
    public Task Opened => _opened.Task;

    /// <summary>The common start on the clock; <see cref="long.MaxValue"/> before that.</summary>
    public long Start => Volatile.Read(ref _start);

    /// <summary>A wake-up for one thread, signalled at the start and by <see cref="WakeAll"/>; owned by the gate.</summary>
    public WakeUp NewWakeUp()
    {
        var wakeUp = new WakeUp();
        _wakeUps.Add(wakeUp);
        return wakeUp;
    }

    public void Arrive()
    {
        if (Interlocked.Decrement(ref _missing) > 0)
            return;
        Volatile.Write(ref _start, clock.Now);
        WakeAll();
        _opened.TrySetResult();
    }

    public void WakeAll()
    {
        foreach (var wakeUp in _wakeUps)
            wakeUp.Signal();
    }

    public void Dispose()
    {
        foreach (var wakeUp in _wakeUps)
            wakeUp.Dispose();
    }
}
