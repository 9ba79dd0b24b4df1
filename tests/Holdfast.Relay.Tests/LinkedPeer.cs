using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>The far end of a socket pair, moved by hand: what the gateway's pumps do there, without a connection behind it.</summary>
internal sealed class LinkedPeer : SocketLink, IDisposable
{
    public const int SetFlags = 4, ReadWrite = 2;
    private readonly TaskCompletionSource<bool> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls;

    /// <param name="fd">The far end; owned.</param>
    public LinkedPeer(int fd)
    {
        // The other end stays as it is: O_NONBLOCK is each one's own.
        _ = Libc.fcntl(fd, SetFlags, ReadWrite);
        Raw = new RawPeer(new Socket(new SafeSocketHandle(fd, ownsHandle: true)));
    }

    public RawPeer Raw { get; }

    /// <summary>How often the leg was said to be closed.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Both ends, as the gateway makes them.</summary>
    public static LinkedPeer Open(out int fd)
    {
        Assert.Equal(0, Sys.OpenPair(BufferSize, out fd, out var farFd));
        return new LinkedPeer(farFd);
    }

    /// <summary>A request that this peer's client made.</summary>
    public LinkedRequest Request(int fd, string head = RelayHarness.Request, bool isSecure = false, bool isCounted = true) => new()
    {
        Fd = fd,
        Link = this,
        Peer = NativeAddress.From(new IPEndPoint(IPAddress.Parse("192.0.2.7"), 4711)),
        ListenerId = 7,
        IsSecure = isSecure,
        IsCounted = isCounted,
        Head = Encoding.ASCII.GetBytes(head),
    };

    /// <summary>What ended is said before the descriptor tells it.</summary>
    public void Finish()
    {
        _ = TrySetEnd(LinkEnd.Eof);
        Raw.Finish();
    }

    /// <summary>As <see cref="Finish"/>, and nothing is read any more.</summary>
    public void Leave(LinkEnd end)
    {
        if (end != LinkEnd.None)
            _ = TrySetEnd(end);
        Raw.Dispose();
    }

    /// <summary>Waits until the loop has let go of the leg: whether it was aborted.</summary>
    public bool WaitForClose()
    {
#pragma warning disable VSTHRD002 // The loop is another thread and never waits for this one.
        Assert.True(_closed.Task.Wait(RawPeer.Patience), "the link is not told that its leg is closed");
        return _closed.Task.Result;
#pragma warning restore VSTHRD002
    }

    /// <summary>Reads to the end, by FIN or by reset (which input that the loop did not read makes of it).</summary>
    public byte[] ReceiveToEnd()
    {
        using var all = new MemoryStream();
        var buffer = new byte[65536];
        try
        {
            for (int n; (n = Raw.Socket.Receive(buffer)) > 0;)
                all.Write(buffer, 0, n);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            Assert.False(WaitForClose());
        }

        return all.ToArray();
    }

    public void Dispose() => Raw.Dispose();

    protected internal override void OnLegClosed(bool aborted)
    {
        Interlocked.Increment(ref _calls);
        _closed.TrySetResult(aborted);
    }
}

/// <summary>Dials that a test answers by hand; the far ends are the endpoints.</summary>
internal sealed class TestDialer : IUpstreamDialer
{
    public BlockingCollection<TestDial> Dials { get; } = [];

    /// <summary>Answers at once, on the loop's own thread: null: connected; absent: nothing is said.</summary>
    public Func<Handshakes.DialFailure?>? Answer { get; set; }

    public SocketLink Dial(int fd, in NativeAddress target, DialTicket ticket, EventLoop.EventLoop loop)
    {
        var dial = new TestDial(new LinkedPeer(fd), target, ticket, loop);
        if (Answer is not null)
            loop.Dialed(ticket, Answer());
        Dials.Add(dial);
        return dial.Endpoint;
    }

    public TestDial Take()
    {
        Assert.True(Dials.TryTake(out var dial, RawPeer.Patience), "nobody dials");
        return dial;
    }
}

internal sealed record TestDial(LinkedPeer Endpoint, NativeAddress Target, DialTicket Ticket, EventLoop.EventLoop Loop)
{
    public void Connected() => Loop.Dialed(Ticket, null);

    public void Failed(Handshakes.DialFailure failure) => Loop.Dialed(Ticket, failure);
}
