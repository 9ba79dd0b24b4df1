using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Holding;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Tests.Telemetry;
using Xunit;

namespace Holdfast.Tests.Links;

/// <summary>One loop with the gateway's own decisions, one backend whose endpoint is the test's, and one listener; what is handed off comes to the test.</summary>
internal sealed class LinkedFixture : IConnectionTelemetry, IHandOff, IDisposable
{
    public const string Upgrade =
        "GET /ws HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    /// <summary>The answer to <see cref="Upgrade"/> (RFC 6455 1.3).</summary>
    public const string Switching =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    private readonly EventLoop _loop;

    public LinkedFixture(ListenerOptions? listener = null, int usable = 1000)
    {
        var clock = new LoopClock();
        Runtime = new GatewayRuntime(TimeProvider.System, clock) { UsableConnections = usable };
        Runtime.Apply(new GatewayConfiguration
        {
            Listeners = [],
            Routes = [new RouteOptions { Backends = [new WeightedBackend("chat")] }],
            Backends =
            [
                new BackendOptions
                {
                    Name = "chat",
                    Endpoints = [TelemetryFixture.Address(Endpoints.LocalEndPoint!.ToString()!)],
                    Affinity = new AffinityOptions { Kind = AffinityKind.Cookie, Cookie = new AffinityCookieOptions() },
                },
            ],
        });
        var fd = EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var address);
        listener ??= Plain;
        Listener = Runtime.AddListener(listener with { Address = address }, address);
        var policy = new HandshakePolicy(Runtime, this, this, new HoldPlans(1, Runtime.HoldMemory), new Random(1), Bugs.Add);
        _loop = new EventLoop(0, policy, clock, capacity: 256);
        policy.Resume = _loop.Resume;
        Runtime.Loops = [_loop];
        _loop.Listen(fd, Listener.Id, null);
        _loop.Start();
    }

    public static ListenerOptions Plain { get; } = new() { Name = "web", Address = new IPEndPoint(IPAddress.Loopback, 0) };

    public static ListenerOptions Tls { get; } = Plain with { Tls = new ListenerTlsOptions { Certificates = [new CertificateFiles("a.pem", "a.key")] } };

    public GatewayRuntime Runtime { get; }

    public BoundListener Listener { get; }

    public Socket Endpoints { get; } = RawPeer.Listen();

    public BlockingCollection<HandshakeRecord> Handshakes { get; } = [];

    public BlockingCollection<PairEnd> Ends { get; } = [];

    public BlockingCollection<(Socket Socket, string Peer, bool IsTls, byte[] Received)> HandedOff { get; } = [];

    public bool TakesHandOffs { get; set; } = true;

    public ConcurrentBag<Exception> Bugs { get; } = [];

    public RawPeer Connect() => RawPeer.Connect(Listener.Address);

    /// <summary>Asks through a socket pair.</summary>
    public FarEnd Ask(bool isSecure = true, bool isCounted = true, string more = "")
    {
        Assert.Equal(0, Sys.OpenPair(SocketLink.BufferSize, out var fd, out var farFd));
        var far = new FarEnd(farFd);
        _loop.Connect(new LinkedRequest
        {
            Fd = fd,
            Link = far,
            Peer = NativeAddress.From(new IPEndPoint(IPAddress.Parse("192.0.2.7"), 4711)),
            ListenerId = Listener.Id,
            IsSecure = isSecure,
            IsCounted = isCounted,
            Head = Encoding.ASCII.GetBytes(Upgrade + more + "\r\n"),
        });
        return far;
    }

    /// <summary>The endpoint agrees: the head that it got, and the client.</summary>
    public (string Request, string Answer, RawPeer Endpoint) Agree(FarEnd client)
    {
        var endpoint = RawPeer.Accept(Endpoints);
        var request = endpoint.ReceiveHead();
        endpoint.Send(Switching);
        return (request, client.ReceiveHead(), endpoint);
    }

    public HandshakeRecord Handshake()
    {
        Assert.True(Handshakes.TryTake(out var record, RawPeer.Patience), "no handshake ended");
        return record;
    }

    public void OnHandshakeEnded(in HandshakeRecord record) => Handshakes.Add(record);

    public void OnRehomed(in RehomeEnd end, BackendState backend)
    {
    }

    public void OnPairEnded(in PairEnd end, BackendState backend, EndpointState endpoint) => Ends.Add(end);

    public bool TryHandOff(int fd, int listenerId, in NativeAddress peer, bool isTls, ReadOnlySpan<byte> received)
    {
        if (TakesHandOffs)
            HandedOff.Add((new Socket(new SafeSocketHandle(fd, ownsHandle: true)), peer.ToEndPoint().ToString(), isTls, received.ToArray()));
        return TakesHandOffs;
    }

    public void Dispose()
    {
        _loop.Dispose();
        Endpoints.Dispose();
        while (HandedOff.TryTake(out var taken))
            taken.Socket.Dispose();
        Assert.Empty(Bugs);
    }
}

/// <summary>The far end of a socket pair.</summary>
internal sealed class FarEnd(int fd) : SocketLink, IDisposable
{
    private readonly ManualResetEventSlim _closed = new();
    private int _isDisposed;

    public void Send(ReadOnlySpan<byte> bytes) => Assert.Equal(bytes.Length, Sys.Send(fd, bytes));

    public string ReceiveHead()
    {
        var head = new StringBuilder();
        Span<byte> one = stackalloc byte[1];
        while (head.Length < 4 || head.ToString(head.Length - 4, 4) != "\r\n\r\n")
        {
            Assert.True(SpinWait.SpinUntil(() => Sys.Peek(fd) is not -(int)Errno.Again, RawPeer.Patience), "nothing comes");
            Assert.Equal(1, Sys.Receive(fd, one));
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    public void Leave(LinkEnd end)
    {
        _ = TrySetEnd(end);
        Dispose();
    }

    public void WaitForClose() => Assert.True(_closed.Wait(RawPeer.Patience), "the leg stays open");

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
            Sys.Close(fd);
    }

    protected internal override void OnLegClosed(bool aborted) => _closed.Set();
}
