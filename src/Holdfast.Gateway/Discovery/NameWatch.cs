namespace Holdfast.Gateway.Discovery;

/// <summary>
/// Asks for one name again and again: at once, then an interval after each answer came, so never twice at the same time, and not faster when it
/// fails. Runs from its construction until it is disposed.
/// </summary>
internal sealed class NameWatch : IAsyncDisposable
{
    /// <summary>A tenth more or less, so that many gateways do not ask in step.</summary>
    private const double Jitter = 0.1;

    private readonly string _name;
    private readonly INameResolver _resolver;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly Action<NameWatch, NameAnswer> _onAnswer;
    private readonly Action<Exception> _onBug;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _running;
    private readonly Lock _gate = new();
    private TaskCompletionSource _askNow = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _interval;

    /// <param name="random">Of this watch alone.</param>
    /// <param name="onAnswer">One call at a time; never after the disposal.</param>
    public NameWatch(string name, TimeSpan interval, INameResolver resolver, TimeProvider time, Random random, Action<NameWatch, NameAnswer> onAnswer, Action<Exception> onBug)
    {
        (_name, _resolver, _time, _random, _onAnswer, _onBug) = (name, resolver, time, random, onAnswer, onBug);
        Interval = interval;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Counts from the next answer on.</summary>
    public TimeSpan Interval
    {
        get => TimeSpan.FromTicks(Volatile.Read(ref _interval));
        set => Volatile.Write(ref _interval, value.Ticks);
    }

    /// <summary>Done when the first look-up has ended, however it went.</summary>
    public Task First => _first.Task;

    /// <summary>Asks without waiting for the interval; while a look-up is under way, once more behind it.</summary>
    public void AskNow()
    {
        lock (_gate)
            _askNow.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        string? found = null;
        while (!_stop.IsCancellationRequested)
        {
            // Renewed before the look-up: who asks while it is under way may know something that it does not.
            TaskCompletionSource askNow;
            lock (_gate)
                _askNow = askNow = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            try
            {
                var answer = await _resolver.LookUpAsync(_name, found, _stop.Token).ConfigureAwait(false);
                if (answer.HasAddresses)
                    found = answer.FullName;
                _onAnswer(this, answer);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // The name is asked for again all the same: a watch that died would freeze its endpoints for good.
                _onBug(e);
            }

            _first.TrySetResult();
            await WaitAsync(askNow.Task).ConfigureAwait(false);
        }

        _first.TrySetResult();
    }

    private async Task WaitAsync(Task askNow)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var delay = Interval * (1 - Jitter + (2 * Jitter * _random.NextDouble()));
        _ = await Task.WhenAny(askNow, Task.Delay(delay, _time, enough.Token)).ConfigureAwait(false);
        await enough.CancelAsync().ConfigureAwait(false);
    }
}
