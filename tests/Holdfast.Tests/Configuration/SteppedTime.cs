using Xunit;

namespace Holdfast.Tests.Configuration;

/// <summary>A clock with one timer, which goes on only when told, and tells when the timer was set. Any thread.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private readonly Lock _lock = new();
    private TimerCallback? _callback;
    private object? _state;
    private long _now = 77;
    private long? _due;
    private int _settings;

    /// <summary>Odd on purpose: who mistakes ticks for time is found out.</summary>
    public override long TimestampFrequency => 12_345;

    /// <summary>Times the timer was set.</summary>
    public int Settings
    {
        get
        {
            lock (_lock)
                return _settings;
        }
    }

    /// <summary>Until the timer is due; null: it is not set.</summary>
    public TimeSpan? Due
    {
        get
        {
            lock (_lock)
                return _due is { } due ? TimeSpan.FromSeconds((double)(due - _now) / TimestampFrequency) : null;
        }
    }

    public override long GetTimestamp()
    {
        lock (_lock)
            return _now;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        (_callback, _state) = (callback, state);
        return new Timer(this);
    }

    /// <summary>Goes on to the moment that the timer is due.</summary>
    public void AdvanceToTimer()
    {
        lock (_lock)
        {
            _now = Math.Max(_now, _due ?? throw new InvalidOperationException("the timer is not set"));
            _due = null;
        }

        _callback!(_state);
    }

    private sealed class Timer(SteppedTime time) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Assert.Equal(Timeout.InfiniteTimeSpan, period);
            lock (time._lock)
            {
                time._due = time._now + (long)Math.Ceiling(dueTime.TotalSeconds * time.TimestampFrequency);
                time._settings++;
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._lock)
                time._due = null;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
