using System.Text;
using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

public sealed class GraphQlSessionTests
{
    private const string Init = """{"type":"connection_init","payload":{"token":"secret"}}""";
    private const string Ack = """{"type":"connection_ack"}""";
    private const string Lost = "The endpoint was lost while this operation ran; it may or may not have been executed.";

    private static string Subscription(string id) => $$"""{"id":"{{id}}","type":"subscribe","payload":{"query":"subscription { a }"} }""";

    private static string Query(string id) => $$"""{"id":"{{id}}","type":"subscribe","payload":{"query":"{ a }"} }""";

    private static string Complete(string id) => $$"""{"id":"{{id}}","type":"complete"}""";

    private static string Next(string id) => $$"""{"id":"{{id}}","type":"next","payload":{"data":{"a":1} } }""";

    private static string Error(string id) => $$"""{"id":"{{id}}","type":"error","payload":[{"message":"no"}]}""";

    private static string LostError(string id) => $$"""Client: {"id":"{{id}}","type":"error","payload":[{"message":"{{Lost}}"}]}""";

    private static SessionDriver NewSession(bool makeFirst = false, int maxState = 64 * 1024) => new(new GraphQlSession(makeFirst, maxState));

    private static SessionDriver NewAcknowledged(bool makeFirst = false, int maxState = 64 * 1024)
    {
        var session = NewSession(makeFirst, maxState);
        Assert.Equal(ClientVerdict.Pass, session.Client(Init));
        Assert.Equal(ServerVerdict.Pass, session.Server(Ack));
        return session;
    }

