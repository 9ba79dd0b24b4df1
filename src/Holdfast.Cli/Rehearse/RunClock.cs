namespace Holdfast.Cli.Rehearse;

/// <summary>
/// Microseconds since 1970, from the monotonic clock: as long as nobody sets the machine's time, those of all processes of a run compare. Thread-safe.
/// </summary>
internal sealed class RunClock(TimeProvider time)
{
    private readonly long _anchor = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
    private readonly long _origin = time.GetTimestamp();

    public long Now => _anchor + (long)time.GetElapsedTime(_origin).TotalMicroseconds;
}
