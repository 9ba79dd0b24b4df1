using System.Text;
using System.Text.Json;
using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Clients;
using Holdfast.Cli.Rehearse.Judging;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class DialectTests
{
    [Fact]
    public void Opaque_answers_are_read_and_others_are_fatal()
    {
        var dialect = new OpaqueDialect(12);
        Assert.Equal("12 5 99", dialect.Question(5, again: false, 99));
        Assert.Equal(Heard.Answer, Take(dialect, "12 5 7000001 3 150000"));
        Assert.Equal(new Answer(5, 7_000_001, 3, 42, 150_000), dialect.Answer);
        foreach (var wrong in (string[])["13 5 7000001 3 150000", "12 5 7000001 3", "12 5 7000001 3 150000 1", "", "x"])
            Assert.Equal(Heard.Fatal, Take(dialect, wrong));
    }

    [Fact]
    public void A_json_client_subscribes_again_from_where_it_was()
    {
        var dialect = new JsonDialect(12, "c12");
        Assert.Equal(["""{"op":"subscribe","channel":"c12"}"""], dialect.Greet());
        Assert.Equal(Heard.Fatal, Take(dialect, """{"type":"tick","channel":"c12","seq":5,"at":1}"""));
        Assert.Equal((Heard.Nothing, true), (Take(dialect, """{"type":"subscribed","channel":"c12"}"""), dialect.IsReady));
        Assert.Equal((Heard.Tick, 5), (Take(dialect, """{"type":"tick","channel":"c12","seq":5,"at":1}"""), dialect.Tick));
        Assert.Equal(Heard.Answer, Take(dialect, """{"type":"ordered","conn":12,"n":4,"stream":1,"counter":2,"took":3}"""));
        Assert.Equal(new Answer(4, 1, 2, 42, 3), dialect.Answer);

        // A reply that should have been swallowed, another's feed, and no message at all.
        foreach (var wrong in (string[])["""{"type":"subscribed","channel":"c12"}""", """{"type":"tick","channel":"c13","seq":5,"at":1}""", """{"type":1}""", "[]", "{", ""])
            Assert.Equal(Heard.Fatal, Take(dialect, wrong));
        Assert.Equal(["""{"op":"subscribe","channel":"c12","since":5}"""], dialect.Greet());
        Assert.False(dialect.IsReady);
    }

    [Fact]
    public void A_graphql_client_says_what_the_protocol_wants_and_ends_for_what_its_package_does()
    {
        var dialect = new GraphqlDialect(12, "c12");
        Assert.Equal("graphql-transport-ws", dialect.SubProtocol);
        Assert.Equal(["""{"type":"connection_init"}"""], dialect.Greet());
        Assert.Equal(Heard.Fatal, Take(dialect, """{"type":"next","id":"feed","payload":{"data":{"clock":{"seq":5}}}}"""));
        Assert.Equal((Heard.Nothing, true), (Take(dialect, """{"type":"connection_ack"}"""), dialect.IsReady));
        foreach (var said in (string[])[dialect.Prepare()[0], dialect.Question(3, again: false, 0), dialect.Question(3, again: true, 0)])
        {
            using var document = JsonDocument.Parse(said);
            Assert.Equal("subscribe", document.RootElement.GetProperty("type").GetString());
            Assert.NotEmpty(document.RootElement.GetProperty("payload").GetProperty("query").GetString()!);
        }

        Assert.NotEqual(dialect.Question(3, again: false, 0), dialect.Question(3, again: true, 0));
        Assert.Equal((Heard.Tick, 5), (Take(dialect, """{"type":"next","id":"feed","payload":{"data":{"clock":{"seq":5}}}}"""), dialect.Tick));
        Assert.Equal(Heard.Answer, Take(dialect, """{"type":"next","id":"order-3","payload":{"data":{"order":{"stream":1,"counter":2,"took":3}}}}"""));
        Assert.Equal(new Answer(3, 1, 2, 42, 3), dialect.Answer);
        Assert.Equal(Heard.Nothing, Take(dialect, """{"type":"complete","id":"order-3"}"""));
        Assert.Equal(Heard.Answer, Take(dialect, """{"type":"error","id":"order-4","payload":[{"message":"gone"}]}"""));
        Assert.Equal((4, true), (dialect.Answer.Sequence, dialect.Answer.IsError));
        Assert.Equal(Heard.Ping, Take(dialect, """{"type":"ping"}"""));
        string[] fatal =
        [
            """{"type":"connection_ack"}""", """{"type":"complete","id":"feed"}""", """{"type":"error","id":"feed","payload":[]}""",
            """{"type":"next","id":"other-1","payload":{"data":{}}}""", """{"type":"next","id":"order-3","payload":{}}""", """{"type":"nonsense"}""", "{}", "x",
        ];
        foreach (var wrong in fatal)
            Assert.Equal(Heard.Fatal, Take(dialect, wrong));
        Assert.Equal(4400, dialect.FatalCode);
    }

    [Theory]
    [InlineData("c0", 0, 1_000_000)]
    [InlineData("c30", 110, 1_000_000)]
    [InlineData("p5", 85, 100_000)]
    public void A_feed_is_the_time_and_nothing_else(string channel, int offset, int interval)
    {
        var feed = FeedClock.Of(channel)!.Value;
        Assert.Equal((offset, interval), (feed.OffsetMs, feed.IntervalMs * 1000));
        var due = feed.DueOf(1_700_000_000);
        Assert.Equal(1_700_000_000, feed.SequenceAt(due));
        Assert.Equal(1_699_999_999, feed.SequenceAt(due - 1));
        Assert.Equal(1_700_000_001, feed.SequenceAt(due + interval));
    }

    [Theory]
    [InlineData("")]
    [InlineData("c")]
    [InlineData("x1")]
    [InlineData("c-1")]
    public void Other_channels_have_no_feed(string channel) => Assert.Null(FeedClock.Of(channel));

    [Fact]
    public void A_client_comes_back_when_asked_to_or_else_later_each_time()
    {
        Assert.Equal(TimeSpan.FromMilliseconds(250), ReconnectPause.Next(0, "retry-after=250"u8, 0.9));
        Assert.Equal(TimeSpan.FromSeconds(30), ReconnectPause.Next(0, "retry-after=99999999"u8, 0.9));
        Assert.Equal(TimeSpan.FromSeconds(0.5), ReconnectPause.Next(0, "Going away"u8, 0.5));
        Assert.Equal(TimeSpan.FromSeconds(4), ReconnectPause.Next(3, [], 0.5));
        Assert.Equal(TimeSpan.FromSeconds(30), ReconnectPause.Next(50, [], 1));
    }

    private static Heard Take(ClientDialect dialect, string message) => dialect.Take(Encoding.UTF8.GetBytes(message), 42);
}