    private static string[] GreetAndMove(SessionDriver session, bool hasPrevious)
    {
        Assert.Equal(["Next: " + Init], session.Greet());
        Assert.False(session.Session.IsGreeted);
        Assert.Equal(ServerVerdict.Swallow, session.Server(Ack, SessionLeg.Next));
        Assert.True(session.Session.IsGreeted);
        return session.Move(hasPrevious);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_next_endpoint_is_dialled_first_in_both_modes(bool makeFirst) => Assert.True(NewSession(makeFirst).Session.DialsFirst);

    [Fact]
    public void A_client_that_has_sent_no_connection_init_gets_no_replay()
    {
        var session = NewSession();
        Assert.Empty(session.Greet());
        Assert.True(session.Session.IsGreeted);
        Assert.Empty(session.Move(hasPrevious: true));
        Assert.Equal(ClientVerdict.Pass, session.Client(Init));
        Assert.Equal(ServerVerdict.Pass, session.Server(Ack));
    }

    [Fact]
    public void Break_first_completes_what_moves_before_it_subscribes_again_and_then_hears_the_old_endpoint_no_more()
    {
        var session = NewAcknowledged();
        session.Client(Subscription("1"));
        session.Client(Subscription("2"));
        Assert.Equal(
            ["Previous: " + Complete("1"), "Previous: " + Complete("2"), "Current: " + Subscription("1"), "Current: " + Subscription("2")],
            GreetAndMove(session, hasPrevious: true));
        Assert.Equal(ServerVerdict.Swallow, session.Server(Next("1"), SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Swallow, session.Server(Complete("1"), SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Pass, session.Server(Next("1")));
        Assert.Empty(session.EndOverlap());
        Assert.Empty(session.LosePrevious());
    }

    [Fact]
    public void Make_first_hears_both_until_the_overlap_ends()
    {
        var session = NewAcknowledged(makeFirst: true);
        session.Client(Subscription("1"));
        session.Client(Subscription("2"));
        Assert.Equal(["Current: " + Subscription("1"), "Current: " + Subscription("2")], GreetAndMove(session, hasPrevious: true));
        Assert.Equal(ServerVerdict.Pass, session.Server(Next("1"), SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Pass, session.Server(Next("1")));
        Assert.Equal(ServerVerdict.Swallow, session.Server(Complete("2"), SessionLeg.Previous));
        Assert.Equal(["Previous: " + Complete("1")], session.EndOverlap());
        Assert.Equal(ServerVerdict.Swallow, session.Server(Next("1"), SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Pass, session.Server(Next("2")));
    }

    [Fact]
    public void In_the_overlap_the_end_of_a_subscription_ends_it_on_both()
    {
        var session = NewAcknowledged(makeFirst: true);
        session.Client(Subscription("1"));
        session.Client(Subscription("2"));
        GreetAndMove(session, hasPrevious: true);
        Assert.Equal(ClientVerdict.Pass, session.Client(Complete("1")));
        Assert.Equal(["Previous: " + Complete("1")], session.Sent);
        Assert.Equal(ServerVerdict.Pass, session.Server(Complete("2")));
        Assert.Equal(["Previous: " + Complete("2")], session.Sent);
        Assert.Equal(ServerVerdict.Swallow, session.Server(Next("2"), SessionLeg.Previous));
        Assert.Empty(session.EndOverlap());
    }

    [Fact]
    public void Requests_stay_where_they_run_until_their_end()
    {
        var session = NewAcknowledged();
        session.Client(Query("q"));
        session.Client(Query("r"));
        session.Client(Query("s"));
        Assert.Equal(3, session.Session.PendingOn(SessionLeg.Current));
        Assert.Empty(GreetAndMove(session, hasPrevious: true));
        Assert.Equal(0, session.Session.PendingOn(SessionLeg.Current));
        Assert.Equal(3, session.Session.PendingOn(SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Pass, session.Server(Next("q"), SessionLeg.Previous));
        Assert.Equal(ServerVerdict.Pass, session.Server(Complete("q"), SessionLeg.Previous));
        Assert.Equal(ClientVerdict.PassToPrevious, session.Client(Complete("r")));
        Assert.Equal(1, session.Session.PendingOn(SessionLeg.Previous));
        Assert.Equal([LostError("s")], session.LosePrevious());
        Assert.Equal(0, session.Session.PendingOn(SessionLeg.Previous));
        Assert.Equal(ClientVerdict.Pass, session.Client(Complete("s")));
    }

    [Fact]
    public void A_lost_endpoint_ends_its_requests_and_nothing_is_asked_twice()
    {
        var session = NewAcknowledged();
        session.Client(Query("q"));
        session.Client(Subscription("s"));
        session.Client("""{"id":"m","type":"subscribe","payload":{"query":"mutation M { a }","operationName":"M"}}""");
        session.Client("""{"id":"p","type":"subscribe","payload":{"extensions":{"persistedQuery":{"sha256Hash":"00"}}}}""");
        Assert.Equal([LostError("q"), LostError("m"), LostError("p")], session.Lose());
        Assert.Empty(session.Lose());
        Assert.Equal(["Current: " + Subscription("s")], GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void What_waits_is_sent_by_the_flush_only()
    {
        var session = NewAcknowledged();
        session.Lose();
        Assert.Equal(ClientVerdict.Pass, session.Client(Subscription("s"), isHeld: true));
        Assert.Equal(ClientVerdict.Pass, session.Client(Query("q"), isHeld: true));
        Assert.Empty(GreetAndMove(session, hasPrevious: false));
        Assert.Equal(0, session.Session.PendingOn(SessionLeg.Current));
        session.Session.OnFlushed();
        Assert.Equal(1, session.Session.PendingOn(SessionLeg.Current));
        Assert.Equal([LostError("q")], session.Lose());
        Assert.Equal(["Current: " + Subscription("s")], GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void A_request_that_waits_is_not_lost_with_an_endpoint_that_never_had_it()
    {
        var session = NewAcknowledged();
        session.Client(Query("q"), isHeld: true);
        Assert.Empty(session.Lose());
        GreetAndMove(session, hasPrevious: false);
        session.Session.OnFlushed();
        Assert.Equal(ServerVerdict.Pass, session.Server(Complete("q")));
    }

    [Fact]
    public void What_the_client_completes_while_it_is_held_is_not_made_anew()
    {
        var session = NewAcknowledged();
        session.Client(Subscription("live"));
        session.Lose();
        session.Client(Subscription("waits"), isHeld: true);
        Assert.Equal(ClientVerdict.Swallow, session.Client(Complete("live"), isHeld: true));
        Assert.Equal(ClientVerdict.Pass, session.Client(Complete("waits"), isHeld: true));
        Assert.Empty(GreetAndMove(session, hasPrevious: false));
        session.Session.OnFlushed();
        session.Lose();
        Assert.Empty(GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void An_id_that_waits_again_hears_nothing_of_its_first_use()
    {
        var session = NewAcknowledged();
        session.Client(Subscription("s"));
        session.Client(Complete("s"), isHeld: true);
        session.Client(Query("s"), isHeld: true);
        Assert.Equal(ServerVerdict.Swallow, session.Server(Next("s")));
        Assert.Equal(ServerVerdict.Swallow, session.Server(Complete("s")));
        Assert.Empty(GreetAndMove(session, hasPrevious: true));
        session.Session.OnFlushed();
        Assert.Equal(ServerVerdict.Swallow, session.Server(Next("s"), SessionLeg.Previous));
        Assert.Equal(1, session.Session.PendingOn(SessionLeg.Current));
        Assert.Equal(ServerVerdict.Pass, session.Server(Complete("s")));
        Assert.True(session.Session.CanMove);
    }

    [Fact]
    public void An_operation_that_has_ended_is_forgotten_and_its_id_free()
    {
        var session = NewAcknowledged();
        session.Client(Subscription("s"));
        session.Client(Subscription("t"));
        Assert.Equal(ServerVerdict.Pass, session.Server(Complete("s")));
        Assert.Equal(ServerVerdict.Pass, session.Server(Error("t")));
        session.Client(Query("s"));
        session.Lose();
        Assert.True(session.Session.CanMove);
        Assert.Empty(GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void The_same_id_twice_while_live_cannot_be_followed()
    {
        var session = NewAcknowledged();
        session.Client(Query("s"));
        Assert.Equal(ClientVerdict.Pass, session.Client(Query("s")));
        Assert.False(session.Session.CanMove);
    }

    [Fact]
    public void Ids_are_told_apart_as_JavaScript_does()
    {
        var session = NewAcknowledged();
        session.Client("""{"id":"\u0061\ud83d\ude00\ud800\"","type":"subscri\u0062e","payload":{"query":"{ a }"}}""");
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"type":"complete","id":"a😀\udc00\""}"""));
        Assert.Equal(1, session.Session.PendingOn(SessionLeg.Current));
        Assert.Equal(["""Client: {"id":"a😀\ud800\"","type":"error","payload":[{"message":"The endpoint was lost while this operation ran; it may or may not have been executed."}]}"""], session.Lose());
    }

    [Fact]
    public void Of_a_member_that_comes_twice_the_last_counts()
    {
        var session = NewAcknowledged();
        session.Client("""{"id":"x","type":"ping","payload":{"query":"{ a }"},"payload":{"query":"{ a }","query":"subscription { a }"},"type":"subscribe","id":"s"}""");
        Assert.Equal(0, session.Session.PendingOn(SessionLeg.Current));
        session.Server(Complete("x"));
        session.Lose();
        Assert.Single(GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void While_it_is_held_the_client_is_answered_its_pings_here()
    {
        var session = NewAcknowledged();
        Assert.Equal(ClientVerdict.Swallow, session.Client("""{"type":"ping","payload":{"a": 1}}""", isHeld: true));
        Assert.Equal(["""Client: {"type":"pong","payload":{"a": 1}}"""], session.Sent);
        Assert.Equal(ClientVerdict.Swallow, session.Client("""{"type":"ping","payload":null}""", isHeld: true));
        Assert.Equal(["""Client: {"type":"pong"}"""], session.Sent);
        Assert.Equal(ClientVerdict.Swallow, session.Client("""{"type":"pong"}""", isHeld: true));
        Assert.Empty(session.Sent);
        Assert.Equal(ClientVerdict.Pass, session.Client("""{"type":"ping","payload":5}""", isHeld: true));
        Assert.Empty(session.Sent);
    }

    [Fact]
    public void A_ping_that_was_passed_up_is_answered_once_by_whoever_is_left()
    {
        var session = NewAcknowledged();
        foreach (var payload in (string[])["1", "2", "3"])
            Assert.Equal(ClientVerdict.Pass, session.Client($$$"""{"type":"ping","payload":{"n":{{{payload}}}}}"""));
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"type":"pong","payload":{"n":1}}"""));
        GreetAndMove(session, hasPrevious: true);
        Assert.Equal(ServerVerdict.Pass, session.Server("""{"type":"pong","payload":{"n":2}}""", SessionLeg.Previous));
        session.Client("""{"type":"ping"}""");
        Assert.Equal(["""Client: {"type":"pong"}"""], session.Lose());
        Assert.Equal(["""Client: {"type":"pong","payload":{"n":3}}"""], session.LosePrevious());
        Assert.Empty(session.LosePrevious());
        Assert.Equal(ServerVerdict.Swallow, session.Server("""{"type":"pong"}""", SessionLeg.Previous));
    }

    [Fact]
    public void Pings_beyond_what_is_remembered_are_answered_at_once()
    {
        var session = NewAcknowledged();
        var answered = 0;
        for (var i = 0; i < 1000; i++)
        {
            if (session.Client("""{"type":"ping"}""") == ClientVerdict.Swallow)
                answered += session.Sent.Length;
        }

        Assert.InRange(answered, 1, 999);
        Assert.Equal(1000 - answered, session.Lose().Length);
    }

    [Fact]
    public void A_servers_pings_are_the_clients_only_from_the_endpoint_it_has()
    {
        var session = NewAcknowledged();
        var ping = """{"type":"ping","payload":{"a":1}}""";
        Assert.Equal(ServerVerdict.Pass, session.Server(ping));
        Assert.Equal(ClientVerdict.Pass, session.Client("""{"type":"pong"}"""));
        session.Greet();
        Assert.Equal(ServerVerdict.Swallow, session.Server(ping, SessionLeg.Next));
        Assert.Equal(["""Next: {"type":"pong","payload":{"a":1}}"""], session.Sent);
        session.Server(Ack, SessionLeg.Next);
        session.Move(hasPrevious: true);
        Assert.Equal(ServerVerdict.Swallow, session.Server(ping, SessionLeg.Previous));
        Assert.Equal(["""Previous: {"type":"pong","payload":{"a":1}}"""], session.Sent);
    }

    [Fact]
    public void An_acknowledgement_that_the_client_never_had_comes_from_the_next_endpoint()
    {
        var session = NewSession();
        session.Client(Init);
        session.Lose();
        session.Greet();
        Assert.Equal(ServerVerdict.Swallow, session.Server(Next("x"), SessionLeg.Next));
        Assert.Equal(ServerVerdict.Pass, session.Server(Ack, SessionLeg.Next));
        session.Session.OnNextGone();
        Assert.Empty(GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void While_the_current_endpoint_has_not_acknowledged_the_client_is_not_told_that_the_next_has()
    {
        var session = NewSession();
        session.Client(Init);
        session.Greet();
        Assert.Equal(ServerVerdict.Swallow, session.Server(Ack, SessionLeg.Next));
        Assert.Equal(["Client: " + Ack], session.Move(hasPrevious: true));
        Assert.Equal(ServerVerdict.Swallow, session.Server(Ack, SessionLeg.Previous));
    }

    [Fact]
    public void A_connection_init_in_the_middle_of_a_greeting_reaches_both_endpoints()
    {
        var session = NewSession();
        session.Greet();
        Assert.Equal(ClientVerdict.Pass, session.Client(Init));
        Assert.Equal(["Next: " + Init], session.Sent);
        Assert.False(session.Session.IsGreeted);
        Assert.Equal(ServerVerdict.Pass, session.Server(Ack));
        Assert.Equal(ServerVerdict.Swallow, session.Server(Ack, SessionLeg.Next));
        Assert.True(session.Session.IsGreeted);
    }

    [Fact]
    public void A_connection_init_that_waits_is_sent_by_the_flush()
    {
        var session = NewSession();
        session.Lose();
        Assert.Equal(ClientVerdict.Pass, session.Client(Init, isHeld: true));
        Assert.Empty(session.Greet());
        Assert.True(session.Session.IsGreeted);
        Assert.Empty(session.Move(hasPrevious: false));
        session.Session.OnFlushed();
        Assert.Equal(ServerVerdict.Pass, session.Server(Ack));
        Assert.Empty(GreetAndMove(session, hasPrevious: true));
    }

    [Theory]
    [InlineData(4401, true)]
    [InlineData(4403, true)]
    [InlineData(4400, false)]
    [InlineData(4429, false)]
    [InlineData(1011, false)]
    public void Refused_credentials_are_refused_everywhere(ushort code, bool isFinal) => Assert.Equal(isFinal, NewSession().Session.IsFinalRefusal(code));

    [Fact]
    public void Beyond_the_state_that_is_kept_the_connection_cannot_move_until_there_is_less()
    {
        var session = NewAcknowledged(maxState: 150);
        session.Client(Subscription("1"));
        Assert.True(session.Session.CanMove);
        session.Client(Subscription("2"));
        session.Client(Subscription("3"));
        Assert.False(session.Session.CanMove);
        session.Client(Complete("3"));
        Assert.False(session.Session.CanMove);
        session.Server(Complete("2"));
        Assert.True(session.Session.CanMove);
        Assert.Equal(["Previous: " + Complete("1"), "Current: " + Subscription("1")], GreetAndMove(session, hasPrevious: true));
    }

    [Fact]
    public void More_operations_than_are_told_apart_cannot_move()
    {
        var session = NewAcknowledged(maxState: int.MaxValue);
        for (var i = 0; i < GraphQlSession.MaxOperations; i++)
            session.Client(i % 2 == 0 ? Query($"{i}") : Subscription($"{i}"));
        Assert.True(session.Session.CanMove);
        for (var i = 0; i < GraphQlSession.MaxOperations; i += 2)
            Assert.Equal(ServerVerdict.Pass, session.Server(Complete($"{i}")));
        Assert.Equal(0, session.Session.PendingOn(SessionLeg.Current));
        session.Lose();
        Assert.Equal(Enumerable.Range(0, 2048).Select(static i => "Current: " + Subscription($"{2 * i + 1}")), GreetAndMove(session, hasPrevious: false));
        for (var i = 0; i <= GraphQlSession.MaxOperations / 2; i++)
            session.Client(Query($"more {i}"));
        Assert.False(session.Session.CanMove);
    }

    [Fact]
    public void A_subscribe_that_is_read_in_part_is_a_request()
    {
        var session = NewAcknowledged();
        session.Client("""{"id":"s","type":"subscribe","payload":{"query":"subscription { a }","variables":{"text":"a very""", isWhole: false);
        Assert.Equal(1, session.Session.PendingOn(SessionLeg.Current));
        Assert.True(session.Session.CanMove);
        Assert.Equal([LostError("s")], session.Lose());
    }

    [Theory]
    [InlineData("""{"payload":{"query":"subscription { a }","variables":{"text":"a very""")]
    [InlineData("""{"type":"connection_init","payload":{"token":"a very""")]
    [InlineData("""{"type":"subscribe","payload":{"token":"a very""")]
    public void What_is_read_in_part_and_not_understood_cannot_be_followed(string message)
    {
        var session = NewSession();
        Assert.Equal(ClientVerdict.Pass, session.Client(message, isWhole: false));
        Assert.False(session.Session.CanMove);
    }

    [Theory]
    [InlineData(ServerVerdict.Pass, SessionLeg.Current)]
    [InlineData(ServerVerdict.Pass, SessionLeg.Previous)]
    public void A_long_result_passes_and_its_operation_ends_as_others_do(ServerVerdict verdict, SessionLeg leg)
    {
        var session = NewAcknowledged();
        session.Client(Query("q"));
        if (leg == SessionLeg.Previous)
            GreetAndMove(session, hasPrevious: true);
        Assert.Equal(verdict, session.Server("""{"id":"q","type":"next","payload":{"data":"long""", leg, isWhole: false));
        Assert.Equal(1, session.Session.PendingOn(leg));
        Assert.Equal(ServerVerdict.Pass, session.Server(Complete("q"), leg));
        Assert.Equal(0, session.Session.PendingOn(leg));
        Assert.True(session.Session.CanMove);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("""{"type":5}""")]
    [InlineData("""{"type":"ping"} x""")]
    [InlineData("""{"type":"ping",}""")]
    [InlineData("""{"type":"complete","id":""}""")]
    [InlineData("""{"type":"subscribe","id":7,"payload":{"query":"{ a }"}}""")]
    [InlineData("""{"type":"who","id":"1"}""")]
    public void What_is_no_message_of_the_protocol_is_left_to_the_server(string message)
    {
        var session = NewAcknowledged();
        Assert.Equal(ClientVerdict.Pass, session.Client(message));
        Assert.Equal(ClientVerdict.Pass, session.Client(message, isHeld: true));
        Assert.Equal(ServerVerdict.Pass, session.Server(message));
        Assert.Empty(session.Sent);
        Assert.True(session.Session.CanMove);
        Assert.Equal(0, session.Session.PendingOn(SessionLeg.Current));
    }

    [Fact]
    public void A_hundred_thousand_open_brackets_pass()
    {
        var session = NewAcknowledged();
        var deep = $$"""{"id":"d","type":"subscribe","payload":{"variables":{{new string('[', 30_000)}}{{new string(']', 30_000)}},"query":"subscription { a }"} }""";
        Assert.Equal(ClientVerdict.Pass, session.Client(deep));
        session.Lose();
        Assert.Equal(["Current: " + deep], GreetAndMove(session, hasPrevious: false));
    }

    [Fact]
    public void Two_moves_in_a_row_leave_nothing_on_the_first_endpoint()
    {
        var session = NewAcknowledged(makeFirst: true);
        session.Client(Subscription("s"));
        session.Client(Query("q"));
        GreetAndMove(session, hasPrevious: true);
        Assert.Equal([LostError("q"), "Current: " + Subscription("s")], GreetAndMove(session, hasPrevious: true));
        Assert.Equal(["Previous: " + Complete("s")], session.EndOverlap());
    }

    [Fact]
    public void What_is_saved_is_restored_and_nothing_else_is()
    {
        var session = NewAcknowledged();
        session.Client(Subscription("s"));
        session.Client(Query("q"));
        session.Client("""{"type":"ping","payload":{"a":1}}""");
        session.Client(Subscription("w"), isHeld: true);
        var saved = session.Save();
        SessionDriver.AssertStrict(saved, static () => new GraphQlSession(makeFirst: false, 64 * 1024));
        var restored = NewSession();
        Assert.True(restored.Session.Restore(saved));
        Assert.Equal(1, restored.Session.PendingOn(SessionLeg.Current));
        Assert.Equal([LostError("q"), """Client: {"type":"pong","payload":{"a":1}}"""], restored.Lose());
        Assert.Equal(["Current: " + Subscription("s")], GreetAndMove(restored, hasPrevious: false));
        Assert.False(new GraphQlSession(makeFirst: false, 100).Restore(saved));
    }

    [Fact]
    public void The_steady_path_allocates_nothing()
    {
        var session = new GraphQlSession(makeFirst: false, 64 * 1024);
        var output = new SessionOutput();
        byte[][] fromClient = [.. new[] { Query("a1b2c3"), """{"type":"ping"}""", """{"type":"pong"}""" }.Select(Encoding.UTF8.GetBytes)];
        byte[][] fromServer = [.. new[] { Next("a1b2c3"), Complete("a1b2c3"), Next("s"), """{"type":"pong"}""", """{"type":"ping"}""" }.Select(Encoding.UTF8.GetBytes)];
        session.OnClientMessage(new SessionMessage(Encoding.UTF8.GetBytes(Init), isText: true, isWhole: true), isHeld: false, output);
        session.OnClientMessage(new SessionMessage(Encoding.UTF8.GetBytes(Subscription("s")), isText: true, isWhole: true), isHeld: false, output);
        Allocations.AssertNone(() =>
        {
            foreach (var message in fromClient)
                session.OnClientMessage(new SessionMessage(message, isText: true, isWhole: true), isHeld: false, output);
            foreach (var message in fromServer)
                session.OnServerMessage(new SessionMessage(message, isText: true, isWhole: true), SessionLeg.Current, output);
        });
    }

    [Fact]
    public void A_connection_that_has_only_begun_costs_little_beyond_its_message()
    {
        const int count = 1000;
        var init = Encoding.UTF8.GetBytes(Init);
        var output = new SessionOutput();
        var sessions = new GraphQlSession[count];
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < count; i++)
        {
            sessions[i] = new GraphQlSession(makeFirst: false, 64 * 1024);
            sessions[i].OnClientMessage(new SessionMessage(init, isText: true, isWhole: true), isHeld: false, output);
        }

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / count - init.Length, 1, 150);
    }
}
