using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>A loop that waits for a peer sleeps: no state of a socket keeps it awake.</summary>
public sealed class RestTests
{
    [Theory]
    [InlineData("idle")]
    [InlineData("half-closed")]
    [InlineData("half-closed behind a slow endpoint")]
    [InlineData("close not answered")]
    [InlineData("closing inside a frame")]
    [InlineData("closing before a slow client")]
    [InlineData("refused")]
    [InlineData("refusal to a slow client")]
    [InlineData("early bytes in its handshake")]
    public void A_loop_that_waits_sleeps(string state)
    {
        using var harness = new RelayHarness(clock: new ManualClock(), endpointBuffer: 4096);
        using var client = harness.Connect(4096);
        client.Send(RelayHarness.Request);
        using var endpoint = RawPeer.Accept(harness.Endpoints);
        _ = endpoint.ReceiveHead();
        if (!state.Contains("refus", StringComparison.Ordinal) && !state.Contains("handshake", StringComparison.Ordinal))
        {
            endpoint.Send(RelayHarness.Switching);
            _ = client.ReceiveHead();
        }

        Bring(state, harness, client, endpoint);
        _ = harness.OnLoop(_ => 0);

        const int Questions = 300;
        var before = harness.Loop.WakeUps;
        for (var i = 0; i < Questions; i++)
            _ = harness.OnLoop(_ => 0);
        Assert.InRange(harness.Loop.WakeUps - before, 1, 3 * Questions);
        Assert.Equal(1, harness.OnLoop(l => l.Core.Pairs.Count));
    }

    [Fact]
    public void A_garbage_collection_during_a_system_call_does_not_change_its_answer()
    {
        using var listener = RawPeer.Listen();
        using var peer = RawPeer.Connect(listener.LocalEndPoint!);
        peer.Socket.Blocking = false;
        var fd = (int)peer.Socket.Handle;
        var done = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
                GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        });
        collector.Start();
        var wrong = 0;
        Span<byte> buffer = stackalloc byte[16];
        for (var i = 0; i < 200_000; i++)
            wrong += Sys.Receive(fd, buffer) == -(int)Errno.Again ? 0 : 1;
        Volatile.Write(ref done, true);
        collector.Join();
        Assert.Equal(0, wrong);
    }

    private static void Bring(string state, RelayHarness harness, RawPeer client, RawPeer endpoint)
    {
        var endless = Frames.Header(Frames.Binary, 1L << 40, fin: true, null);
        switch (state)
        {
            case "half-closed":
                client.Finish();
                Assert.Empty(endpoint.ReceiveToEnd());
                break;
            case "half-closed behind a slow endpoint":
                Stuff(harness, client, Frames.Header(Frames.Binary, 1L << 40, fin: true, 1), Side.Upstream);
                client.Finish();
                harness.Until(l => l.Core.Pairs[0].Down.Has(LegFlags.HungUp), "the FIN is told");
                break;
            case "close not answered":
                client.Send(Frames.CloseFrame(client: true, 1000));
                client.Finish();
                Assert.Equal(1000, endpoint.ReceiveFrame().CloseCode);
                break;
            case "closing inside a frame":
                endpoint.Send(endless);
                _ = client.Receive(endless.Length);
                Close(harness);
                break;
            case "closing before a slow client":
                Stuff(harness, endpoint, endless, Side.Downstream);
                Close(harness);
                break;
            case "refused":
                endpoint.Send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
                _ = client.ReceiveToEnd();
                break;
            case "refusal to a slow client":
                Stuff(harness, endpoint, System.Text.Encoding.ASCII.GetBytes("HTTP/1.1 500 No\r\n\r\n"), Side.Downstream);
                break;
            case "early bytes in its handshake":
                client.Send("early");
                break;
        }
    }

    private static void Close(RelayHarness harness)
    {
        var id = harness.Pair().Id;
        Assert.True(harness.OnLoop(l => l.Close(id, EndReason.AdminClose, CloseCode.GoingAway, CloseCode.GoingAway)));
    }

    private static void Stuff(RelayHarness harness, RawPeer sender, byte[] header, Side slow)
    {
        sender.Send(header);
        var piece = new byte[50_000];
        while (harness.OnLoop(l => l.Core.Pairs[0].Legs[(int)slow].Spill.IsEmpty || !l.Core.Pairs[0].Legs[(int)slow ^ 1].Has(LegFlags.Paused)))
            sender.Send(piece);
    }
}
