using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

public sealed class JsonSessionTests
{
    private static readonly JsonRules Feed = new(
        [new JsonRule([new("op", "sub")], ["ch"], "since"), new JsonRule([new("op", "login")], [])],
        [new JsonRule([new("op", "unsub")], ["ch"]), new JsonRule([new("op", "logout")], [])],
        [new JsonRule([new("ev", "ok")], ["ch"]), new JsonRule([new("ev", "welcome")], [])],
        "seq",
        ["ch"]);

    private static readonly JsonRules Plain = new(
        [new JsonRule([new("data.op", "sub"), new("v", "1"), new("live", "true")], ["data.kind", "data.names"])],
        [new JsonRule([new("data.op", "unsub")], ["data.kind", "data.names"]), new JsonRule([new("data.op", "stop")], [])],
        [new JsonRule([new("type", "ack")], [])]);

    private static SessionDriver NewSession(JsonRules rules, bool makeFirst = false, int maxState = 64 * 1024) => new(new JsonSession(rules, makeFirst, maxState));

    private static string[] LoseAndMove(SessionDriver session)
    {
        Assert.Empty(session.Lose());
        Assert.Empty(session.Greet());
        Assert.True(session.Session.IsGreeted);
        var sent = session.Move(hasPrevious: false);
        session.Session.OnFlushed();
        return sent;
    }

    private static string Sub(string names) => $$"""{"v":1,"live":true,"data":{"op":"sub","kind":"k","names":{{names}} } }""";

    [Fact]
    public void Each_mode_dials_in_its_order_and_no_one_can_tell_what_is_pending()
    {
        Assert.True(NewSession(Feed, makeFirst: true).Session.DialsFirst);
        Assert.False(NewSession(Feed).Session.DialsFirst);
        Assert.Null(NewSession(Feed).Session.PendingOn(SessionLeg.Current));
        Assert.False(NewSession(Feed).Session.IsFinalRefusal(4401));
    }

    [Fact]
    public void The_last_message_of_each_key_is_sent_again_in_the_order_of_the_first()
    {
        var session = NewSession(Feed);
        session.Client("""{"op":"login","token":1}""");
        session.Client("""{"op":"sub","ch":"a"}""");
        session.Client("""{"op":"sub","ch":"b","depth":5}""");
        session.Client("""{"op":"other","ch":"c"}""");
        session.Client("""{"op":"login","token":2}""");
        session.Client("""{"op":"unsub","ch":"a"}""");
        Assert.Equal(["""Current: {"op":"login","token":2}""", """Current: {"op":"sub","ch":"b","depth":5}"""], LoseAndMove(session));
        session.Client("""{"op":"logout"}""");
        Assert.Equal(["""Current: {"op":"sub","ch":"b","depth":5}"""], LoseAndMove(session));
    }

    [Fact]
    public void Of_a_list_what_is_live_is_sent_again()
    {
        var session = NewSession(Plain);
        session.Client(Sub("""["x", "y", 3, {"z": 1}]"""));
        Assert.Equal(["Current: " + Sub("""["x", "y", 3, {"z": 1}]""")], LoseAndMove(session));
        session.Client("""{"data":{"op":"unsub","kind":"k","names":["y",3]}}""");
        session.Client("""{"data":{"op":"unsub","kind":"other","names":"x"}}""");
        Assert.Equal(["""Current: {"v":1,"live":true,"data":{"op":"sub","kind":"k","names":["x",{"z": 1}]}}"""], LoseAndMove(session));
        session.Client(Sub("\"x\""));
        Assert.Equal(["""Current: {"v":1,"live":true,"data":{"op":"sub","kind":"k","names":[{"z": 1}]}}""", "Current: " + Sub("\"x\"")], LoseAndMove(session));
        session.Client("""{"data":{"op":"stop"}}""");
        Assert.Empty(LoseAndMove(session));
    }

