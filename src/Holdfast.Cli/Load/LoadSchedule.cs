namespace Holdfast.Cli.Load;

/// <summary>
/// When each message is due, fixed before the first is sent and whatever the answers do (open loop). Latency is counted from these times,
/// so that a server that stalls is charged for every message that should have been sent meanwhile: nothing of the omission that Gil Tene
/// named coordinated ("How NOT to Measure Latency"; wrk2). Message g of all is due at g / rate, on connection g mod connections.
/// Times are microseconds after the common start. Immutable.
/// </summary>
internal sealed class LoadSchedule
{
    private readonly int _connections;
    private readonly double _microsecondsPerMessage;

    public LoadSchedule(int connections, double messagesPerSecond, TimeSpan length)
    {
        _connections = connections;
        _microsecondsPerMessage = messagesPerSecond > 0 ? 1_000_000 / messagesPerSecond : 0;
        End = (long)length.TotalMicroseconds;
        IsIdle = messagesPerSecond <= 0;
    }

    /// <summary>No message falls due at or after this.</summary>
    public long End { get; }

    /// <summary>Nothing is ever due.</summary>
    public bool IsIdle { get; }

    public long DueOf(int connection, long sequence) => (long)(((double)sequence * _connections + connection) * _microsecondsPerMessage);
}
