using System.Net.Sockets;
using System.Text;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Holdfast.RelayHost;
using Holdfast.Testing;
using Holdfast.Wire.Sessions;

namespace Holdfast.Relay.Tests;

/// <summary>A held pair goes on with all it knows of its client on another loop, and is saved at no other time than between re-homes.</summary>
public sealed class HeldSuccessorTests : IDisposable
{
    private static readonly string Init = """{"type":"connection_init","payload":{"token":"t"}}""";
    private static readonly string Subscribe = """{"id":"s1","type":"subscribe","payload":{"query":"subscription { prices }"}}""";
    private readonly TestRehomePolicy _rehomes = new();
    private readonly Socket _other = RawPeer.Listen();
    private readonly HoldSettings _graphQl = new() { NewSession = () => new GraphQlSession(makeFirst: false, 256 * 1024) };

    public void Dispose() => _other.Dispose();

    [Fact]
    public void A_session_goes_on_elsewhere_and_is_made_anew_there_when_its_endpoint_crashes()
    {
        using var harness = new RelayHarness(hold: _graphQl, rehomes: _rehomes);
        using var ends = harness.Open();
        OpenSession(ends);
        // Half of the next message has come, and a ping of the client's is unanswered.
        var ping = Frames.FromClient(Frames.Ping, "are you there?"u8);
        var half = Frames.FromClient(Frames.Text, """{"type":"ping"}"""u8);
        ends.Client.Send([.. ping, .. half[..9]]);
        Assert.Equal("are you there?"u8, ends.Endpoint.ReceiveFrame().Payload);
        harness.Until(l => l.Core.Pairs[0].Down.Held.Length == 9, "half a message is kept");
        var (image, downstream, upstream) = Detach(harness);
        Assert.NotNull(image);
        Assert.Equal((0, 0), harness.OnLoop(l => (l.Established, l.Core.Pairs.Count)));

        var policy = new PassThroughPolicy();
        using var loop = new EventLoop.EventLoop(1, policy, new LoopClock(), capacity: 64, _rehomes);
        loop.Start();
        Assert.True(On(loop, l => PairImage.Attach(l.Core, l.Relay, l.Held, _ => _graphQl, image, downstream, upstream)));
        ends.Client.Send(half.AsSpan(9));
        Assert.Equal("""{"type":"ping"}"""u8, ends.Endpoint.ReceiveFrame().Payload);
        Say(ends.Endpoint, """{"id":"s1","type":"next","payload":{"data":{"prices":1}}}""");
        Assert.Equal("""{"id":"s1","type":"next","payload":{"data":{"prices":1}}}"""u8, ends.Client.ReceiveFrame().Payload);

        _rehomes.Add(1, _other);
        ends.Endpoint.Reset();
        using var next = RawPeer.Accept(_other);
        Assert.Equal(RelayHarness.Request[..^2] + "Holdfast-Rehomed: 1\r\n\r\n", next.ReceiveHead());
        next.Send(RelayHarness.Switching);
        Assert.Equal(Init, Hear(next));
        Say(next, """{"type":"connection_ack"}""");
        Assert.Equal(Subscribe, Hear(next));
        Say(next, """{"id":"s1","type":"next","payload":{"data":{"prices":2}}}""");
        // The pings that the lost endpoint never answered, RFC 6455's and the protocol's, are answered here; the second greeting is not the client's.
        var heard = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var frame = ends.Client.ReceiveFrame();
            heard.Add(FormattableString.Invariant($"{frame.Opcode} {Encoding.UTF8.GetString(frame.Payload)}"));
        }

        Assert.Equal(["10 are you there?", """1 {"type":"pong"}"""], heard[..2].OrderDescending(StringComparer.Ordinal));
        Assert.Equal("""1 {"id":"s1","type":"next","payload":{"data":{"prices":2}}}""", heard[2]);

