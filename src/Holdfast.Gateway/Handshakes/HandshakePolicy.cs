using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Holding;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Handshakes;

/// <summary>
/// The gateway's decisions about handshakes, one instance per loop, on its thread: checks the head, finds route and endpoint, rewrites heads,
/// verifies the answer, retries elsewhere. What it decided goes into the pair as plain settings; nothing here is asked about a message.
/// </summary>
internal sealed partial class HandshakePolicy(
    GatewayRuntime runtime,
    IConnectionTelemetry telemetry,
    IHandOff handOff,
    HoldPlans holds,
    Random random,
    Action<Exception> onBug) : IHandshakePolicy
{
    /// <summary>Attempts kept for later handshakes.</summary>
    private const int MostIdle = 256;

    private const string GatewayFull = "The gateway is at its limit of connections.";

    private readonly RequestHead _head = new();
    private readonly Stack<HandshakeAttempt> _idle = new();
    private HandshakeOutcome _outcome;
    private int _status;

    public ProxyHeaderUse ProxyHeaderOf(int listenerId, in NativeAddress peer) => runtime.ListenerOf(listenerId).ProxyHeaderOf(peer);

    public bool IsHandedOffUnread(int listenerId) => runtime.ListenerOf(listenerId).Options.Tls is not null;

    public HandshakeStep OnRequest(Handshake handshake, ReadOnlySpan<byte> head)
    {
        try
        {
            return Judge(handshake, head);
        }
        catch (Exception e)
        {
            return OnBug(handshake, e);
        }
    }

    public HandshakeStep OnResponse(Handshake handshake, ReadOnlySpan<byte> head)
    {
        try
        {
            return JudgeAnswer(handshake, head);
        }
        catch (Exception e)
        {
            return OnBug(handshake, e);
        }
    }

    private HandshakeStep Judge(Handshake handshake, ReadOnlySpan<byte> head)
    {
        var fault = _head.Parse(head);
        if (fault == HeadFault.TooManyHeaders)
            return Refuse(handshake, HandshakeOutcome.HeadTooLarge, Refusals.Describe(fault));
        if (fault != HeadFault.None)
            return Refuse(handshake, HandshakeOutcome.BadRequest, Refusals.Describe(fault));
        handshake.Path = PathOf(_head.Path);
        if (!_head.Lists("connection"u8, "upgrade"u8) || !_head.Lists("upgrade"u8, "websocket"u8))
            return HandshakeStep.HandOff;
        if (UpgradeRules.Check(_head, out var outcome) is { } detail)
            return Refuse(handshake, outcome, detail);

        var listener = runtime.ListenerOf(handshake.ListenerId);
        handshake.Client = ClientAddress.Of(handshake.Peer, _head, listener.Trusted, out var isTrusted);
        if (!runtime.Routes.TryMatch(_head.View with { Listener = listener.Options.Name }, out var route))
            return Refuse(handshake, HandshakeOutcome.NoRoute, "No route matches this host and path.");
        var isSecure = isTrusted && _head.TryGet("x-forwarded-proto"u8, out var proto) ? HeadRules.NameEquals(proto, "https"u8) : handshake.IsSecure;
        if (route.Filters.RedirectOf(_head, isSecure, out var redirect, isTrusted) is { } location)
            return Redirect(handshake, redirect, location);
        if (!IsOriginAllowed(route, isTrusted))
            return Refuse(handshake, HandshakeOutcome.OriginRefused, "This origin may not open WebSockets here.");
        if (route.Choose(random) is not { } backend)
            return Refuse(handshake, HandshakeOutcome.NoBackend, "Every backend of the route has weight 0.");

        var places = new ConnectionPlaces(handshake.IsCounted, IsBridged: backend.Tls is not null);
        if (!runtime.TryAdmit(handshake.ListenerId, places))
            return Refuse(handshake, HandshakeOutcome.GatewayFull, GatewayFull);
        if (!_idle.TryPop(out var attempt))
            attempt = new HandshakeAttempt();
        attempt.Begin(backend, route.Filters);
        places.KeepIn(ref attempt.Claims);
        attempt.IsSecure = isSecure;
        handshake.PolicyState = attempt;
        if (!TryEnter(handshake, attempt, out var entry))
            return HandshakeStep.Refuse;

        // Only now: most of a flood is refused before.
        _ = _head.TryGet("sec-websocket-key"u8, out var key);
        AcceptKey.Compute(key, attempt.ExpectedAccept);
        attempt.OfferedProtocols = UpgradeRules.OfferedProtocols(_head);
        attempt.Hold = holds.Of(backend);
        _ = handshake.UpstreamRequest.Reserve(head.Length + UpgradeHeads.Added);
        var facts = new HeadFacts(handshake.Peer, isTrusted, handshake.IsSecure, handshake.Id) { ClientCertificate = handshake.ClientCertificate };
        UpgradeHeads.WriteRequest(handshake.UpstreamRequest, _head, in facts, extensions: attempt.Hold is null);
        handshake.ConnectTimeout = Milliseconds(route.Options.Timeouts.Connect);
        handshake.HandshakeTimeout = Milliseconds(route.Options.Timeouts.Handshake);
        return entry == QueueEntry.Granted ? Ask(handshake, attempt) : Wait(handshake, attempt);
    }

    public void OnRequestFault(Handshake handshake, RequestFault fault) => _ = fault switch
    {
        RequestFault.HeadTimeout => Refuse(handshake, HandshakeOutcome.HeadTimeout, "The request head did not come whole in time."),
        RequestFault.HeadTooLarge => Refuse(handshake, HandshakeOutcome.HeadTooLarge, "The request head is over 32 KiB."),
        RequestFault.BadProxyHeader => Refuse(handshake, HandshakeOutcome.BadProxyHeader, ""),
        RequestFault.NoUpgrade => Refuse(handshake, HandshakeOutcome.BadRequest, "This is no WebSocket handshake."),
        _ => Refuse(handshake, HandshakeOutcome.BadRequest, Refusals.Describe(HeadFault.ControlByte)),
    };

    public HandshakeStep OnDialFailed(Handshake handshake, DialFailure failure)
    {
        var attempt = AttemptOf(handshake);
        if (failure is not (DialFailure.LocalResources or DialFailure.NoAddress))
            attempt.Fail(handshake.Now);
        if (failure != DialFailure.LocalResources && handshake.Remaining > 0 && attempt.TryNext(random, handshake.Now))
            return Dial(handshake, attempt);
        return failure switch
        {
            DialFailure.LocalResources => Refuse(handshake, HandshakeOutcome.GatewayFull, "The gateway has no descriptors or ports left."),
            DialFailure.ConnectTimeout or DialFailure.ResponseTimeout =>
                Refuse(handshake, HandshakeOutcome.EndpointTimeout, "No endpoint answered in time."),
            DialFailure.MalformedResponse => Refuse(handshake, HandshakeOutcome.EndpointFailed, "The endpoint's answer to the handshake was not valid."),
            DialFailure.TlsFailed => Refuse(handshake, HandshakeOutcome.EndpointFailed, "TLS with the endpoint failed."),
            _ => Refuse(handshake, HandshakeOutcome.EndpointFailed, "No endpoint could be reached."),
        };
    }

    private HandshakeStep JudgeAnswer(Handshake handshake, ReadOnlySpan<byte> head)
    {
        var attempt = AttemptOf(handshake);
        if (ResponseHead.TryParse(head, out var response) != ResponseFault.None)
            return OnDialFailed(handshake, DialFailure.MalformedResponse);
        switch (response.Status)
        {
            case 101:
                if (!UpgradeRules.IsAcceptable(in response, attempt.ExpectedAccept, attempt.OfferedProtocols)
                    || (attempt.Hold is not null && response.Count(ResponseHeader.SecWebSocketExtensions) > 0))
                    return OnDialFailed(handshake, DialFailure.MalformedResponse);
                attempt.Succeed(handshake.Now);
                handshake.ReservedBits = UpgradeRules.ReservedBitsOf(in response);
                handshake.Settings = SettingsOf(attempt);
                handshake.SubProtocol = UpgradeRules.SubProtocolOf(in response);
                handshake.Hold = HoldPlans.Fits(attempt.Backend, in response) ? attempt.Hold : null;
                UpgradeHeads.WriteSwitching(handshake.Response, in response, attempt.Filters);
                attempt.AppendCookie(handshake.Response, runtime.Time.GetUtcNow().ToUnixTimeSeconds());
                return HandshakeStep.Upgrade;

            case < 200:
                return HandshakeStep.AwaitNext;

            case < 300:
                return Refuse(handshake, HandshakeOutcome.NotUpgraded, "The endpoint answered the handshake without upgrading.");

            case 502 or 503 or 504 when attempt.HasOther && handshake.Remaining > 0:
                // Whoever answers so says that another may serve: that is no failure of the endpoint's.
                if (attempt.TryNext(random, handshake.Now))
                    return Dial(handshake, attempt);
                return RelayRefusal(handshake, in response);

            default:
                return RelayRefusal(handshake, in response);
        }
    }

    public bool HandOff(Handshake handshake, int fd, ReadOnlySpan<byte> received)
    {
        // It is TLS where it is not read.
        var isTls = handshake.IsSecure;
        var isAdmitted = runtime.TryAdmit(handshake.ListenerId);
        if (isAdmitted && handOff.TryHandOff(fd, handshake.ListenerId, handshake.Peer, isTls, received))
            return true;
        if (isAdmitted)
            runtime.Leave(handshake.ListenerId);
        _ = Refuse(handshake, HandshakeOutcome.GatewayFull, isAdmitted ? "The gateway has too many requests waiting." : GatewayFull);
        if (isTls)
            _status = 0;    // There is no answer in plain text to TLS.
        return false;
    }

    public void OnEstablished(Handshake handshake)
    {
        var attempt = AttemptOf(handshake);
        var endpoint = attempt.Establish(handshake.Now);
        Report(handshake, HandshakeOutcome.Upgraded, 101, attempt.Backend, endpoint);
        Recycle(handshake);
    }

    public void OnHandshakeEnded(Handshake handshake, HandshakeEnd end)
    {
        var attempt = handshake.PolicyState as HandshakeAttempt;
        var (outcome, status) = end switch
        {
            HandshakeEnd.Refused => (_outcome, _status),
            HandshakeEnd.ClientGone => (HandshakeOutcome.ClientGone, 0),
            _ => (HandshakeOutcome.Shutdown, 0),
        };
        var endpoint = attempt?.Last;
        if (attempt is not null)
        {
            var places = ConnectionPlaces.Of(in attempt.Claims);
            attempt.Leave(handshake.Client, handshake.Now);
            runtime.Leave(handshake.ListenerId, places);
        }

        Report(handshake, outcome, status, attempt?.Backend, endpoint);
        Recycle(handshake);
    }

    public void OnPairEnded(in PairEnd end)
    {
        var endpoint = runtime.EndpointOf(end.EndpointId);
        var backend = runtime.BackendOf(end.BackendId);
        endpoint.Release();
        backend.Counts.Release(in end.Claims, end.Client);
        runtime.Leave(end.ListenerId, ConnectionPlaces.Of(in end.Claims));
        telemetry.OnPairEnded(in end, backend, endpoint);
    }

    /// <summary>A bug here ends one handshake, not the connections of everyone else.</summary>
    private HandshakeStep OnBug(Handshake handshake, Exception exception)
    {
        onBug(exception);
        return Refuse(handshake, HandshakeOutcome.InternalError, "The gateway failed to handle this request.");
    }

    private void Recycle(Handshake handshake)
    {
        if (handshake.PolicyState is HandshakeAttempt attempt && _idle.Count < MostIdle)
            _idle.Push(attempt);
        handshake.PolicyState = null;
    }

    private static HandshakeAttempt AttemptOf(Handshake handshake) => (HandshakeAttempt)handshake.PolicyState!;

    private static int Milliseconds(TimeSpan time) => (int)Math.Min(time.TotalMilliseconds, int.MaxValue);

    private static HandshakeStep Dial(Handshake handshake, HandshakeAttempt attempt)
    {
        handshake.Target = attempt.Endpoint!.Resolved?.Address ?? default;
        handshake.Dialer = attempt.Backend.DialerOf(attempt.Endpoint);
        // While others could be asked, one endpoint may use half of what is left.
        handshake.AttemptTimeout = attempt.HasOther ? Math.Max(1, handshake.Remaining / 2) : 0;
        return HandshakeStep.Dial;
    }

    private static PairSettings SettingsOf(HandshakeAttempt attempt)
    {
        var options = attempt.Backend.Options;
        return new PairSettings
        {
            PingInterval = Milliseconds(options.KeepAlive.PingInterval),
            PongTimeout = Milliseconds(options.KeepAlive.PongTimeout),
            IdleTimeout = Milliseconds(options.KeepAlive.IdleTimeout),
            SpillCap = options.Spill,
            BackendId = attempt.Backend.Id,
            EndpointId = attempt.Endpoint!.Id,
            Claims = attempt.Claims,
            MessageBytes = options.Limits.MessageBytes,
            MessagesPerSecond = options.Limits.MessagesPerSecond,
        };
    }

    private static PathBytes PathOf(ReadOnlySpan<byte> path)
    {
        PathBytes bytes = default;
        path[..Math.Min(path.Length, PathBytes.Length)].CopyTo(bytes);
        return bytes;
    }

    private HandshakeStep Refuse(Handshake handshake, HandshakeOutcome outcome, string detail, int retryAfter = 1)
    {
        _outcome = outcome;
        _status = Refusals.Write(handshake.Response, outcome, detail, retryAfter);
        return HandshakeStep.Refuse;
    }

    private HandshakeStep Redirect(Handshake handshake, int status, string location)
    {
        (_outcome, _status) = (HandshakeOutcome.Redirected, status);
        Refusals.WriteRedirect(handshake.Response, status, location);
        return HandshakeStep.Refuse;
    }

    private HandshakeStep RelayRefusal(Handshake handshake, in ResponseHead response)
    {
        (_outcome, _status) = (HandshakeOutcome.EndpointRefused, response.Status);
        handshake.Body = new ResponseBody(response.Framing, Math.Max(0, response.ContentLength));
        UpgradeHeads.WriteRefusal(handshake.Response, in response, AttemptOf(handshake).Filters);
        return HandshakeStep.RelayRefusal;
    }

    private void Report(Handshake handshake, HandshakeOutcome outcome, int status, BackendState? backend, EndpointState? endpoint) =>
        telemetry.OnHandshakeEnded(new HandshakeRecord
        {
            Id = handshake.Id,
            Client = handshake.Client,
            Outcome = outcome,
            Status = status,
            DurationMs = handshake.Now - handshake.AcceptedAt,
            Backend = backend,
            Endpoint = endpoint,
            Attempts = handshake.Attempts,
            Path = handshake.Path,
        });
}
