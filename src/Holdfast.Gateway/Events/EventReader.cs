using System.Diagnostics.CodeAnalysis;

namespace Holdfast.Gateway.Events;

/// <summary>
/// What waits for one reader. It holds so many; who reads slower loses what comes then, and is told how many at the very place where they are
/// missing. Added to by any thread, taken by one.
/// </summary>
internal sealed class EventReader
{
    public const int Capacity = 256;

    private readonly Lock _gate = new();
    private readonly Queue<GatewayEvent> _waiting = new();
    private TaskCompletionSource _came = NewSignal();
    private long _lost;

    public void Add(GatewayEvent happened)
    {
        lock (_gate)
        {
            // Once one is lost, so are the next until the reader has heard of it: else the gap would have no place.
            if (_lost > 0 || _waiting.Count == Capacity)
                _lost++;
            else
                _waiting.Enqueue(happened);
            _came.TrySetResult();
        }
    }

    public bool TryTake([NotNullWhen(true)] out GatewayEvent? next)
    {
        lock (_gate)
        {
            if (_waiting.TryDequeue(out next))
                return true;
            if (_lost > 0)
            {
                next = GatewayEvent.Of(new LostView(_lost));
                _lost = 0;
                return true;
            }

            if (_came.Task.IsCompleted)
                _came = NewSignal();
            return false;
        }
    }

    /// <summary>Until there is something to take. False: nothing came in that time.</summary>
    public async Task<bool> WaitAsync(TimeSpan longest, TimeProvider time, CancellationToken cancel)
    {
        Task came;
        lock (_gate)
            came = _came.Task;
        try
        {
            await came.WaitAsync(longest, time, cancel);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
