using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Handshakes;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Handshakes;

/// <summary>
/// Admission (DESIGN section 3.4): what may refuse or delay a handshake between its route and its first dial, in this order: origin, client address limit, backend full, queue,
/// auth, key limit, endpoint. A handshake that waits keeps nothing but the head that its endpoint will get, and what follows is read from that one: what clients may not say
/// is gone from it, and what the auth service said is in it.
/// </summary>
internal sealed partial class HandshakePolicy
{
    /// <summary>Beside the client's: what an auth service may add (64 lines), and what the gateway adds.</summary>
    public const int MostUpstreamHeaders = RequestHead.MaxHeaders + 64 + 16;

    /// <summary>Milliseconds that an answer may be late beyond its own time-out, on a busy machine.</summary>
    private const int AuthGrace = 5_000;

    private readonly RequestHead _upstreamHead = new(MostUpstreamHeaders);

    /// <summary>Lets a handshake of this loop go on; any thread may call it. Set once, before the first handshake.</summary>
    public Action<HandshakeTicket> Resume { get; set; } = static _ => { };

    public HandshakeStep OnResumed(Handshake handshake, bool isTimeout)
    {
        try
        {
            return GoOn(handshake, AttemptOf(handshake), isTimeout);
        }
        catch (Exception e)
        {
            return OnBug(handshake, e);
        }
    }

    private bool IsOriginAllowed(Route route, bool isTrusted)
    {
        if (!_head.TryGet("origin"u8, out var origin))
            return true;
        var host = isTrusted && _head.TryGet("x-forwarded-host"u8, out var forwarded) ? forwarded : _head.Host;
        if (_head.Count("origin"u8) == 1 && route.Origins.Allows(origin, host))
            return true;
        if (route.IsFirstRefusedOrigin())
        {
            // The logger may wait for its output, which a loop may not.
            var line = (Route: route.Index, Origin: Printable(origin), Host: Printable(host));
            _ = ThreadPool.UnsafeQueueUserWorkItem(_ => HandshakeLog.OriginRefused(runtime.Logger, line.Route, line.Origin, line.Host), null);
        }

        return false;
    }

    /// <summary>Up to the queue. False: it is refused. True: it may go on, or waits, once its head for the endpoint is written.</summary>
    private bool TryEnter(Handshake handshake, HandshakeAttempt attempt, out QueueEntry entry)
    {
        entry = QueueEntry.Full;
        var backend = attempt.Backend;
        if (!backend.Counts.TryClaimAddress(backend.Options.Limits, handshake.Client, ref attempt.Claims))
        {
            _ = Refuse(handshake, HandshakeOutcome.ClientAddressLimit, "This client address has as many connections as it may.");
            return false;
        }

        if (backend.IsFull())
        {
            _ = Refuse(handshake, HandshakeOutcome.BackendFull, "Every endpoint has as many connections as it may.");
            return false;
        }

        var options = backend.Options.Handshakes;
        attempt.Place.Ticket = handshake.Ticket;
        attempt.Place.Resume = Resume;
        attempt.WaitUntil = handshake.Now + Milliseconds(options.QueueTimeout);
        var key = options.FairByHeader is { } header ? HeaderKey.Of(_head, header) : ClientKey.KeyOf(handshake.Client);
        entry = backend.Queue.Enter(attempt.Place, key, handshake.Now);
        if (entry == QueueEntry.Full)
            _ = RefuseFull(handshake, backend);
        return entry != QueueEntry.Full;
    }

    private HandshakeStep GoOn(Handshake handshake, HandshakeAttempt attempt, bool isTimeout)
    {
        if (attempt.Stage == AdmissionStage.Auth)
            return Hear(handshake, attempt, isTimeout);
        switch (attempt.Place.State)
        {
            case PlaceState.Granted:
                return attempt.Stage == AdmissionStage.Queue ? Ask(handshake, attempt) : Pick(handshake, attempt);
            case PlaceState.Evicted:
                return RefuseFull(handshake, attempt.Backend);
            default:
                return isTimeout
                    ? Refuse(handshake, HandshakeOutcome.QueueTimeout, "No endpoint had room in time.", attempt.Backend.Queue.RetryAfter())
                    : Wait(handshake, attempt);
        }
    }

    /// <summary>It has left the queue: asks the auth service, if there is one.</summary>
    private HandshakeStep Ask(Handshake handshake, HandshakeAttempt attempt)
    {
        if (attempt.Backend.Queue.TakeGate(attempt.Place) is not { } gate)
            return Pick(handshake, attempt);
        var view = UpstreamView(handshake);
        _ = _upstreamHead.TryGet("x-forwarded-host"u8, out var host);
        var question = AuthQuestion.From(gate, in view, handshake.Client, attempt.IsSecure ? "https" : "http", host);
        attempt.Stage = AdmissionStage.Auth;
        attempt.AskedAt = handshake.Now;
        attempt.Auth = PendingAuth.Begin(gate, question, handshake.Ticket, Resume);
        handshake.WaitTimeout = AuthGrace + Milliseconds(gate.Options.Timeout);
        return HandshakeStep.Wait;
    }

