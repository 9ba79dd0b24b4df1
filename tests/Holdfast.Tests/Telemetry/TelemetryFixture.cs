using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Tests.Telemetry;

/// <summary>A gateway's state with loops that are not started, and its telemetry.</summary>
internal sealed class TelemetryFixture : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public TelemetryFixture(int loops = 2, Stream? accessLog = null, TimeProvider? time = null)
    {
        var clock = new LoopClock();
        Runtime = new GatewayRuntime(time ?? TimeProvider.System, clock)
        {
            Loops = [.. Enumerable.Range(0, loops).Select(i => new EventLoop(i, new NoPolicy(this), clock, 4096))],
            UsableConnections = 9000,
        };
        Apply("chat", "127.0.0.1:9001", "127.0.0.1:9002");
        Telemetry = new GatewayTelemetry(Runtime, Factory, new AccessLog(accessLog ?? Stream.Null, Runtime.Time));
    }

    public IMeterFactory Factory => _services.GetRequiredService<IMeterFactory>();

    public GatewayRuntime Runtime { get; }

    public GatewayTelemetry Telemetry { get; }

    public BackendState Chat => Runtime.Backends[0];

    public static EndpointAddress Address(string text) => new(text[..text.LastIndexOf(':')], int.Parse(text[(text.LastIndexOf(':') + 1)..]));

    public static PathBytes Path(ReadOnlySpan<byte> text)
    {
        PathBytes path = default;
        text.CopyTo(path);
        return path;
    }

    public void Apply(string backend, params string[] endpoints) => Runtime.Apply(new GatewayConfiguration
    {
        Listeners = [],
        Backends = [new BackendOptions { Name = backend, Endpoints = [.. endpoints.Select(Address)] }],
    });

    /// <summary>A listener with TLS, whose file of a certificate tells when that expires.</summary>
    public void ListenTls(string name, CertificateFiles files)
    {
        var listener = new ListenerOptions { Name = name, Address = new IPEndPoint(IPAddress.Loopback, 8443), Tls = new ListenerTlsOptions { Certificates = [files] } };
        var configuration = new GatewayConfiguration { Listeners = [listener] };
        Runtime.Certificates.Load(configuration);
        Runtime.Listeners = [Runtime.AddListener(listener, listener.Address)];
    }

    public HandshakeRecord Handshake(HandshakeOutcome outcome, EndpointState? endpoint = null, long ms = 7) => new()
    {
        Id = new UInt128(1, 2),
        Client = NativeAddress.From(new IPEndPoint(IPAddress.Parse("10.0.0.7"), 4711)),
        Outcome = outcome,
        Status = outcome == HandshakeOutcome.Upgraded ? 101 : 404,
        DurationMs = ms,
        Backend = endpoint is null ? null : Chat,
        Endpoint = endpoint,
        Attempts = endpoint is null ? 0 : 1,
        Path = Path("/ws"u8),
    };

    public PairEnd End(EndReason reason, EndSide side, EndpointState endpoint, ulong number = 1) => new()
    {
        Id = new UInt128(0, number),
        Client = NativeAddress.From(new IPEndPoint(IPAddress.Parse("10.0.0.7"), 4711)),
        BackendId = Chat.Id,
        EndpointId = endpoint.Id,
        Reason = reason,
        Side = side,
        CloseCode = 1000,
        HandshakeMs = 3,
        DurationMs = 12_345,
        BytesFromClient = 10,
        BytesFromEndpoint = 20,
        MessagesFromClient = 1,
        MessagesFromEndpoint = 2,
        Path = Path("/ws"u8),
    };

    /// <param name="to">-1: none.</param>
    public RehomeEnd Rehome(RehomeCause cause, RehomeOutcome outcome, EndpointState from, int to = -1, long heldMs = 40, long unknown = 0) => new()
    {
        Id = new UInt128(0, 1),
        BackendId = Chat.Id,
        FromEndpointId = from.Id,
        ToEndpointId = to,
        Cause = cause,
        Outcome = outcome,
        HeldMs = heldMs,
        Unknown = unknown,
    };

    public string Scrape(MetricsFormat format = MetricsFormat.OpenMetrics)
    {
        var text = new TextBuffer();
        Telemetry.Scraper.Write(text, format);
        var result = Encoding.UTF8.GetString(text.Written.Span);
        text.Reset();
        return result;
    }

    public void Dispose()
    {
        Telemetry.Dispose();
        foreach (var loop in Runtime.Loops)
            loop.Dispose();
        _services.Dispose();
    }

    /// <summary>Never asked for a handshake: these loops accept nothing.</summary>
    private sealed class NoPolicy(TelemetryFixture fixture) : IHandshakePolicy
    {
        public ProxyHeaderUse ProxyHeaderOf(int listenerId, in NativeAddress peer) => ProxyHeaderUse.None;

        public bool IsHandedOffUnread(int listenerId) => false;

        public HandshakeStep OnRequest(Handshake handshake, ReadOnlySpan<byte> head) => HandshakeStep.Refuse;

        public HandshakeStep OnResumed(Handshake handshake, bool isTimeout) => HandshakeStep.Refuse;

        public void OnRequestFault(Handshake handshake, RequestFault fault)
        {
        }

        public HandshakeStep OnDialFailed(Handshake handshake, DialFailure failure) => HandshakeStep.Refuse;

        public HandshakeStep OnResponse(Handshake handshake, ReadOnlySpan<byte> head) => HandshakeStep.Refuse;

        public bool HandOff(Handshake handshake, int fd, ReadOnlySpan<byte> received) => false;

        public void OnEstablished(Handshake handshake)
        {
        }

        public void OnHandshakeEnded(Handshake handshake, HandshakeEnd end)
        {
        }

        public void OnPairEnded(in PairEnd end) =>
            fixture.Telemetry.OnPairEnded(in end, fixture.Runtime.BackendOf(end.BackendId), fixture.Runtime.EndpointOf(end.EndpointId));
    }
}
