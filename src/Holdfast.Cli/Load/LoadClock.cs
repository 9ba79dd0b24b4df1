namespace Holdfast.Cli.Load;

/// <summary>Microseconds on the monotonic clock of a <see cref="TimeProvider"/>. Thread-safe.</summary>
internal sealed class LoadClock(TimeProvider time)
{
    private readonly double _microsecondsPerTick = 1_000_000.0 / time.TimestampFrequency;
    private readonly long _origin = time.GetTimestamp();

    public long Now => (long)((time.GetTimestamp() - _origin) * _microsecondsPerTick);
}
