using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Telemetry;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Health;

/// <summary>
/// Takes what loops have to say about endpoints to the log, on the thread pool: a loop neither waits nor allocates for it. When too many come
/// at once the log lacks some; the counters do not.
/// </summary>
/// <param name="logger">Asked when something is written.</param>
internal sealed class HealthEvents(Func<ILogger> logger) : IThreadPoolWorkItem
{
    private readonly RecordRing<HealthEvent> _ring = new(256);
    private int _isScheduled;

    /// <summary>Any thread.</summary>
    public void Add(in HealthEvent happened)
    {
        if (_ring.TryEnqueue(in happened) && Interlocked.Exchange(ref _isScheduled, 1) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>The thread pool's alone, one at a time.</summary>
    public void Execute()
    {
        do
        {
            while (_ring.TryDequeue(out var happened))
                Write(in happened);
            Volatile.Write(ref _isScheduled, 0);
            Interlocked.MemoryBarrier();
        }
        while (_ring.Count > 0 && Interlocked.Exchange(ref _isScheduled, 1) == 0);
    }

    private void Write(in HealthEvent happened)
    {
        var endpoint = happened.Endpoint.ToString();
        switch (happened.Kind)
        {
            case HealthEventKind.Ejected:
                HostLog.Ejected(logger(), happened.Backend, endpoint, happened.Failures, TimeSpan.FromMilliseconds(happened.ForMs));
                break;
            case HealthEventKind.Recovered:
                HostLog.Recovered(logger(), happened.Backend, endpoint);
                break;
            default:
                HostLog.Returned(logger(), happened.Backend, endpoint);
                break;
        }
    }
}