        ends.Client.Send(Frames.CloseFrame(client: true, 1000));
        ends.Client.Dispose();
        next.Dispose();
        Assert.True(policy.Ends.TryTake(out var end, RawPeer.Patience), "the pair does not end");
        Assert.Equal((EndReason.DownstreamClose, 1), (end.Reason, end.Rehomes));
    }

    [Fact]
    public void A_pair_is_not_saved_while_it_is_re_homed()
    {
        using var harness = new RelayHarness(clock: new ManualClock(), hold: new HoldSettings(), rehomes: _rehomes);
        _rehomes.Add(1, _other);
        using var ends = harness.Open();
        _ = harness.OnLoop(l =>
        {
            l.Drain(0, new DrainPlan(l.Core.Now, 0, Wire.WebSocket.CloseCode.ServiceRestart));
            return 0;
        });
        harness.Advance(100);
        // No message was sent, so none is asked about, and the endpoint has its quiet.
        Assert.Null(Detach(harness).Image);
        harness.Advance(1000);
        Assert.Equal(1001, ends.Endpoint.ReceiveFrame().CloseCode);
        Assert.Null(Detach(harness).Image);
        ends.Endpoint.Send(Frames.CloseFrame(client: false, 1001));
        using var next = RawPeer.Accept(_other);
        _ = next.ReceiveHead();
        Assert.Null(Detach(harness).Image);
        next.Send(RelayHarness.Switching);
        var first = Frames.FromServer(Frames.Text, "here"u8);
        next.Send(first);
        Assert.Equal(first, ends.Client.Receive(first.Length));
        var (image, downstream, upstream) = Detach(harness);
        Assert.NotNull(image);
        Assert.True(harness.OnLoop(l => PairImage.Attach(l.Core, l.Relay, l.Held, _ => new HoldSettings(), image, downstream, upstream)));
        var echo = Frames.FromClient(Frames.Text, "and here"u8);
        ends.Client.Send(echo);
        Assert.Equal(echo, next.Receive(echo.Length));
    }

    [Fact]
    public void A_session_of_another_protocol_than_the_backends_is_refused_and_the_sockets_stay_the_callers()
    {
        using var harness = new RelayHarness(hold: _graphQl, rehomes: _rehomes);
        using var ends = harness.Open();
        OpenSession(ends);
        var (image, downstream, upstream) = Detach(harness);
        Assert.NotNull(image);
        foreach (var other in new[] { null, new HoldSettings(), new HoldSettings { NewSession = () => new GraphQlSession(makeFirst: true, maxState: 0) } })
        {
            Assert.False(harness.OnLoop(l => PairImage.Attach(l.Core, l.Relay, l.Held, _ => other, image, downstream, upstream)));
            Assert.Equal((0, 0), harness.OnLoop(l => (l.Established, l.Core.Pairs.Count)));
        }

        Assert.True(harness.OnLoop(l => PairImage.Attach(l.Core, l.Relay, l.Held, _ => _graphQl, image, downstream, upstream)));
        Say(ends.Endpoint, """{"id":"s1","type":"complete"}""");
        Assert.Equal("""{"id":"s1","type":"complete"}""", Hear(ends.Client));
    }

    private static void OpenSession(Ends ends)
    {
        ends.Client.Send(Frames.FromClient(Frames.Text, Encoding.UTF8.GetBytes(Init)));
        Assert.Equal(Init, Hear(ends.Endpoint));
        Say(ends.Endpoint, """{"type":"connection_ack"}""");
        Assert.Equal("""{"type":"connection_ack"}""", Hear(ends.Client));
        ends.Client.Send(Frames.FromClient(Frames.Text, Encoding.UTF8.GetBytes(Subscribe)));
        Assert.Equal(Subscribe, Hear(ends.Endpoint));
    }

    private static (byte[]? Image, int Downstream, int Upstream) Detach(RelayHarness harness) => harness.OnLoop(l =>
    {
        var image = PairImage.Detach(l.Core, l.Held, 0, out var downstream, out var upstream);
        return (image, downstream, upstream);
    });

    private static T On<T>(EventLoop.EventLoop loop, Func<EventLoop.EventLoop, T> read)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Post(l => done.SetResult(read(l)));
#pragma warning disable VSTHRD002 // The loop is another thread and never waits for this one.
        Assert.True(done.Task.Wait(RawPeer.Patience), "the loop does not run");
        return done.Task.Result;
#pragma warning restore VSTHRD002
    }

    private static void Say(RawPeer endpoint, string message) => endpoint.Send(Frames.FromServer(Frames.Text, Encoding.UTF8.GetBytes(message)));

    /// <summary>The next message; the gateway's pings, which ask what was read, are passed over.</summary>
    private static string Hear(RawPeer peer)
    {
        ReceivedFrame frame;
        do
            frame = peer.ReceiveFrame();
        while (frame.Opcode == Frames.Ping);
        Assert.Equal(Frames.Text, frame.Opcode);
        return Encoding.UTF8.GetString(frame.Payload);
    }
}
