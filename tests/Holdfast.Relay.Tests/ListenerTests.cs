using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Relay.Interop;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Listening and accepting, in plenty and in want.</summary>
[Collection(nameof(Alone))]
public sealed class ListenerTests
{
    [Fact]
    public void A_port_is_never_shared()
    {
        var fd = EventLoop.EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var bound);
        try
        {
            Assert.False(Sys.SharesPort(fd));
            var error = Assert.Throws<IOException>(() => EventLoop.EventLoop.OpenListener(bound, out _));
            Assert.Contains("in use", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    [Fact]
    public void An_address_that_is_not_ours_is_named_in_the_error()
    {
        var error = Assert.Throws<IOException>(() => EventLoop.EventLoop.OpenListener(IPEndPoint.Parse("192.0.2.1:0"), out _));
        Assert.Contains("192.0.2.1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Listeners_come_and_go_while_the_loop_runs_and_pairs_keep_the_id_of_theirs()
    {
        using var relay = new RelayHarness();
        var second = EventLoop.EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var address);
        Assert.True(relay.OnLoop(loop => loop.TryListen(second, 8)));
        using var pair = Open(address, relay.Endpoints);
        Assert.True(relay.OnLoop(loop => loop.StopListening(8)));
        Assert.False(relay.OnLoop(loop => loop.StopListening(8)));
        Assert.Equal(SocketError.ConnectionRefused, Assert.Throws<SocketException>(() => RawPeer.Connect(address)).SocketErrorCode);
        AssertEcho(pair, 1);

        // In the place that became free, under an id of its own.
        var third = EventLoop.EventLoop.OpenListener(address, out _);
        Assert.True(relay.OnLoop(loop => loop.TryListen(third, 9)));
        using var late = Open(address, relay.Endpoints);
        using var first = relay.Open();
        AssertEcho(late, 2);
        foreach (var (ends, listener) in ((Ends, int)[])[(pair, 8), (late, 9), (first, 7)])
        {
            ends.Dispose();
            Assert.Equal(listener, relay.WaitForEnd().ListenerId);
        }
    }

    [Fact]
    public void Who_waits_when_a_listener_closes_is_still_accepted()
    {
        using var relay = new RelayHarness();
        RawPeer? client = null;
        Assert.True(relay.OnLoop(loop =>
        {
            client = relay.Connect();
            return loop.StopListening(7);
        }));
        client!.Send(RelayHarness.Request);
        using var endpoint = RawPeer.Accept(relay.Endpoints);
        _ = endpoint.ReceiveHead();
        client.Dispose();
    }

    [Fact]
    public void A_loop_that_has_stopped_listening_takes_no_listener()
    {
        using var relay = new RelayHarness();
        var fd = EventLoop.EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var address);
        Assert.False(relay.OnLoop(loop =>
        {
            loop.StopListening();
            return loop.TryListen(fd, 8);
        }));
        Sys.Close(EventLoop.EventLoop.OpenListener(address, out _));
    }

    [Fact]
    public void A_listener_that_comes_while_accepting_is_paused_waits_with_the_others()
    {
        var clock = new ManualClock();
        using var relay = new RelayHarness(clock: clock);
        _ = relay.OnLoop(loop => loop.DescriptorCap = 1);
        using var first = relay.Connect();
        relay.Until(loop => loop.AcceptPauses == 1, "accepting did not pause");
        var fd = EventLoop.EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var address);
        Assert.True(relay.OnLoop(loop => loop.TryListen(fd, 8)));
        using var second = RawPeer.Connect(address);
        for (var i = 0; i < 10; i++)
            Assert.Equal(1, relay.OnLoop(loop => loop.AcceptPauses));

        _ = relay.OnLoop(loop => loop.DescriptorCap = int.MaxValue);
        relay.Advance(1_000);
        foreach (var client in (RawPeer[])[first, second])
        {
            client.Send(RelayHarness.Request);
            using var endpoint = RawPeer.Accept(relay.Endpoints);
            _ = endpoint.ReceiveHead();
        }
    }

    [Fact]
    public void Out_of_descriptors_accepting_pauses_existing_pairs_go_on_and_it_recovers()
    {
        using var endpoints = RawPeer.Listen();
        using var host = new HostProcess(160, "loop", ((IPEndPoint)endpoints.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture));
        var address = new IPEndPoint(IPAddress.Loopback, int.Parse(host.ReadLine(), CultureInfo.InvariantCulture));
        using var pair = Open(address, endpoints);

        // Connections that say nothing take one descriptor each until there is none; the rest wait in the backlog.
        var silent = new List<RawPeer>();
        while (Status(host).Pauses == 0)
        {
            Assert.True(silent.Count < 1000, "descriptors never ran out");
            silent.Add(RawPeer.Connect(address));
        }

        for (var i = 0; i < 20; i++)
            AssertEcho(pair, (byte)i);

        // One that was accepted in time cannot be dialed for; those that wait take what it gives back.
        for (var i = 0; i < 5; i++)
            silent.Add(RawPeer.Connect(address));
        silent[0].Send(RelayHarness.Request);
        Assert.Equal(RelayHost.PassThroughPolicy.BadGateway, silent[0].ReceiveHead());
        var pauses = Status(host).Pauses;
        foreach (var peer in silent)
            peer.Dispose();
        using var late = Open(address, endpoints);
        AssertEcho(late, 200);
        AssertEcho(pair, 201);
        Assert.Equal(2, Status(host).Established);
        // Each pause doubles up to a second: a starving loop does not spin.
        Assert.InRange(Status(host).Pauses, pauses, pauses + 100);
    }

    private static (int Pauses, int Established) Status(HostProcess host)
    {
        host.WriteLine("?");
        var numbers = host.ReadLine().Split(' ');
        return (int.Parse(numbers[0], CultureInfo.InvariantCulture), int.Parse(numbers[1], CultureInfo.InvariantCulture));
    }

    private static Ends Open(IPEndPoint address, Socket endpoints)
    {
        var client = RawPeer.Connect(address);
        client.Send(RelayHarness.Request);
        var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send(RelayHarness.Switching);
        _ = client.ReceiveHead();
        return new Ends(client, endpoint);
    }

    private static void AssertEcho(Ends ends, byte value)
    {
        ends.Client.Send(Frames.FromClient(Frames.Binary, [value]));
        Assert.Equal([value], ends.Endpoint.ReceiveFrame().Payload);
        ends.Endpoint.Send(Frames.FromServer(Frames.Binary, [value]));
        Assert.Equal([value], ends.Client.ReceiveFrame().Payload);
    }
}
