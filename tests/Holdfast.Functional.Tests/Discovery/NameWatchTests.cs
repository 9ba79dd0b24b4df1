using System.Collections.Concurrent;
using System.Net;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Discovery;

namespace Holdfast.Functional.Tests.Discovery;

/// <summary>When a name is asked for, on a clock of the test's own.</summary>
public sealed class NameWatchTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private readonly FakeResolver _resolver = new();
    private readonly ConcurrentQueue<NameAnswer> _answers = new();
    private readonly ConcurrentQueue<Exception> _bugs = new();
    private NameWatch _watch = null!;
    private bool _isDisposed;

    [Fact]
    public async Task It_asks_at_once_and_an_interval_after_each_answer()
    {
        for (var i = 1; i <= 5; i++)
        {
            await AskedAsync(i);
            _resolver.Answer(LookupOutcome.Servfail);
            await Processes.UntilAsync(() => _answers.Count == i, "the answer came");
            await WaitingAsync();
            Assert.True(_watch.First.IsCompleted);
            // A tenth less at most, a tenth more at most.
            _time.Advance(TimeSpan.FromSeconds(8.9));
            Assert.Equal(i, _resolver.Asked);
            _time.Advance(TimeSpan.FromSeconds(2.2));
        }
    }

    [Fact]
    public async Task It_never_asks_twice_at_a_time_and_once_more_behind_a_look_up_that_was_under_way()
    {
        await AskedAsync(1);
        _watch.AskNow();
        _watch.AskNow();
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal((1, 1), (_resolver.Asked, _resolver.Most));
        _resolver.Answer(LookupOutcome.Good);
        await AskedAsync(2);
        _resolver.Answer(LookupOutcome.Good);
        await WaitingAsync();
        Assert.Equal((2, 1), (_resolver.Asked, _resolver.Most));
        _watch.AskNow();
        await AskedAsync(3);
    }

    [Fact]
    public async Task What_answered_is_handed_on_as_found_and_kept_through_failures()
    {
        LookupOutcome[] outcomes = [LookupOutcome.Servfail, LookupOutcome.Good, LookupOutcome.Nxdomain, LookupOutcome.Timeout];
        for (var i = 0; i < outcomes.Length; i++)
        {
            await AskedAsync(i + 1);
            _watch.AskNow();
            _resolver.Answer(outcomes[i]);
        }

        await AskedAsync(5);
        Assert.Equal([null, null, "full.test", "full.test", "full.test"], _resolver.Found);
    }

    [Fact]
    public async Task A_resolver_that_throws_is_told_as_a_bug_and_asked_again()
    {
        await AskedAsync(1);
        _resolver.Fail(new InvalidOperationException("boom"));
        await WaitingAsync();
        Assert.Equal("boom", Assert.Single(_bugs).Message);
        Assert.True(_watch.First.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(11.1));
        await AskedAsync(2);
        _resolver.Answer(LookupOutcome.Good);
        await Processes.UntilAsync(() => _answers.Count == 1, "the answer came");
    }

    [Fact]
    public async Task Disposing_ends_a_look_up_and_tells_nothing_more()
    {
        await AskedAsync(1);
        await _watch.DisposeAsync();
        _isDisposed = true;
        Assert.True(_watch.First.IsCompleted);
        Assert.Empty(_answers);
        Assert.Empty(_bugs);
        Assert.Equal(0, _time.Timers);
    }

    public ValueTask InitializeAsync()
    {
        _watch = new NameWatch("name.test", TimeSpan.FromSeconds(10), _resolver, _time, new Random(1), (_, answer) => _answers.Enqueue(answer), _bugs.Enqueue);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_isDisposed)
            await _watch.DisposeAsync();
    }

    private Task AskedAsync(int times) => Processes.UntilAsync(() => _resolver.Asked == times, $"the name was asked {times} times");

    private Task WaitingAsync() => Processes.UntilAsync(() => _time.Timers == 1, "the watch waits for its interval");

    private sealed class FakeResolver : INameResolver
    {
        private readonly ConcurrentQueue<string?> _found = new();
        private volatile TaskCompletionSource<NameAnswer> _pending = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _now;

        public int Asked => _found.Count;

        /// <summary>Look-ups at once.</summary>
        public int Most { get; private set; }

        public IReadOnlyList<string?> Found => [.. _found];

        public async Task<NameAnswer> LookUpAsync(string name, string? found, CancellationToken cancel)
        {
            Assert.Equal("name.test", name);
            var pending = new TaskCompletionSource<NameAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
            _pending = pending;
            Most = Math.Max(Most, Interlocked.Increment(ref _now));
            _found.Enqueue(found);
            try
            {
                return await pending.Task.WaitAsync(cancel);
            }
            finally
            {
                Interlocked.Decrement(ref _now);
            }
        }

        public void Answer(LookupOutcome outcome)
        {
            var family = outcome == LookupOutcome.Good ? FamilyAnswer.Of([IPAddress.Loopback], TimeSpan.Zero) : FamilyAnswer.Failed(outcome);
            _pending.SetResult(new NameAnswer("full.test", family, outcome == LookupOutcome.Good ? FamilyAnswer.Failed(LookupOutcome.Empty) : family));
        }

        public void Fail(Exception exception) => _pending.SetException(exception);
    }
}