    [Theory]
    [InlineData("""{"v":2,"live":true,"data":{"op":"sub","kind":"k","names":"x"}}""")]
    [InlineData("""{"v":1,"live":false,"data":{"op":"sub","kind":"k","names":"x"}}""")]
    [InlineData("""{"v":1,"live":true,"data":{"op":"sub","kind":"k"}}""")]
    [InlineData("""{"v":1,"live":true,"data":{"op":"sub","kind":"k","names":"x"},"data":5}""")]
    [InlineData("""{"v":1,"live":true,"data":[{"op":"sub","kind":"k","names":"x"}]}""")]
    [InlineData("""{"v":1,"live":true,"data":{"op":"sub","kind":"k","names":[]}}""")]
    [InlineData("""{"v":1,"live":true,"data.op":"sub"}""")]
    [InlineData("""[{"v":1}]""")]
    [InlineData("hello")]
    [InlineData("")]
    public void What_does_not_match_makes_no_state(string message)
    {
        var session = NewSession(Plain);
        Assert.Equal(ClientVerdict.Pass, session.Client(message));
        Assert.True(session.Session.CanMove);
        Assert.Empty(LoseAndMove(session));
    }

    [Fact]
    public void Names_are_compared_without_their_escapes()
    {
        var session = NewSession(Feed);
        session.Client("""{"\u006fp":"su\u0062","ch":"\u0061\ud83d\ude00"}""");
        session.Client("""{"op":"unsub","ch":"a😀"}""");
        Assert.Empty(LoseAndMove(session));
    }

    [Fact]
    public void The_feed_is_asked_to_go_on_where_the_client_has_seen_it()
    {
        var session = NewSession(Feed);
        session.Client("""{"op":"sub","ch":["a","b"],"since":1}""");
        session.Client("""{ "op": "sub", "ch": "c" }""");
        Assert.Equal(ServerVerdict.PassPush, session.Server("""{"ch":"a","seq":7}"""));
        Assert.Equal(ServerVerdict.PassPush, session.Server("""{"ch":"c","seq":-5}"""));
        Assert.Equal(
            ["""Current: {"op":"sub","ch":["a"],"since":7}""", """Current: {"op":"sub","ch":["b"]}""", """Current: {"op":"sub","ch":"c","since":-5}"""],
            LoseAndMove(session));
    }

    [Fact]
    public void One_number_for_all_can_stand_deep_in_a_message()
    {
        var rules = new JsonRules([new JsonRule([new("op", "sub")], ["p.names"], "p.from.seq")], [], [], "seq");
        var session = NewSession(rules);
        session.Client("""{"op":"sub","p":{"names":["a","b"],"from":{"x":1,"seq":2,"y":3}}}""");
        session.Client("""{"op":"sub","p":{"names":["c"]}}""");
        session.Client("""{"op":"sub","p":{"names":["d"],"from":{}}}""");
        session.Server("""{"seq":9}""");
        Assert.Equal(
            [
                """Current: {"op":"sub","p":{"names":["a","b"],"from":{"x":1,"seq":9,"y":3}}}""",
                """Current: {"op":"sub","p":{"names":["c"],"from":{"seq":9}}}""",
                """Current: {"op":"sub","p":{"names":["d"],"from":{"seq":9}}}""",
            ],
            LoseAndMove(session));
    }

