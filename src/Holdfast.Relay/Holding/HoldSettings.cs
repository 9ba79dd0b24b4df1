using Holdfast.Wire.Sessions;

namespace Holdfast.Relay.Holding;

/// <summary>How the pairs of one backend are held: one immutable object that many pairs share. Times in milliseconds.</summary>
public sealed class HoldSettings
{
    /// <summary>Makes the machine that knows the protocol; null: nothing is known of the messages (<c>opaque</c>).</summary>
    public Func<Session>? NewSession { get; init; }

    /// <summary>With a protocol that dials first: how long both endpoints serve; 0: the old one is told to stop before the new one starts.</summary>
    public int Overlap { get; init; }

    public int Quiet { get; init; } = 500;

    public int QuietMax { get; init; } = 5000;

    public int Fence { get; init; } = 1000;

    /// <summary>Bytes of a client's messages that wait.</summary>
    public int Buffer { get; init; } = 256 * 1024;

    public int Patience { get; init; } = 30_000;

    /// <summary>Re-homes that one loop begins per second for the backend.</summary>
    public double RatePerSecond { get; init; } = 1000;

    /// <summary>An endpoint in service that closes with 1011 is replaced.</summary>
    public bool RehomeOnServerError { get; init; }

    /// <summary>What all held pairs of the process may keep together.</summary>
    public HoldMemory Memory { get; init; } = new(64 * 1024 * 1024);
}

/// <summary>Bytes that held clients' messages take in the whole process. Thread-safe.</summary>
public sealed class HoldMemory(long capacity)
{
    private long _used;
    private long _capacity = capacity;

    public long Capacity
    {
        get => Volatile.Read(ref _capacity);
        set => Volatile.Write(ref _capacity, value);
    }

    public long Used => Volatile.Read(ref _used);

    public bool IsFull => Used >= Capacity;

    public void Add(long bytes) => Interlocked.Add(ref _used, bytes);
}
