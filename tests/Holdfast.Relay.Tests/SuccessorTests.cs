using System.Globalization;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>All state of a pair is in its image: another process goes on where this one stopped, and neither peer sees a seam.</summary>
[Collection(nameof(Alone))]
public sealed class SuccessorTests
{
    private const int PingInterval = 60_000;

    [Fact]
    public void A_pair_cut_in_the_middle_of_everything_goes_on_in_another_process()
    {
        using var harness = new RelayHarness(new PairSettings { SpillCap = 200_000, PingInterval = PingInterval, PongTimeout = PingInterval });
        var ends = harness.Open(clientBuffer: 4096);
        using var client = ends.Client;
        using var endpoint = ends.Endpoint;

        // Our ping to the endpoint is pending.
        _ = harness.OnLoop(l =>
        {
            l.Core.Now += PingInterval + 1;
            l.Core.Pairs[0].Down.LastReceived = l.Core.Now;
            l.Relay.OnTimer(0);
            return 0;
        });
        var ping = endpoint.ReceiveFrame();
        Assert.Equal((Frames.Ping, 8), (ping.Opcode, ping.Payload.Length));

        // A fragmented message is under way from the client, and of its next frame only half a header has come.
        var fragment = Frames.FromClient(Frames.Text, "first "u8, fin: false);
        var rest = Frames.FromClient(Frames.Continuation, new byte[300]);
        client.Send([.. fragment, .. rest[..5]]);
        Assert.Equal(fragment, endpoint.Receive(fragment.Length));
        harness.Until(l => l.Core.Pairs[0].Down.Held.Length == 5, "half a header is held");

        // One endless frame from the endpoint, of which a slow client has taken little: the cut is inside it, with a spill.
        const long Length = 64L << 20;
        endpoint.Send(Frames.Header(Frames.Binary, Length, fin: true, null));
        long sent = 0;
        while (harness.OnLoop(l => l.Core.Pairs[0].Down.Spill.IsEmpty || !l.Core.Pairs[0].Up.Has(LegFlags.Paused)))
        {
            endpoint.Send(Pattern(sent, 50_000));
            sent += 50_000;
        }

        var (image, downstream, upstream, spill) = harness.OnLoop(l =>
        {
            var waiting = l.Core.Pairs[0].Down.Spill.Length;
            var bytes = PairImage.Detach(l.Core, l.Held, 0, out var down, out var up);
            return (bytes!, down, up, waiting);
        });
        Assert.InRange(spill, 1, 200_000);
        Assert.Equal((0, 0), harness.OnLoop(l => (l.Established, l.Core.Pairs.Count)));
        using var successor = Continue(image, downstream, upstream);

        // Downwards: the frame goes on where it was cut, then our pong is swallowed by who never sent the ping.
        var header = client.Receive(10);
        Assert.Equal(Frames.Header(Frames.Binary, Length, fin: true, null), header);
        long received = 0;
        while (received < Length)
        {
            if (sent < Length && sent - received < 400_000)
            {
                var piece = (int)Math.Min(100_000, Length - sent);
                endpoint.Send(Pattern(sent, piece));
                sent += piece;
            }

            var count = (int)Math.Min(50_000, Math.Min(sent, Length) - received);
            Assert.True(client.Receive(count).AsSpan().SequenceEqual(Pattern(received, count)), $"the stream differs after byte {received}");
            received += count;
        }

        endpoint.Send([.. Frames.FromServer(Frames.Pong, ping.Payload), .. Frames.FromServer(Frames.Text, "after the pong"u8)]);
        Assert.Equal("after the pong"u8, client.ReceiveFrame().Payload);

        // Upwards: the held half of the header comes out in front of its other half.
        client.Send(rest.AsSpan(5));
        Assert.Equal(rest, endpoint.Receive(rest.Length));

        client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, endpoint.ReceiveFrame().CloseCode);
        endpoint.Send(Frames.CloseFrame(client: false, 1000));
        Assert.Equal(1000, client.ReceiveFrame().CloseCode);
        Assert.Empty(client.ReceiveToEnd());
        Assert.Empty(endpoint.ReceiveToEnd());
        client.Dispose();
        endpoint.Dispose();
        // Messages are counted over both lives.
        Assert.Equal("DownstreamClose 1000 1 2", successor.ReadLine());
        Assert.Equal(0, successor.WaitForExit());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(11)]
    public void A_pair_may_be_cut_at_any_byte_of_a_frame(int cut)
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        var up = Frames.FromClient(Frames.Binary, new byte[500]);
        var down = Frames.FromServer(Frames.Binary, new byte[500]);
        ends.Client.Send(up.AsSpan(0, cut));
        ends.Endpoint.Send(down.AsSpan(0, cut));
        harness.Until(l => l.Core.Pairs[0].Down.BytesReceived == cut && l.Core.Pairs[0].Up.BytesReceived == cut, "both starts are read");
        var (image, downstream, upstream) = harness.OnLoop(l => (PairImage.Detach(l.Core, l.Held, 0, out var d, out var u)!, d, u));
        using var successor = Continue(image, downstream, upstream);
        ends.Client.Send(up.AsSpan(cut));
        ends.Endpoint.Send(down.AsSpan(cut));
        Assert.Equal(up, ends.Endpoint.Receive(up.Length));
        Assert.Equal(down, ends.Client.Receive(down.Length));
        ends.Endpoint.Dispose();
        Assert.Equal(1012, ends.Client.ReceiveFrame().CloseCode);
        ends.Client.Dispose();
        Assert.Equal("UpstreamEof 1012 1 1", successor.ReadLine());
    }

    [Fact]
    public void An_image_of_another_build_is_refused_and_the_sockets_stay_the_callers()
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        Assert.True(harness.OnLoop(l =>
        {
            var image = PairImage.Detach(l.Core, l.Held, 0, out var down, out var up)!;
            image[0] ^= 1;
            var refused = !PairImage.Attach(l.Core, l.Relay, l.Held, _ => null, image, down, up) && l.Core.Pairs.Count == 0;
            image[0] ^= 1;
            return refused && PairImage.Attach(l.Core, l.Relay, l.Held, _ => null, image, down, up);
        }));
        var frame = Frames.FromClient(Frames.Text, "still here"u8);
        ends.Client.Send(frame);
        Assert.Equal(frame, ends.Endpoint.Receive(frame.Length));
        Assert.Equal(1, harness.Loop.Established);
    }

    /// <summary>Starts the second process with the two sockets inherited, and lets go of them here.</summary>
    private static HostProcess Continue(byte[] image, int downstream, int upstream)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, image);
            Sys.SetCloseOnExec(downstream, false);
            Sys.SetCloseOnExec(upstream, false);
            var successor = new HostProcess(
                0, "successor", downstream.ToString(CultureInfo.InvariantCulture), upstream.ToString(CultureInfo.InvariantCulture), file);
            Sys.Close(downstream);
            Sys.Close(upstream);
            Assert.Equal("ready", successor.ReadLine());
            return successor;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static byte[] Pattern(long from, int count)
    {
        var bytes = new byte[count];
        for (var i = 0; i < count; i++)
            bytes[i] = (byte)((from + i) * 131 >> 5);
        return bytes;
    }
}