    [Fact]
    public void Before_any_move_no_number_is_judged()
    {
        var session = NewSession(Feed);
        foreach (var number in (int[])[5, 5, 3, 4])
            Assert.Equal(ServerVerdict.PassPush, session.Server($$"""{"ch":"a","seq":{{number}}}"""));
        LoseAndMove(session);
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ch":"a","seq":4}"""));
        Assert.Equal(ServerVerdict.PassPush, session.Server("""{"ch":"b","seq":1}"""));
        Assert.Equal(ServerVerdict.PassPush, session.Server("""{"ch":"a","seq":6}"""));
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ch":"a","seq":5}"""));
        foreach (var unnumbered in (string[])["""{"ch":"a","seq":"7"}""", """{"ch":"a","seq":1.5}""", """{"seq":1}""", """{"ch":["a"],"seq":1}""", """{"ch":"a"}""", "x"])
            Assert.Equal(ServerVerdict.Pass, session.Server(unnumbered));
    }

    [Fact]
    public void In_an_overlap_the_current_endpoint_waits_for_the_previous_to_end()
    {
        var session = NewSession(Feed, makeFirst: true);
        session.Client("""{"op":"sub","ch":"a"}""");
        session.Server("""{"ch":"a","seq":1}""");
        session.Greet();
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ev":"hello"}""", SessionLeg.Next));
        Assert.Equal(["""Current: {"op":"sub","ch":"a","since":1}"""], session.Move(hasPrevious: true));
        session.Session.OnFlushed();
        Assert.Equal(ServerVerdict.Wait, session.Server("""{"ch":"a","seq":2}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"hello"}"""));
        Assert.Equal(ServerVerdict.PassPush, session.Server("""{"ch":"a","seq":2}""", SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Wait, session.Server("""{"ch":"a","seq":3}"""));
        Assert.Empty(session.EndOverlap());
        Assert.Empty(session.LosePrevious());
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ch":"a","seq":2}"""));
        Assert.Equal(ServerVerdict.PassPush, session.Server("""{"ch":"a","seq":3}"""));
    }

    [Fact]
    public void An_answer_to_what_was_sent_again_is_swallowed_once_if_the_client_has_had_it()
    {
        var session = NewSession(Feed);
        session.Client("""{"op":"login"}""");
        session.Client("""{"op":"sub","ch":["a","b"]}""");
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"welcome"}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"ok","ch":"a"}"""));
        LoseAndMove(session);
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ev":"welcome"}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"welcome"}"""));
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ev":"ok","ch":"a"}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"ok","ch":"b"}"""));
        LoseAndMove(session);
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ev":"ok","ch":["a","b"]}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"ok","ch":["a","b"]}"""));
    }

    [Fact]
    public void An_answer_still_to_come_is_swallowed_when_its_state_has_been_unset_meanwhile()
    {
        var session = NewSession(Feed);
        session.Client("""{"op":"sub","ch":"a"}""");
        session.Server("""{"ev":"ok","ch":"a"}""");
        LoseAndMove(session);
        session.Client("""{"op":"unsub","ch":"a"}""");
        session.Client("""{"op":"sub","ch":"a"}""");
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"ev":"ok","ch":"a"}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"ev":"ok","ch":"a"}"""));
    }

    [Fact]
    public void A_reply_without_a_key_answers_any_message_where_every_state_has_one()
    {
        var session = NewSession(Plain);
        session.Client(Sub("\"x\""));
        session.Client(Sub("\"y\""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"type":"ack"}"""));
        LoseAndMove(session);
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"type":"ack"}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"type":"ack"}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"type":"ack"}"""));
    }

    [Fact]
    public void What_is_set_and_unset_while_held_counts_when_it_has_been_sent()
    {
        var session = NewSession(Feed);
        session.Client("""{"op":"sub","ch":"a"}""");
        session.Lose();
        Assert.Equal(ClientVerdict.Pass, session.Client("""{"op":"unsub","ch":"a"}""", isHeld: true));
        Assert.Equal(ClientVerdict.Pass, session.Client("""{"op":"sub","ch":"b"}""", isHeld: true));
        session.Greet();
        Assert.Equal(["""Current: {"op":"sub","ch":"a"}"""], session.Move(hasPrevious: false));
        session.Session.OnFlushed();
        Assert.Equal(["""Current: {"op":"sub","ch":"b"}"""], LoseAndMove(session));
    }

    [Theory]
    [InlineData("""{"op":"sub","ch":"very""", false)]
    [InlineData("""{"text":"very""", false)]
    [InlineData("""{"op":"chat","text":"very""", true)]
    public void A_message_read_in_part_that_may_make_state_cannot_be_followed(string message, bool canMove)
    {
        var session = NewSession(Feed);
        Assert.Equal(ClientVerdict.Pass, session.Client(message, isWhole: false));
        Assert.Equal(canMove, session.Session.CanMove);
    }

    [Fact]
    public void More_state_than_is_kept_cannot_be_moved()
    {
        var many = NewSession(Feed, maxState: int.MaxValue);
        for (var i = 0; i < JsonSession.MaxStates; i++)
            many.Client($$"""{"op":"sub","ch":{{i}}}""");
        Assert.True(many.Session.CanMove);
        many.Client("""{"op":"sub","ch":"one more"}""");
        Assert.False(many.Session.CanMove);

        var great = NewSession(Feed, maxState: 200);
        great.Client("""{"op":"sub","ch":"a"}""");
        Assert.True(great.Session.CanMove);
        great.Client($$"""{"op":"sub","ch":"b","text":"{{new string('x', 100)}}"}""");
        Assert.False(great.Session.CanMove);

        var lists = NewSession(Plain);
        lists.Client("""{"v":1,"live":true,"data":{"op":"sub","kind":["k"],"names":["x"]}}""");
        Assert.False(lists.Session.CanMove);

        var feeds = NewSession(Feed, maxState: int.MaxValue);
        for (var i = 0; i <= JsonSession.MaxFeeds; i++)
        {
            Assert.True(feeds.Session.CanMove);
            feeds.Server($$"""{"ch":{{i}},"seq":1}""");
        }

        Assert.False(feeds.Session.CanMove);
    }

    [Fact]
    public void What_is_saved_is_restored_and_nothing_else_is()
    {
        var session = NewSession(Feed);
        session.Client("""{"op":"sub","ch":["a","b"]}""");
        session.Client("""{"op":"login"}""");
        session.Server("""{"ev":"ok","ch":"a"}""");
        session.Server("""{"ch":"a","seq":3}""");
        LoseAndMove(session);
        session.Client("""{"op":"unsub","ch":"a"}""");
        session.Client("""{"op":"sub","ch":"c"}""", isHeld: true);
        var saved = session.Save();
        SessionDriver.AssertStrict(saved, static () => new JsonSession(Feed, makeFirst: false, 64 * 1024));
        var restored = NewSession(Feed);
        Assert.True(restored.Session.Restore(saved));
        restored.Session.OnFlushed();
        Assert.Equal(ServerVerdict.Swallow, restored.Server("""{"ev":"ok","ch":"a"}"""));
        Assert.Equal(ServerVerdict.Swallow, restored.Server("""{"ch":"a","seq":3}"""));
        Assert.Equal(["""Current: {"op":"sub","ch":["b"]}""", """Current: {"op":"login"}""", """Current: {"op":"sub","ch":"c"}"""], LoseAndMove(restored));
        Assert.False(new JsonSession(Feed, makeFirst: false, 100).Restore(saved));
        Assert.False(new JsonSession(Plain, makeFirst: false, 64 * 1024).Restore(saved));
    }

    [Fact]
    public void Rules_that_cannot_be_made_ready_are_refused()
    {
        Assert.Throws<ArgumentException>(static () => new JsonRules([], [], []));
        Assert.Throws<ArgumentException>(static () => new JsonRules([new JsonRule([new("a..b", "x")], [])], [], []));
        Assert.Throws<ArgumentException>(static () => new JsonRules([new JsonRule(Enumerable.Range(0, 65).Select(static i => KeyValuePair.Create($"p{i}", "")), [])], [], []));
    }

    [Fact]
    public void Numbers_pass_without_allocation()
    {
        var session = new JsonSession(Feed, makeFirst: false, 64 * 1024);
        var output = new SessionOutput();
        var price = "{\"ch\":\"a\",\"seq\":5,\"price\":{\"bid\":[1,2,3]}}"u8.ToArray();
        var ok = "{\"ev\":\"ok\",\"ch\":\"a\"}"u8.ToArray();
        var chat = "{\"op\":\"chat\",\"text\":\"hello\"}"u8.ToArray();
        session.OnClientMessage(new SessionMessage("{\"op\":\"sub\",\"ch\":\"a\"}"u8, isText: true, isWhole: true), isHeld: false, output);
        Allocations.AssertNone(() =>
        {
            session.OnClientMessage(new SessionMessage(chat, isText: true, isWhole: true), isHeld: false, output);
            session.OnServerMessage(new SessionMessage(price, isText: true, isWhole: true), SessionLeg.Current, output);
            session.OnServerMessage(new SessionMessage(ok, isText: true, isWhole: true), SessionLeg.Current, output);
        });
    }
}
