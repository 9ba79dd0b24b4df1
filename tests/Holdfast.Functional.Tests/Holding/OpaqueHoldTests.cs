using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>DESIGN section 8 on connections of which nothing is known, byte by byte.</summary>
public sealed class OpaqueHoldTests
{
    private const string Quick = "protocol: opaque, quiet: 50ms, fence: 60s";

    [Fact]
    public async Task A_drained_endpoints_client_is_fenced_heard_out_and_moved_with_what_it_said_meanwhile()
    {
        await using var peers = await HeldPeers.StartAsync(Quick, request: ["Cookie: a=b", "Sec-WebSocket-Extensions: permessage-deflate"]);
        Assert.Null(Upgrades.Value(peers.FirstHead, "Sec-WebSocket-Extensions"));
        peers.Client.Say("one");
        peers.First.Hears("one");
        await peers.DrainAsync();
        var fence = peers.First.NextPing();
        peers.Client.Say("two");
        peers.Client.Say("three");
        peers.First.Tell("answer to one");
        peers.Client.Hears("answer to one");
        peers.First.Pong(fence);
        Assert.Equal(1001, peers.First.ReceiveFrame().CloseCode);
        peers.First.Tell("last words");
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        peers.Client.Hears("last words");

        var second = peers.TakeOver(1, out var head);
        Assert.Equal("1", Upgrades.Value(head, "Holdfast-Rehomed"));
        Assert.Equal("a=b", Upgrades.Value(head, "Cookie"));
        Assert.StartsWith("GET /ws?secret=1 HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Equal(Upgrades.Value(peers.FirstHead, "Holdfast-Connection-Id"), Upgrades.Value(head, "Holdfast-Connection-Id"));
        Assert.NotEqual(Upgrades.Value(peers.FirstHead, "Sec-WebSocket-Key"), Upgrades.Value(head, "Sec-WebSocket-Key"));
        Assert.Equal("two", second.NextText());
        Assert.Equal("three", second.NextText());
        second.Tell("welcome back");
        peers.Client.Hears("welcome back");
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"planned\"", "outcome=\"completed\""));
        Assert.Equal(0, await peers.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));

        peers.Client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, second.UntilClose());
        second.Send(Frames.CloseFrame(client: false, 1000));
        peers.Client.EndsWith(1000);
        var line = await peers.Gateway.Log.OfAsync(peers.Client);
        Assert.Equal(1, line.GetProperty("rehomes").GetInt32());
        peers.First.Dispose();
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task A_lost_endpoints_client_is_moved_and_what_is_not_fenced_is_unknown_and_never_sent_again()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque, fence: 50ms");
        peers.Client.Say("fenced");
        peers.First.Hears("fenced");
        peers.First.Pong(peers.First.NextPing());
        peers.Client.Say("unknown 1");
        peers.Client.Say("unknown 2");
        peers.First.Hears("unknown 1");
        peers.First.Reset();
        var second = peers.TakeOver();
        peers.Client.Say("after");
        Assert.Equal("after", second.NextText());
        Assert.Equal(2, await peers.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"crash\"", "outcome=\"completed\""));
    }

    [Theory]
    [InlineData(1001, false, true)]
    [InlineData(1012, false, true)]
    [InlineData(1013, false, true)]
    [InlineData(1014, false, true)]
    [InlineData(1000, false, false)]
    [InlineData(1008, false, false)]
    [InlineData(1002, false, false)]
    [InlineData(1009, false, false)]
    [InlineData(4000, false, false)]
    [InlineData(1011, false, false)]
    [InlineData(0, false, false)]
    [InlineData(1000, true, false)]
    [InlineData(3999, true, false)]
    [InlineData(1011, true, true)]
    [InlineData(0, true, true)]
    public async Task An_endpoints_close_is_the_end_or_the_news_that_it_leaves(int code, bool draining, bool moves)
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque, quiet: 60s, quietMax: 5m");
        if (draining)
        {
            await peers.DrainAsync();
            await peers.UntilAsync("held");
            peers.Client.Say("held");
        }

        peers.First.Send(Frames.CloseFrame(client: false, code));
        if (moves)
        {
            Assert.Equal(code, peers.First.UntilClose());
            var second = peers.TakeOver();
            peers.Client.Say("after");
            if (draining)
                Assert.Equal("held", second.NextText());
            Assert.Equal("after", second.NextText());
            Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"close_first\"", "outcome=\"completed\""));
        }
        else
        {
            peers.Client.EndsWith(code);
        }
    }

    [Fact]
    public async Task A_client_that_is_held_gets_its_pings_answered_once_each_and_so_those_that_the_lost_endpoint_did_not_answer()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque, fence: 60s", others: 0);
        peers.Client.Send(Frames.FromClient(Frames.Ping, "relayed"u8));
        Assert.Equal("relayed"u8.ToArray(), peers.First.NextPing().Payload);
        peers.Refuse(0);
        peers.First.Reset();
        Assert.Equal("relayed"u8.ToArray(), peers.Client.ReceiveFrame().Payload);
        peers.Client.Send(Frames.FromClient(Frames.Ping, "held"u8));
        var pong = peers.Client.ReceiveFrame();
        Assert.Equal((Frames.Pong, "held"), (pong.Opcode, Encoding.ASCII.GetString(pong.Payload)));
        peers.Client.Send(Frames.CloseFrame(client: true, 1001));
        var close = peers.Client.ReceiveFrame();
        Assert.Equal((Frames.Close, 1001), (close.Opcode, close.CloseCode));
        Assert.Empty(peers.Client.ReceiveToEnd());
        peers.Client.Finish();
        Assert.Equal("downstream_close", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "outcome=\"client_gone\""));
        await peers.Gateway.SettledAsync();
    }

    [Fact]
    public async Task Patience_ends_with_1012_and_a_hint()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque, patience: 1s", others: 0);
        peers.Refuse(0);
        peers.First.Reset();
        Assert.StartsWith("retry-after=", Encoding.ASCII.GetString(peers.Client.EndsWith(1012).Payload[2..]), StringComparison.Ordinal);
        Assert.Equal("hold_expired", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "outcome=\"timed_out\""));
    }

    [Fact]
    public async Task The_same_endpoint_takes_a_client_back_when_it_has_started_again()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 0);
        peers.First.Reset();
        var again = peers.TakeOver(0);
        peers.Client.Say("hello again");
        Assert.Equal("hello again", again.NextText());
    }

    [Theory]
    [InlineData("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")]
    public async Task What_every_endpoint_would_refuse_is_asked_of_one_only(string answer)
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 2);
        peers.First.Reset();
        // Both others listen; whoever is dialled refuses, and the client is told.
        var dialled = peers.AcceptAny(1, 2);
        _ = dialled.ReceiveHead();
        dialled.Send(answer);
        peers.Client.EndsWith(1012);
        Assert.Equal("rehome_refused", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
        Assert.False(peers.IsDialled(1) || peers.IsDialled(2));
    }

    [Theory]
    [InlineData("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("garbage\r\n\r\n")]
    [InlineData("")]
    public async Task A_refusal_is_taken_elsewhere(string answer)
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 2);
        peers.First.Reset();
        var dialled = peers.AcceptAny(1, 2, out var other);
        _ = dialled.ReceiveHead();
        dialled.Send(answer);
        dialled.Dispose();
        var second = peers.TakeOver(other);
        peers.Client.Say("served");
        Assert.Equal("served", second.NextText());
    }

    [Fact]
    public async Task What_a_draining_endpoint_answers_is_no_refusal_for_those_to_come()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 0);
        await peers.DrainAsync();
        peers.First.Send(Frames.CloseFrame(client: false, 0));
        for (var i = 0; i < 4; i++)
        {
            using var again = peers.Accept(0);
            _ = again.ReceiveHead();
            again.Send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
        }

        peers.Refuse(0);
        var other = peers.Listen();
        await peers.ApplyAsync(other);
        var second = peers.TakeOver(other);
        peers.Client.Say("served");
        Assert.Equal("served", second.NextText());
    }

    [Fact]
    public async Task An_endpoint_that_chooses_another_sub_protocol_or_an_extension_has_refused()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 2, request: ["Sec-WebSocket-Protocol: a, b"], answer: ["Sec-WebSocket-Protocol: a"]);
        peers.First.Reset();
        var dialled = peers.AcceptAny(1, 2, out var other);
        _ = dialled.AnswerUpgrade("Sec-WebSocket-Protocol: b");
        dialled = peers.Accept(other);
        _ = dialled.AnswerUpgrade("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Extensions: permessage-deflate");
        peers.Client.EndsWith(1012);
        Assert.Equal("rehome_refused", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Endpoints_that_take_over_and_leave_at_once_are_not_asked_for_ever()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 1);
        peers.First.Send(Frames.CloseFrame(client: false, 1012));
        for (var i = 0; i < 3; i++)
        {
            var dialled = peers.AcceptAny(0, 1);
            _ = dialled.AnswerUpgrade();
            dialled.Send(Frames.CloseFrame(client: false, 1012));
        }

        peers.Client.EndsWith(1012);
        Assert.Equal("rehome_refused", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_message_to_the_client_that_a_crash_cut_between_frames_ends_it_with_1012()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque");
        peers.First.Send(Frames.FromServer(Frames.Text, "half "u8, fin: false));
        Assert.Equal("half "u8.ToArray(), peers.Client.ReceiveFrame().Payload);
        peers.First.Reset();
        peers.Client.EndsWith(1012);
        Assert.Equal("torn_message", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_frame_up_to_64_KiB_that_a_crash_cut_never_reaches_the_client_who_stays()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque");
        var frame = Frames.FromServer(Frames.Binary, new byte[65536]);
        peers.First.Send(frame.AsSpan(0, frame.Length - 1));
        await peers.ReadAsync(frame.Length - 1);
        peers.First.Reset();
        var second = peers.TakeOver();
        second.Tell("whole");
        peers.Client.Hears("whole");
    }

    [Fact]
    public async Task A_longer_frame_that_a_crash_cut_is_reset()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque");
        var frame = Frames.FromServer(Frames.Binary, new byte[300_000]);
        peers.First.Send(frame.AsSpan(0, 200_000));
        _ = peers.Client.Receive(150_000);
        peers.First.Reset();
        _ = peers.Client.ReceiveToReset();
        Assert.Equal("torn_message", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task The_rest_of_a_clients_message_whose_start_a_lost_endpoint_got_goes_nowhere_and_counts_as_unknown()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque");
        peers.Client.Send(Frames.FromClient(Frames.Text, "start "u8, fin: false));
        Assert.Equal("start "u8.ToArray(), peers.First.ReceiveFrame().Payload);
        peers.First.Reset();
        var second = peers.TakeOver();
        peers.Client.Send(Frames.FromClient(Frames.Continuation, "middle "u8, fin: false));
        peers.Client.Send(Frames.FromClient(Frames.Continuation, "end"u8));
        peers.Client.Say("next");
        Assert.Equal("next", second.NextText());
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));
    }

    [Fact]
    public async Task A_client_is_held_only_at_the_end_of_its_message()
    {
        await using var peers = await HeldPeers.StartAsync(Quick, manualTime: true);
        peers.Client.Send(Frames.FromClient(Frames.Text, "start "u8, fin: false));
        Assert.Equal("start "u8.ToArray(), peers.First.ReceiveFrame().Payload);
        await peers.DrainAsync();
        await peers.Gateway.AdvanceAsync(TimeSpan.FromMilliseconds(100));
        peers.Client.Send(Frames.FromClient(Frames.Continuation, "end"u8));
        peers.Client.Say("next");
        Assert.Equal("end"u8.ToArray(), peers.First.ReceiveFrame().Payload);
        peers.First.Pong(peers.First.NextPing());
        await peers.UntilAsync("held");
        await peers.Gateway.AdvanceAsync(TimeSpan.FromMilliseconds(100));
        await peers.Gateway.AdvanceAsync(TimeSpan.FromMilliseconds(100));
        Assert.Equal(1001, peers.First.ReceiveFrame().CloseCode);
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        Assert.Equal("next", peers.TakeOver().NextText());
    }

    [Fact]
    public async Task An_endpoint_that_never_pongs_and_never_answers_the_close_is_left_in_the_end()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque, quiet: 50ms, quietMax: 200ms, fence: 60s");
        peers.Client.Say("one");
        peers.First.Hears("one");
        await peers.DrainAsync();
        _ = peers.First.NextPing();
        Assert.Equal(1001, peers.First.ReceiveFrame().CloseCode);
        peers.First.Tell("still here");
        peers.Client.Hears("still here");
        var second = peers.TakeOver();
        peers.Client.Say("two");
        Assert.Equal("two", second.NextText());
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehomes_total", "cause=\"planned\"", "outcome=\"cut_short\""));
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));
    }

    [Fact]
    public async Task A_full_buffer_stops_the_client_and_loses_nothing()
    {
        const int Messages = 400;
        await using var peers = await HeldPeers.StartAsync("protocol: opaque, quiet: 50ms, buffer: 4KiB", others: 0);
        peers.Refuse(0);
        peers.First.Reset();
        await peers.UntilAsync("held");         // What goes to an endpoint that has crashed unnoticed is lost, as with any proxy.
        var sending = Task.Run(() =>
        {
            for (var i = 0; i < Messages; i++)
                peers.Client.Say(new string((char)('a' + (i % 26)), 2000) + i);
        });
        await Processes.UntilAsync(() => peers.Gateway.Host.Runtime.HoldMemory.Used > 0, "something is held");
        var late = peers.Listen();
        await peers.Gateway.ApplyAsync(peers.With(late));
        var second = peers.TakeOver(late);
        for (var i = 0; i < Messages; i++)
            Assert.Equal(new string((char)('a' + (i % 26)), 2000) + i, second.NextText());
        await sending;
        Assert.Equal(0, peers.Gateway.Host.Runtime.HoldMemory.Used);
    }

    [Fact]
    public async Task A_drain_waits_until_another_endpoint_is_ready_and_is_forgotten_when_it_is_cancelled()
    {
        await using var peers = await HeldPeers.StartAsync(Quick, others: 0);
        await peers.DrainAsync();
        peers.Client.Say("one");
        peers.First.Hears("one");
        await peers.CancelDrainAsync();
        var other = peers.Listen();
        await peers.Gateway.ApplyAsync(peers.With(0, other));
        peers.Client.Say("two");
        peers.First.Hears("two");
        Assert.False(peers.IsDialled(other));
        await peers.DrainAsync();
        Assert.Equal(1001, peers.First.UntilClose());
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        _ = peers.TakeOver(other);
    }

    [Fact]
    public async Task Two_rolls_in_a_row_move_the_client_twice()
    {
        await using var peers = await HeldPeers.StartAsync(Quick, others: 2);
        await peers.DrainAsync(0);
        Assert.Equal(1001, peers.First.UntilClose());
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        var second = peers.AcceptAny(1, 2, out var third);
        var head = second.AnswerUpgrade();
        Assert.Equal("1", Upgrades.Value(head, "Holdfast-Rehomed"));
        second.Tell("here");
        peers.Client.Hears("here");
        await peers.DrainAsync(3 - third);
        Assert.Equal(1001, second.UntilClose());
        second.Send(Frames.CloseFrame(client: false, 1001));
        var last = peers.TakeOver(third, out head);
        Assert.Equal("2", Upgrades.Value(head, "Holdfast-Rehomed"));
        peers.Client.Say("still one connection");
        Assert.Equal("still one connection", last.NextText());
    }

    [Fact]
    public async Task A_shutdown_in_the_middle_tells_the_client_and_leaves_nothing()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", others: 0);
        peers.Refuse(0);
        peers.First.Reset();
        await peers.UntilAsync("held");
        var stopped = peers.Gateway.Host.StopAsync(atOnce: false);
        peers.Client.EndsWith(1012);
        await stopped;
        Assert.Equal("shutdown", (await peers.Gateway.Log.OfAsync(peers.Client)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_dead_endpoint_is_replaced()
    {
        await using var peers = await HeldPeers.StartAsync("protocol: opaque", keepAlive: "pingInterval: 100ms, pongTimeout: 300ms");
        var answering = Task.Run(() => peers.Client.AnswerPings());
        var second = peers.TakeOver();
        second.Tell("alive");
        Assert.Equal("alive", await answering);
    }
}
