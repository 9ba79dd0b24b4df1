using System.Net;
using System.Security.Cryptography;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Bytes move as they are, both ways, however they are cut.</summary>
public sealed class EchoTests
{
    [Fact]
    public void Frames_pass_unchanged_both_ways_and_are_counted()
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        var up = Frames.FromClient(Frames.Text, "hello"u8);
        var down = Frames.FromServer(Frames.Binary, new byte[300]);

        ends.Client.Send(up);
        Assert.Equal(up, ends.Endpoint.Receive(up.Length));
        ends.Endpoint.Send(down);
        Assert.Equal(down, ends.Client.Receive(down.Length));

        var pair = harness.Pair();
        Assert.Equal((up.Length, down.Length), ((int)pair.Down.BytesReceived, (int)pair.Up.BytesReceived));
        Assert.Equal((1, 1), ((int)pair.Down.MessagesReceived, (int)pair.Up.MessagesReceived));
        var traffic = harness.Loop.Traffic[0];
        Assert.Equal(
            (1, 1, up.Length, down.Length),
            ((int)traffic.MessagesToEndpoint, (int)traffic.MessagesToClient, (int)traffic.BytesToEndpoint, (int)traffic.BytesToClient));
        Assert.Equal(1, harness.Loop.Established);
    }

    [Fact]
    public void Nothing_is_lost_from_the_counters_when_the_same_read_ends_the_pair()
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        byte[] last = [.. Frames.FromClient(Frames.Text, "one"u8), .. Frames.FromClient(Frames.Text, "two"u8), .. Frames.CloseFrame(client: true, 1000)];
        ends.Client.Send(last);
        Assert.Equal(last, ends.Endpoint.Receive(last.Length));
        ends.Endpoint.Send(Frames.CloseFrame(client: false, 1000));
        ends.Dispose();

        var end = harness.WaitForEnd();
        Assert.Equal((2, last.Length, 0), ((int)end.MessagesFromClient, (int)end.BytesFromClient, (int)end.MessagesFromEndpoint));
        Assert.Equal(2, harness.Loop.Traffic[0].MessagesToEndpoint);
        Assert.Equal(0, harness.Loop.Established);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_stream_of_mixed_frames_may_be_cut_at_every_byte(bool fromClient)
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        var (sender, receiver) = fromClient ? (ends.Client, ends.Endpoint) : (ends.Endpoint, ends.Client);
        var stream = MixedFrames(fromClient);
        for (var cut = 1; cut < stream.Length; cut++)
        {
            sender.Send(stream.AsSpan(0, cut));
            _ = harness.OnLoop(_ => 0);
            sender.Send(stream.AsSpan(cut));
            Assert.Equal(stream, receiver.Receive(stream.Length));
        }

        var leg = fromClient ? harness.Pair().Down : harness.Pair().Up;
        Assert.Equal((stream.Length - 1) * 4, leg.MessagesReceived);
        Assert.Equal((stream.Length - 1L) * stream.Length, leg.BytesReceived);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_byte_may_come_alone(bool fromClient)
    {
        using var harness = new RelayHarness();
        using var ends = harness.Open();
        var (sender, receiver) = fromClient ? (ends.Client, ends.Endpoint) : (ends.Endpoint, ends.Client);
        byte[] stream =
        [
            .. MixedFrames(fromClient),
            .. Frames.Header(Frames.Binary, 70_000, fin: true, fromClient ? 1u : null),
        ];
        for (var i = 0; i < stream.Length; i++)
        {
            sender.Send(stream.AsSpan(i, 1));
            _ = harness.OnLoop(_ => 0);
        }

        sender.Send(new byte[70_000]);
        Assert.Equal(stream, receiver.Receive(stream.Length));
        Assert.Equal(new byte[70_000], receiver.Receive(70_000));
        Assert.Equal(0, harness.Pair().Legs[fromClient ? 0 : 1].Held.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_64_MiB_message_streams_through_a_bounded_spill(bool fromClient)
    {
        const int Length = 64 << 20, Cap = 256 << 10;
        using var harness = new RelayHarness(new PairSettings { SpillCap = Cap });
        using var ends = harness.Open();
        var (sender, receiver) = fromClient ? (ends.Client, ends.Endpoint) : (ends.Endpoint, ends.Client);
        var header = Frames.Header(Frames.Binary, Length, fin: true, fromClient ? 7u : null);
        var piece = RandomNumberGenerator.GetBytes(1 << 20);
        var sending = Task.Run(() =>
        {
            sender.Send(header);
            for (var i = 0; i < Length / piece.Length; i++)
                sender.Send(piece);
        });
        var most = 0;
        Assert.Equal(header, receiver.Receive(header.Length));
        var got = new byte[piece.Length];
        for (var i = 0; i < Length / piece.Length; i++)
        {
            receiver.ReceiveInto(got);
            Assert.True(got.AsSpan().SequenceEqual(piece));
            var pair = harness.Pair();
            most = Math.Max(most, pair.Down.Spill.Length + pair.Up.Spill.Length + pair.Down.Held.Length + pair.Up.Held.Length);
        }

        await sending;
        Assert.InRange(most, 0, Cap);
        Assert.Equal(1, harness.Pair().Legs[fromClient ? 0 : 1].MessagesReceived);
    }

    [Fact]
    public async Task Many_pairs_at_once_each_keep_their_own_stream()
    {
        const int Pairs = 200, Messages = 50;
        using var harness = new RelayHarness();
        var all = new List<Ends>();
        for (var i = 0; i < Pairs; i++)
            all.Add(harness.Open());
        var endpoints = Task.Run(() =>
        {
            for (var m = 0; m < Messages; m++)
            {
                foreach (var ends in all)
                    ends.Endpoint.Send(Frames.FromServer(Frames.Text, ends.Endpoint.ReceiveFrame().Payload));
            }
        });
        for (var m = 0; m < Messages; m++)
        {
            for (var i = 0; i < Pairs; i++)
                all[i].Client.Send(Frames.FromClient(Frames.Text, BitConverter.GetBytes((i * Messages) + m)));
            for (var i = 0; i < Pairs; i++)
                Assert.Equal(BitConverter.GetBytes((i * Messages) + m), all[i].Client.ReceiveFrame().Payload);
        }

        await endpoints;
        Assert.Equal(Pairs, harness.Loop.Established);
        foreach (var ends in all)
            ends.Dispose();
        for (var i = 0; i < Pairs; i++)
            _ = harness.WaitForEnd();
        Assert.Equal((0, 0, 0), harness.OnLoop(l => (l.Established, l.Core.Pairs.Count, l.Handshakes.InFlight)));
    }

    [Fact]
    public void Accepted_connections_are_handed_to_another_loop()
    {
        using var harness = new RelayHarness();
        using var first = new EventLoop.EventLoop(1, harness.Policy, new LoopClock(), capacity: 64);
        var fd = EventLoop.EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var address);
        first.Listen(fd, 3, (accepted, client, listener) => harness.Loop.HandOver(accepted, client, listener));
        first.Start();

        for (var i = 0; i < 10; i++)
        {
            using var client = RawPeer.Connect(address);
            client.Send(RelayHarness.Request);
            using var endpoint = RawPeer.Accept(harness.Endpoints);
            _ = endpoint.ReceiveHead();
            endpoint.Send(RelayHarness.Switching);
            _ = client.ReceiveHead();
            var frame = Frames.FromClient(Frames.Text, [(byte)i]);
            client.Send(frame);
            Assert.Equal(frame, endpoint.Receive(frame.Length));
            Assert.Equal((0, 1), (first.Established, harness.Loop.Established));
            client.Dispose();
            endpoint.Dispose();
            Assert.Equal(((IPEndPoint)address).Address, harness.WaitForEnd().Client.ToEndPoint().Address);
        }

        Assert.Equal(10, first.AcceptedTotal);
    }

    /// <summary>Four messages: whole, of 16-bit length, in three fragments with control frames between, and empty.</summary>
    private static byte[] MixedFrames(bool client)
    {
        byte[] Frame(int opcode, ReadOnlySpan<byte> payload, bool fin = true) =>
            client ? Frames.FromClient(opcode, payload, fin) : Frames.FromServer(opcode, payload, fin);
        return
        [
            .. Frame(Frames.Text, "whole"u8),
            .. Frame(Frames.Binary, new byte[200]),
            .. Frame(Frames.Text, "a"u8, fin: false),
            .. Frame(Frames.Ping, "between"u8),
            .. Frame(Frames.Continuation, "b"u8, fin: false),
            .. Frame(Frames.Pong, new byte[125]),
            .. Frame(Frames.Ping, []),
            .. Frame(Frames.Continuation, "c"u8),
            .. Frame(Frames.Binary, []),
        ];
    }
}
