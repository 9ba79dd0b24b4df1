namespace Holdfast.Cli.Load;

/// <summary>
/// What the connections of one thread share: buffers, clock, schedule, and what is counted. Written by that thread only; the plain longs
/// may be read by others at any time, the rest after the thread has ended.
/// </summary>
internal sealed class LoadLane(LoadOptions options, ClientHandshake handshake, LoadSchedule schedule, LoadClock clock)
{
    // uWebSockets' size: one receive takes whatever a burst has left on a socket.
    private const int ReceiveBytes = 256 * 1024;
    private long _sent, _received, _duplicated, _reordered, _corrupted, _disconnects;

    public LoadOptions Options { get; } = options;

    public ClientHandshake Handshake { get; } = handshake;

    public LoadSchedule Schedule { get; } = schedule;

    public LoadClock Clock { get; } = clock;

    public MaskKeys Keys { get; } = new();

    public byte[] ReceiveBuffer { get; } = GC.AllocateUninitializedArray<byte>(ReceiveBytes, pinned: true);

    public byte[] SendBuffer { get; } =
        GC.AllocateUninitializedArray<byte>(options.Size + Wire.WebSocket.FrameWriter.MaxHeader, pinned: true);

    /// <summary>Of the schedule, on <see cref="Clock"/>; set once, before the first message is due.</summary>
    public long StartedAt { get; set; } = long.MaxValue;

    /// <summary>When the sending ended, in microseconds after the start.</summary>
    public long SentUntil { get; set; }

    /// <summary>Messages due before this, after the start, are in no histogram.</summary>
    public long MeasuredFrom { get; } = (long)options.WarmUp.TotalMicroseconds;

    /// <summary>Dialled sockets whose 101 has not come.</summary>
    public int InHandshake { get; set; }

    /// <summary>Sockets with a 101 that have not ended.</summary>
    public int Open { get; set; }

    public long Opened { get; set; }

    public long Sent { get => Volatile.Read(ref _sent); set => Volatile.Write(ref _sent, value); }

    public long Received { get => Volatile.Read(ref _received); set => Volatile.Write(ref _received, value); }

    public long Duplicated { get => Volatile.Read(ref _duplicated); set => Volatile.Write(ref _duplicated, value); }

    public long Reordered { get => Volatile.Read(ref _reordered); set => Volatile.Write(ref _reordered, value); }

    public long Corrupted { get => Volatile.Read(ref _corrupted); set => Volatile.Write(ref _corrupted, value); }

    public long Disconnects { get => Volatile.Read(ref _disconnects); set => Volatile.Write(ref _disconnects, value); }

    /// <summary>From the due time to the answer.</summary>
    public LatencyHistogram Latency { get; } = new();

    /// <summary>From the due time to the send, on connections that took it at once: how late this program was.</summary>
    public LatencyHistogram Lag { get; } = new();

    /// <summary>The longest time between two messages of one connection (sequence check), in microseconds.</summary>
    public long LongestSilence { get; set; }

    /// <summary>Why handshakes failed.</summary>
    public SortedDictionary<string, long> Failures { get; } = new(StringComparer.Ordinal);

    /// <summary>Close codes of disconnects; 1005 for a Close without a code, 1006 for an end without a Close (RFC 6455 section 7.4.1).</summary>
    public SortedDictionary<int, long> CloseCodes { get; } = [];

    public void CountFailure(string why) => Failures[why] = Failures.GetValueOrDefault(why) + 1;

    public void CountDisconnect(int code)
    {
        Disconnects++;
        CloseCodes[code] = CloseCodes.GetValueOrDefault(code) + 1;
    }

    /// <summary>Microseconds after the start.</summary>
    public long Elapsed() => Clock.Now - StartedAt;
}
