using System.Net;
using System.Net.Sockets;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Holdfast.RelayHost;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>Client and endpoint of one established pair.</summary>
internal sealed record Ends(RawPeer Client, RawPeer Endpoint) : IDisposable
{
    public void Dispose()
    {
        Client.Dispose();
        Endpoint.Dispose();
    }
}

/// <summary>The same of a pair whose client is behind a socket pair.</summary>
internal sealed record LinkedEnds(LinkedPeer Client, RawPeer Endpoint) : IDisposable
{
    public void Dispose()
    {
        Client.Dispose();
        Endpoint.Dispose();
    }
}

/// <summary>A loop with a listener before it and an endpoint's listener behind it, both on loopback. Real sockets; time is real or the test's own.</summary>
internal sealed class RelayHarness : IDisposable
{
    public const string Request = "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    public const string Switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

    private readonly ManualClock? _clock;

    /// <param name="settings">Of every pair; by default no keep-alive, and a spill of 1 MiB.</param>
    /// <param name="clock">Null: real time.</param>
    /// <param name="endpointBuffer">Receive buffer of endpoints, in bytes; 0: as usual.</param>
    /// <param name="hold">How pairs are held, by the decisions of <paramref name="rehomes"/>; null: they are not.</param>
    public RelayHarness(
        PairSettings? settings = null,
        ManualClock? clock = null,
        int endpointBuffer = 0,
        ReservedBits reservedBits = ReservedBits.Refused,
        HoldSettings? hold = null,
        IRehomePolicy? rehomes = null)
    {
        _clock = clock;
        Endpoints = RawPeer.Listen(endpointBuffer);
        Policy = new PassThroughPolicy
        {
            Settings = settings ?? new PairSettings { SpillCap = 1 << 20 },
            ReservedBits = reservedBits,
            Hold = hold,
            Target = _ => (IPEndPoint)Endpoints.LocalEndPoint!,
        };
        Loop = new EventLoop.EventLoop(0, Policy, new LoopClock(clock), capacity: 4096, rehomes);
        var fd = EventLoop.EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var address);
        Address = address;
        Loop.Listen(fd, 7, null);
        Loop.Start();
    }

    public EventLoop.EventLoop Loop { get; }

    public PassThroughPolicy Policy { get; }

    public Socket Endpoints { get; }

    public IPEndPoint Address { get; }

    public RawPeer Connect(int receiveBuffer = 0) => RawPeer.Connect(Address, receiveBuffer);

    /// <summary>An established pair, both ends at the start of their frames.</summary>
    public Ends Open(int clientBuffer = 0)
    {
        var client = Connect(clientBuffer);
        client.Send(Request);
        var endpoint = RawPeer.Accept(Endpoints);
        Assert.Equal(Request, endpoint.ReceiveHead());
        endpoint.Send(Switching);
        Assert.Equal(Switching, client.ReceiveHead());
        return new Ends(client, endpoint);
    }

    /// <summary>The same with a client behind a socket pair.</summary>
    public LinkedEnds OpenLinked()
    {
        var client = LinkedPeer.Open(out var fd);
        Loop.Connect(client.Request(fd));
        var endpoint = RawPeer.Accept(Endpoints);
        Assert.Equal(Request, endpoint.ReceiveHead());
        endpoint.Send(Switching);
        Assert.Equal(Switching, client.Raw.ReceiveHead());
        return new LinkedEnds(client, endpoint);
    }

    /// <summary>The end of the next pair that ends.</summary>
    public PairEnd WaitForEnd()
    {
        Assert.True(Policy.Ends.TryTake(out var end, RawPeer.Patience), "no pair ended");
        return end;
    }

    public HandshakeEnd WaitForHandshakeEnd()
    {
        Assert.True(Policy.HandshakeEnds.TryTake(out var end, RawPeer.Patience), "no handshake ended");
        return end;
    }

    /// <summary>Runs on the loop's thread, after everything that had reached the loop before, and its timers.</summary>
    public T OnLoop<T>(Func<EventLoop.EventLoop, T> read)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Loop.Post(loop =>
        {
            try
            {
                done.SetResult(read(loop));
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
#pragma warning disable VSTHRD002 // The loop is another thread and never waits for this one.
        Assert.True(done.Task.Wait(RawPeer.Patience), "the loop does not run");
        return done.Task.Result;
#pragma warning restore VSTHRD002
    }

    /// <summary>Asks the loop until it says so.</summary>
    public void Until(Func<EventLoop.EventLoop, bool> condition, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!OnLoop(condition))
            Assert.True(TimeProvider.System.GetElapsedTime(start) < RawPeer.Patience, what);
    }

    /// <summary>Lets test time pass, and every timer due by then fire.</summary>
    public void Advance(int milliseconds)
    {
        // What was asked of the loop before is done before; a turn may have passed it by.
        Turn(2);
        _clock!.Advance(milliseconds);
        // The turn under way may have looked at the clock before, and a turn's timers fire behind what was posted to it.
        Turn(3);
    }

    /// <summary>A copy of the first pair's state.</summary>
    public Pair Pair(int index = 0) => OnLoop(loop => loop.Core.Pairs[index]);

    public void Dispose()
    {
        Loop.Dispose();
        Endpoints.Dispose();
    }

    private void Turn(int times)
    {
        for (var turns = 0; turns < times; turns++)
            _ = OnLoop(_ => 0);
    }
}

/// <summary>Time that stands until it is told to pass.</summary>
internal sealed class ManualClock : TimeProvider
{
    private long _milliseconds = 1_000_003;

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => Volatile.Read(ref _milliseconds);

    public void Advance(int milliseconds) => Interlocked.Add(ref _milliseconds, milliseconds);
}