    /// <summary>The auth service has answered, or has not in time.</summary>
    private HandshakeStep Hear(Handshake handshake, HandshakeAttempt attempt, bool isTimeout)
    {
        if (attempt.Auth!.Answer is not { } answer)
        {
            // Every question comes to an answer within its own time-out: this one has been lost.
            return isTimeout ? Refuse(handshake, HandshakeOutcome.AuthFailed, "The auth service did not answer in time.") : HandshakeStep.Wait;
        }

        var gate = attempt.Auth.Gate;
        attempt.Auth = null;
        attempt.WaitUntil += handshake.Now - attempt.AskedAt;
        switch (answer.Verdict)
        {
            case AuthVerdict.Allowed:
                return UpgradeHeads.Insert(handshake.UpstreamRequest, gate, answer.Bytes)
                    ? Pick(handshake, attempt)
                    : Refuse(handshake, HandshakeOutcome.AuthFailed, "What the auth service adds does not fit into the request.");
            case AuthVerdict.Refused:
                (_outcome, _status) = (HandshakeOutcome.AuthRefused, answer.Status);
                handshake.Response.Clear();
                handshake.Response.Append(answer.Bytes);
                return HandshakeStep.Refuse;
            default:
                return Refuse(handshake, HandshakeOutcome.AuthFailed, answer.Detail);
        }
    }

    /// <summary>It may have an endpoint: by its affinity, else by the load.</summary>
    private HandshakeStep Pick(Handshake handshake, HandshakeAttempt attempt)
    {
        var backend = attempt.Backend;
        if (attempt.Stage != AdmissionStage.Line && !TryBind(handshake, attempt))
            return Refuse(handshake, HandshakeOutcome.KeyLimit, "This key has as many connections as it may.");

        switch (attempt.TryFirst(random, handshake.Now, out var bound))
        {
            case Reservation.Taken:
                backend.Queue.Use(attempt.Place);
                return !attempt.Filters.ChangesRequests || UpgradeHeads.Filter(handshake.UpstreamRequest, _upstreamHead, attempt.Filters)
                    ? Dial(handshake, attempt)
                    : Refuse(handshake, HandshakeOutcome.HeadTooLarge, "The request head is over 32 KiB with what the route's filters add.");
            case Reservation.Full:
                return Refuse(handshake, HandshakeOutcome.BackendFull, "Every endpoint has as many connections as it may.");
            case Reservation.None:
                return Refuse(handshake, HandshakeOutcome.NoEndpoint, Refusals.DescribeNone(backend));
        }

        attempt.Stage = AdmissionStage.Line;
        return backend.Queue.LineUp(attempt.Place, bound, handshake.Now) ? Wait(handshake, attempt) : RefuseFull(handshake, backend);
    }

    /// <summary>Claims the request's key and reads its affinity, where there are such. False: the key has as many as it may.</summary>
    private bool TryBind(Handshake handshake, HandshakeAttempt attempt)
    {
        var backend = attempt.Backend;
        var affinity = backend.Affinity;
        var limit = backend.Options.Limits.ConnectionsPerKey is { Max: > 0 } given ? given : null;
        if (limit is null && affinity.IsNone)
            return true;
        var view = UpstreamView(handshake);
        if (limit is not null && !backend.Counts.TryClaimKey(limit, _upstreamHead, ref attempt.Claims))
            return false;
        attempt.Bind(affinity, in view, handshake.Client, runtime.Time.GetUtcNow().ToUnixTimeSeconds());
        return true;
    }

    private static HandshakeStep Wait(Handshake handshake, HandshakeAttempt attempt)
    {
        handshake.WaitTimeout = (int)Math.Clamp(attempt.WaitUntil - handshake.Now, 1, int.MaxValue);
        return HandshakeStep.Wait;
    }

    private HandshakeStep RefuseFull(Handshake handshake, BackendState backend) =>
        Refuse(handshake, HandshakeOutcome.QueueFull, "As many handshakes wait as may.", backend.Queue.RetryAfter());

    private RequestView UpstreamView(Handshake handshake)
    {
        if (_upstreamHead.Parse(handshake.UpstreamRequest.Bytes) is var fault and not HeadFault.None)
            throw new InvalidOperationException("The head for the endpoint breaks our own rules: " + fault);
        return _upstreamHead.View;
    }

    private static string Printable(ReadOnlySpan<byte> value)
    {
        const int Most = 100;
        var text = System.Text.Encoding.ASCII.GetString(value[..Math.Min(value.Length, Most)]);
        return value.Length > Most ? text + "..." : text;
    }
}

/// <summary>What the handshakes' decisions tell the operator.</summary>
internal static partial class HandshakeLog
{
    [LoggerMessage(
        1260,
        LogLevel.Warning,
        "routes[{Route}].origins: an upgrade from origin {Origin} to {Host} was refused with 403; if its pages are yours, add it there. Further refusals of this route are only counted")]
    public static partial void OriginRefused(ILogger logger, int route, string origin, string host);
}
