using System.Globalization;
using System.Net;
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

    private static Ends Open(IPEndPoint address, System.Net.Sockets.Socket endpoints)
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
