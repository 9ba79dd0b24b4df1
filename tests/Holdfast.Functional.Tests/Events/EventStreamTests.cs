using System.Net;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Events;
using Holdfast.Relay.Holding;

namespace Holdfast.Functional.Tests.Events;

/// <summary>How events come to their readers.</summary>
public sealed class EventStreamTests : IAsyncLifetime
{
    private EventServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await EventServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_silent_stream_is_kept_open_by_a_comment_every_15_seconds()
    {
        using var events = await EventStream.OpenAsync(_server.Address);
        for (var i = 1; i <= 3; i++)
        {
            // The reader's, and the one that looks around.
            await Processes.UntilAsync(() => _server.Time.Timers == 2, "the stream waited");
            _server.Time.Advance(TimeSpan.FromSeconds(14.9));
            await Processes.UntilAsync(() => _server.Time.Timers == 2, "somebody looked around");
            _server.Time.Advance(TimeSpan.FromSeconds(0.1));
            Assert.Equal("", await events.LineAsync());
            Assert.Equal(": nothing yet", await events.LineAsync());
        }
    }

    [Fact]
    public async Task A_reader_that_does_not_read_loses_events_and_is_told_how_many()
    {
        const int Drains = 60_000;
        using var slow = await EventStream.OpenAsync(_server.Address);
        for (var i = 0; i < Drains; i++)
            _server.DrainAndCancel();

        var (came, lost, gaps) = (0, 0, 0);
        while (came + lost < 2 * Drains)
        {
            var (name, data) = (await slow.NextAsync())!.Value;
            if (name == "lost")
            {
                lost += data.GetProperty("events").GetInt32();
                gaps++;
            }
            else
            {
                // Within a run each start is followed by its end; only a gap may part them.
                Assert.True(name is "drain-started" or "drain-ended");
                came++;
            }
        }

        Assert.Equal(2 * Drains, came + lost);
        Assert.True(lost > 0 && gaps > 0 && came >= EventReader.Capacity, $"{came} came, {lost} lost in {gaps} gaps");

        // It has caught up, and follows.
        _server.DrainAndCancel();
        Assert.Equal("drain-started", (await slow.NextAsync())!.Value.Name);
    }

    [Fact]
    public async Task Only_so_many_follow_at_once_and_a_place_that_is_left_is_free()
    {
        var readers = new List<EventStream>();
        try
        {
            for (var i = 0; i < GatewayEvents.MaxReaders; i++)
                readers.Add(await EventStream.OpenAsync(_server.Address));
            using var http = new HttpClient();
            using (var refused = await http.GetAsync(new Uri($"http://{_server.Address}/v1/events")))
            {
                Assert.Equal((HttpStatusCode.ServiceUnavailable, "application/json"), (refused.StatusCode, refused.Content.Headers.ContentType?.ToString()));
                Assert.Contains("64 readers", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            }

            _server.DrainAndCancel();
            foreach (var reader in readers)
                Assert.Equal("drain-started", (await reader.NextAsync())!.Value.Name);

            readers[7].Dispose();
            await Processes.UntilAsync(() => _server.Events.Readers == GatewayEvents.MaxReaders - 1, "the reader's place was free");
            readers[7] = await EventStream.OpenAsync(_server.Address);
        }
        finally
        {
            readers.ForEach(r => r.Dispose());
        }

        await Processes.UntilAsync(() => _server.Events.Readers == 0, "all places were free");
    }

    [Fact]
    public async Task HEAD_is_answered_and_follows_nothing()
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Head, new Uri($"http://{_server.Address}/v1/events"));
        using var answer = await http.SendAsync(request);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (answer.StatusCode, answer.Content.Headers.ContentType?.ToString()));
        Assert.Equal(0, _server.Events.Readers);
    }

    [Fact]
    public async Task Rehomes_are_summed_up_once_a_second_and_what_was_before_is_not_told()
    {
        Tell(RehomeCause.Crash, RehomeOutcome.Refused);
        using var events = await EventStream.OpenAsync(_server.Address);
        for (var i = 0; i < 5; i++)
        {
            Tell(RehomeCause.Planned, RehomeOutcome.Completed);
            Tell(RehomeCause.Crash, RehomeOutcome.Completed, unknown: 2);
            _server.Time.Advance(TimeSpan.FromSeconds(0.25));
        }

        Tell(RehomeCause.CloseFirst, RehomeOutcome.TimedOut);
        _server.Time.Advance(TimeSpan.FromSeconds(1));
        var sum = await NextAsync();
        Assert.Equal((4, 0, 4, 8, 8), sum);
        Assert.Equal((1, 1, 1, 2, 2), await NextAsync());
        _server.DrainAndCancel();
        Assert.Equal("drain-started", (await events.NextAsync())!.Value.Name);

        void Tell(RehomeCause cause, RehomeOutcome outcome, long unknown = 0) => _server.Events.OnRehomed(
            new RehomeEnd { BackendId = _server.Chat.Id, FromEndpointId = _server.Endpoint.Id, ToEndpointId = -1, Cause = cause, Outcome = outcome, Unknown = unknown },
            _server.Chat);

        async Task<(int Planned, int CloseFirst, int Crash, int Completed, int Unknown)> NextAsync()
        {
            var (name, data) = (await events.NextAsync())!.Value;
            Assert.Equal(("rehomes", "chat"), (name, data.GetProperty("backend").GetString()));
            int Of(string field) => data.GetProperty(field).GetInt32();
            Assert.Equal(Of("planned") + Of("closeFirst") + Of("crash"), Of("completed") + Of("cutShort") + Of("refused") + Of("timedOut") + Of("clientGone") + Of("ended"));
            return (Of("planned"), Of("closeFirst"), Of("crash"), Of("completed"), Of("unknown"));
        }
    }

    [Fact]
    public async Task A_drain_that_began_before_anybody_followed_is_told_when_it_ends_and_nobody_looks_around_for_nothing()
    {
        _server.Endpoint.Reserve();
        _server.Runtime.Drains.Begin(_server.Chat, _server.Endpoint, DrainCause.FailedCheck);
        _server.Runtime.Drains.Begin(_server.Chat, _server.Endpoint, DrainCause.Admin);
        Assert.Equal(1, _server.Time.Timers);
        using (var events = await EventStream.OpenAsync(_server.Address))
        {
            _server.Time.Advance(TimeSpan.FromSeconds(3));
            _server.Endpoint.Release();
            _server.Time.Advance(TimeSpan.FromSeconds(0.25));
            var ended = await events.NextAsync("drain-ended");
            Assert.Equal("empty", ended.GetProperty("outcome").GetString());
            Assert.Equal(["admin", "failed_check"], ended.GetProperty("causes").EnumerateArray().Select(c => c.GetString()));
            Assert.Equal((3250, 1, 0), (ended.GetProperty("durationMs").GetInt64(), ended.GetProperty("connections").GetInt32(), ended.GetProperty("remain").GetInt32()));
        }

        await Processes.UntilAsync(() => _server.Events.Readers == 0, "the reader had left");
        _server.Time.Advance(TimeSpan.FromSeconds(0.25));
        Assert.Equal(0, _server.Time.Timers);
    }
}
