using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>DESIGN section 8 on GraphQL, with endpoints played by hand. What the machine does alone is tested with it.</summary>
public sealed class GraphQlHoldTests
{
    private const string Init = """{"type":"connection_init","payload":{"token":"t"}}""", Ack = """{"type":"connection_ack"}""";
    private const string Subscribe = """{"id":"s","type":"subscribe","payload":{"query":"subscription { tick }"}}""";
    private const string Mutation = """{"id":"m","type":"subscribe","payload":{"query":"mutation { buy }"}}""";
    private static readonly string[] Protocol = ["Sec-WebSocket-Protocol: graphql-transport-ws"];

    [Fact]
    public async Task A_planned_re_home_greets_first_moves_the_subscription_and_leaves_the_mutation_where_it_runs()
    {
        await using var peers = await StartAsync("breakFirst");
        peers.Client.Say(Mutation);
        Assert.Equal(Mutation, peers.First.NextText());
        await peers.DrainAsync();
        var second = peers.TakeOver(1, out var head, Protocol);
        Assert.Equal("1", Upgrades.Value(head, "Holdfast-Rehomed"));
        Assert.Equal(Init, second.NextText());
        // The old endpoint serves while the other is greeted.
        peers.First.Tell(Next("s", 1));
        peers.Client.Hears(Next("s", 1));
        second.Tell(Ack);
        peers.First.Pong(peers.First.NextPing());
        Assert.Equal(Complete("s"), peers.First.NextText());
        Assert.Equal(Subscribe, second.NextText());
        peers.First.Tell(Next("s", 2));
        second.Tell(Next("s", 3));
        peers.Client.Hears(Next("s", 3));
        peers.Client.Say("""{"id":"q","type":"subscribe","payload":{"query":"{ a }"}}""");
        Assert.Contains("\"q\"", second.NextText(), StringComparison.Ordinal);
        peers.First.Tell(Next("m", 7));
        peers.Client.Hears(Next("m", 7));
        peers.First.Tell(Complete("m"));
        peers.Client.Hears(Complete("m"));
        Assert.Equal(1001, peers.First.UntilClose());
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        second.Tell(Next("q", 9));
        peers.Client.Hears(Next("q", 9));
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"planned\"", "outcome=\"completed\""));
    }

    [Fact]
    public async Task Make_first_lets_both_serve_for_the_overlap()
    {
        await using var peers = await StartAsync("makeFirst, overlap: 200ms");
        await peers.DrainAsync();
        var second = peers.TakeOver(1, out _, Protocol);
        Assert.Equal(Init, second.NextText());
        second.Tell(Ack);
        peers.First.Pong(peers.First.NextPing());
        Assert.Equal(Subscribe, second.NextText());
        second.Pong(second.NextPing());
        peers.First.Tell(Next("s", 1));
        peers.Client.Hears(Next("s", 1));
        second.Tell(Next("s", 1));
        peers.Client.Hears(Next("s", 1));
        Assert.Equal(Complete("s"), peers.First.NextText());
        Assert.Equal(1001, peers.First.UntilClose());
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        second.Tell(Next("s", 2));
        peers.Client.Hears(Next("s", 2));
    }

    [Fact]
    public async Task A_crash_ends_the_mutation_with_an_error_and_makes_the_subscription_anew()
    {
        await using var peers = await StartAsync("breakFirst");
        peers.Client.Say(Mutation);
        Assert.Equal(Mutation, peers.First.NextText());
        peers.First.Reset();
        var error = peers.Client.ReceiveFrame();
        Assert.Contains("\"error\"", System.Text.Encoding.UTF8.GetString(error.Payload), StringComparison.Ordinal);
        var second = peers.TakeOver(1, out _, Protocol);
        Assert.Equal(Init, second.NextText());
        peers.Client.Say("""{"type":"ping","payload":{"n":1}}""");
        Assert.Contains("\"pong\"", System.Text.Encoding.UTF8.GetString(peers.Client.ReceiveFrame().Payload), StringComparison.Ordinal);
        peers.Client.Say("""{"id":"late","type":"subscribe","payload":{"query":"{ a }"}}""");
        second.Tell(Ack);
        Assert.Equal(Subscribe, second.NextText());
        Assert.Contains("\"late\"", second.NextText(), StringComparison.Ordinal);
        second.Tell(Next("s", 5));
        peers.Client.Hears(Next("s", 5));
    }

    [Theory]
    [InlineData(4401)]
    [InlineData(4403)]
    public async Task A_greeting_refused_for_good_is_not_tried_elsewhere(int code)
    {
        await using var peers = await StartAsync("breakFirst", others: 2);
        peers.First.Reset();
        var dialled = peers.AcceptAny(1, 2, out var other);
        _ = dialled.AnswerUpgrade(Protocol);
        Assert.Equal(Init, dialled.NextText());
        dialled.Send(Frames.CloseFrame(client: false, code));
        peers.Client.EndsWith(1012);
        Assert.False(peers.IsDialled(other));
    }

    [Fact]
    public async Task A_greeting_that_another_close_ends_or_nobody_answers_is_tried_elsewhere()
    {
        await using var peers = await StartAsync("breakFirst", others: 2, route: "timeouts: {connect: 1s, handshake: 1s}");
        peers.First.Reset();
        var dialled = peers.AcceptAny(1, 2, out var other);
        _ = dialled.AnswerUpgrade(Protocol);
        Assert.Equal(Init, dialled.NextText());
        var second = peers.TakeOver(other, out _, Protocol);     // The first one hangs for the handshake's time.
        Assert.Equal(Init, second.NextText());
        second.Tell(Ack);
        Assert.Equal(Subscribe, second.NextText());
    }

    [Fact]
    public async Task The_old_endpoint_may_crash_while_the_next_is_greeted_and_the_next_after_it_took_over()
    {
        await using var peers = await StartAsync("breakFirst", others: 2);
        await peers.DrainAsync();
        var second = peers.AcceptAny(1, 2, out var other);
        _ = second.AnswerUpgrade(Protocol);
        Assert.Equal(Init, second.NextText());
        peers.First.Reset();
        await peers.UntilAsync("held");
        second.Tell(Ack);
        Assert.Equal(Subscribe, second.NextText());
        second.Tell(Next("s", 1));
        peers.Client.Hears(Next("s", 1));
        second.Reset();
        var third = peers.TakeOver(other, out var head, Protocol);
        Assert.Equal("2", Upgrades.Value(head, "Holdfast-Rehomed"));
        Assert.Equal(Init, third.NextText());
        third.Tell(Ack);
        Assert.Equal(Subscribe, third.NextText());
    }

    [Fact]
    public async Task A_draining_endpoint_that_refuses_to_greet_is_no_end_and_another_is_waited_for()
    {
        await using var peers = await StartAsync("breakFirst", others: 0);
        await peers.DrainAsync();
        peers.First.Send(Frames.CloseFrame(client: false, 0));
        for (var i = 0; i < 4; i++)
        {
            var again = peers.TakeOver(0, out _, Protocol);
            Assert.Equal(Init, again.NextText());
            again.Send(Frames.CloseFrame(client: false, 1011));
        }

        peers.Refuse(0);
        var other = peers.Listen();
        await peers.ApplyAsync(other);
        var second = peers.TakeOver(other, out _, Protocol);
        Assert.Equal(Init, second.NextText());
        second.Tell(Ack);
        Assert.Equal(Subscribe, second.NextText());
        second.Tell(Next("s", 1));
        peers.Client.Hears(Next("s", 1));
    }

    [Fact]
    public async Task Another_sub_protocol_on_the_route_is_not_held()
    {
        await using var peers = await HeldPeers.StartAsync(
            "protocol: graphql-transport-ws", request: ["Sec-WebSocket-Protocol: graphql-ws"], answer: ["Sec-WebSocket-Protocol: graphql-ws"]);
        peers.First.Reset();
        peers.Client.EndsWith(1012);
        Assert.Equal("upstream_reset", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
    }

    private static async Task<HeldPeers> StartAsync(string mode, int others = 1, string route = "")
    {
        var peers = await HeldPeers.StartAsync($"protocol: graphql-transport-ws, fence: 60s, mode: {mode}", others, Protocol, Protocol, route: route);
        peers.Client.Say(Init);
        Assert.Equal(Init, peers.First.NextText());
        peers.First.Tell(Ack);
        peers.Client.Hears(Ack);
        peers.Client.Say(Subscribe);
        Assert.Equal(Subscribe, peers.First.NextText());
        return peers;
    }

    private static string Next(string id, int value) => $$$$"""{"id":"{{{{id}}}}","type":"next","payload":{"data":{"tick":{{{{value}}}}}}}""";

    private static string Complete(string id) => $$"""{"id":"{{id}}","type":"complete"}""";
}
