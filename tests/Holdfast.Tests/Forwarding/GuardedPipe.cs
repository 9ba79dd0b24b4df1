using System.IO.Pipelines;
using System.Text;
using Holdfast.Gateway.Forwarding;

namespace Holdfast.Tests.Forwarding;

/// <summary>A guard between two pipes, on a clock that goes on only when told. One thread: everything that can happen has happened when a call returns.</summary>
internal sealed class GuardedPipe : IDisposable
{
    private static readonly PipeOptions Inline = new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);

    private readonly Pipe _input = new(Inline);
    private readonly MemoryStream _answers = new();

    public GuardedPipe()
    {
        var guards = new RequestGuards(Time) { OnRefused = (_, status) => Refusals.Add(status) };
        Guard = new RequestGuard(guards, new DuplexPipe(_input.Reader, PipeWriter.Create(_answers)), new ClientConnection(0, default, isTls: false), socket: null);
    }

    public ManualTime Time { get; } = new();

    public RequestGuard Guard { get; }

    public List<int> Refusals { get; } = [];

    /// <summary>What the guard has written to the client.</summary>
    public string Answer => Encoding.Latin1.GetString(_answers.ToArray());

    public void Send(string text) => Send(Encoding.Latin1.GetBytes(text));

    public void Send(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_input.Writer.GetSpan(bytes.Length));
        _input.Writer.Advance(bytes.Length);
        var flush = _input.Writer.FlushAsync();
        Xunit.Assert.True(flush.IsCompletedSuccessfully);
    }

    /// <summary>Takes what is shown, whole, and does not look at it.</summary>
    public void Pass()
    {
#pragma warning disable VSTHRD002, xUnit1031, CA2012 // It has completed.
        Guard.AdvanceTo(Guard.ReadAsync().GetAwaiter().GetResult().Buffer.End);
#pragma warning restore VSTHRD002, xUnit1031, CA2012
    }

    public void Finish() => _input.Writer.Complete();

    /// <summary>A read that must have something, taken whole.</summary>
    public string Take()
    {
        var read = Guard.ReadAsync().AsTask();
        Xunit.Assert.True(read.IsCompleted, "nothing is shown");
        return Take(read);
    }

    public string Take(Task<ReadResult> read)
    {
#pragma warning disable VSTHRD002, xUnit1031 // It has completed.
        var result = read.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002, xUnit1031
        var text = Encoding.Latin1.GetString(result.Buffer);
        Guard.AdvanceTo(result.Buffer.End);
        return text + (result.IsCompleted ? "$" : "") + (result.IsCanceled ? "!" : "");
    }

    /// <summary>A request without a body, served.</summary>
    public void Serve(string head)
    {
        Send(head);
        Xunit.Assert.Equal(head, Take());
        var words = head.Split(' ');
        Xunit.Assert.NotNull(Guard.Claim(words[0], words[1]));
        Guard.Release();
    }

    public void Dispose() => Guard.Dispose();
}

/// <summary>A clock with any number of timers, called in their order as time is told to go on.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly List<Timer> _timers = [];
    private TimeSpan _now = TimeSpan.FromDays(1);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Timers that are set.</summary>
    public int Set => _timers.Count;

    public override long GetTimestamp() => _now.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        _ = timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(TimeSpan time)
    {
        var until = _now + time;
        while (_timers.Where(t => t.Due <= until).MinBy(t => t.Due) is { } next)
        {
            _now = next.Due;
            _timers.Remove(next);
            next.Call();
        }

        _now = until;
    }

    private sealed class Timer(ManualTime time, Action call) : ITimer
    {
        public TimeSpan Due { get; private set; }

        public void Call() => call();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time._timers.Remove(this);
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                Due = time._now + dueTime;
                time._timers.Add(this);
            }

            return true;
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
