using Holdfast.Gateway.Health;
using Holdfast.Tests.LoadBalancing;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Holdfast.Tests.Health;

public sealed class HealthEventsTests
{
    [Fact]
    public async Task Each_kind_has_its_line_with_its_level_and_its_id()
    {
        var log = new Lines();
        var events = new HealthEvents(() => log);
        var endpoint = Endpoints.Ready(7);
        events.Add(new HealthEvent(HealthEventKind.Ejected, "chat", endpoint, Failures: 5, ForMs: 90_000));
        events.Add(new HealthEvent(HealthEventKind.Recovered, "chat", endpoint));
        events.Add(new HealthEvent(HealthEventKind.Returned, "chat", endpoint));

        Assert.Equal(
            [
                "Warning 1030 Ejected 10.0.0.7:80 of chat for 00:01:30: 5 failures in a row. Its open connections stay",
                "Information 1031 Recovered: 10.0.0.7:80 of chat answers handshakes again",
                "Information 1032 Put back 10.0.0.7:80 of chat: the ceiling no longer allows its ejection",
            ],
            await log.TakeAsync(3));
    }

    [Fact]
    public async Task Events_of_many_threads_are_each_told_once_while_they_fit_and_adding_them_allocates_nothing()
    {
        const int Threads = 4, Each = 50;
        var log = new Lines();
        var events = new HealthEvents(() => log);
        var allocated = new long[Threads];
        Racers.Run(Threads, n =>
        {
            var endpoint = Endpoints.Ready(n);
            events.Add(new HealthEvent(HealthEventKind.Recovered, "warm", endpoint));
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < Each; i++)
                events.Add(new HealthEvent(HealthEventKind.Ejected, "chat", endpoint, i));
            allocated[n] = GC.GetAllocatedBytesForCurrentThread() - before;
        });

        // 204 at most wait at once, and 256 fit.
        var lines = await log.TakeAsync(Threads * (Each + 1));
        Assert.All(allocated, bytes => Assert.Equal(0, bytes));
        Assert.Equal(
            Enumerable.Range(0, Threads).SelectMany(n => Enumerable.Range(0, Each).Select(i => $"10.0.0.{n}:80 of chat for 00:00:00: {i} ")).Order(StringComparer.Ordinal),
            lines.Where(l => l.Contains("of chat", StringComparison.Ordinal))
                .Select(l => l["Warning 1030 Ejected ".Length..l.IndexOf("failures", StringComparison.Ordinal)]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_flood_loses_lines_and_nothing_else_and_what_comes_after_it_is_told()
    {
        var hold = new ManualResetEventSlim();      // Outlives the test: the log may still be writing.
        var log = new Lines(hold);
        var events = new HealthEvents(() => log);
        var endpoint = Endpoints.Ready(1);
        for (var i = 0; i < 10_000; i++)
            events.Add(new HealthEvent(HealthEventKind.Recovered, "flood", endpoint));
        hold.Set();
        while (!(await log.TakeAsync(1))[0].Contains("last", StringComparison.Ordinal))
            events.Add(new HealthEvent(HealthEventKind.Recovered, "last", endpoint));
    }

    /// <summary>A logger that keeps what it is told.</summary>
    private sealed class Lines(ManualResetEventSlim? hold = null) : ILogger
    {
        private readonly System.Threading.Channels.Channel<string> _lines = System.Threading.Channels.Channel.CreateUnbounded<string>();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            hold?.Wait();
            Assert.True(_lines.Writer.TryWrite($"{logLevel} {eventId.Id} {formatter(state, exception)}"));
        }

        public async Task<List<string>> TakeAsync(int count)
        {
            var lines = new List<string>();
            while (lines.Count < count)
                lines.Add(await _lines.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
            return lines;
        }
    }
}
