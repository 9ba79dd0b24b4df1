using System.Runtime.CompilerServices;
using System.Text;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Forwarding.Upstream;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding;

/// <summary>
/// Forwards plain requests to the same backends as the WebSockets: same routes, limits, affinity, auth and health. Decides where a request goes; the exchange itself is
/// <see cref="Exchange"/>. Another endpoint is asked only while the one before cannot have seen a whole request. Thread-safe.
/// </summary>
internal sealed partial class HttpForwarder : IDisposable
{
    /// <summary>
    /// How long a client may take over one piece of an answer (that of 137 bytes per second; Kestrel's own measure, 240 bytes per second, lets a client that has
    /// taken some MB rest for hours).
    /// </summary>
    public static readonly TimeSpan LongestPiece = TimeSpan.FromMinutes(2);

    private readonly GatewayRuntime _runtime;
    private readonly IRequestTelemetry _telemetry;
    private readonly UpstreamPool _pool;
    private readonly ExchangeSettings _settings;
    private readonly Action<RequestRun> _answered;

    public HttpForwarder(GatewayRuntime runtime, IRequestTelemetry telemetry, TimeSpan longestPiece)
    {
        (_runtime, _telemetry) = (runtime, telemetry);
        _pool = new UpstreamPool(runtime);
        _answered = OnAnswered;
        _settings = new ExchangeSettings(_pool, runtime.Time, longestPiece, () => runtime.Phase >= GatewayPhase.Draining);
    }

    /// <summary>Connections to endpoints that wait for a request.</summary>
    public int IdleConnections => _pool.Count;

    public async Task ForwardAsync(PlainRequest request)
    {
        var run = new RequestRun(request, _runtime.Time.GetTimestamp());
        // A connection has a place for itself and one to an endpoint: HTTP/2's further requests take more.
        var takesPlace = HttpProtocol.IsHttp2(request.Context.Request.Protocol);
        if (takesPlace && !_runtime.TryAdmit(request.Connection.ListenerId))
        {
            await RefuseAsync(run, 503, RequestOutcome.GatewayFull, "The gateway is at its limit of connections.").ConfigureAwait(false);
            _telemetry.OnRequestEnded(run.ToRecord(_runtime.Time));
            return;
        }

        try
        {
            await ServeAsync(run).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Kestrel logs it, and answers 500 or cuts the answer.
            (run.Outcome, run.Status) = (RequestOutcome.InternalError, request.Context.Response.HasStarted ? run.Status : 500);
            throw;
        }
        finally
        {
            if (run.Backend is { } backend)
            {
                backend.Counts.Release(in run.Claims, request.Client);
                backend.EndRequest();
            }

            if (takesPlace)
                _runtime.Leave(request.Connection.ListenerId);
            run.Exchange?.Dispose();
            _telemetry.OnRequestEnded(run.ToRecord(_runtime.Time));
        }
    }

    public void Dispose() => _pool.Dispose();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask ServeAsync(RequestRun run)
    {
        var request = run.Request;
        if (!_runtime.Routes.TryMatch(request.View, out var route))
        {
            await RefuseAsync(run, 404, RequestOutcome.NoRoute, "No route matches this host and path.").ConfigureAwait(false);
            return;
        }

        var exchange = run.Exchange = new Exchange(request, route, _settings);
        if (route.Filters.RedirectOf(request.Head, request.IsSecure, out var status, request.IsTrusted) is { } location)
        {
            Redirect(run, status, location);
            return;
        }

        if (status > 0)
        {
            await RefuseAsync(run, 400, RequestOutcome.BadRequest, "The route redirects, and neither it nor the request names a host.").ConfigureAwait(false);
            return;
        }

#pragma warning disable RS0030 // Thread-safe, and fairness is all that hangs on it.
        var random = Random.Shared;
#pragma warning restore RS0030
        if (route.Choose(random) is not { } backend)
        {
            await RefuseAsync(run, 500, RequestOutcome.NoBackend, "Every backend of the route has weight 0.").ConfigureAwait(false);
            return;
        }

        run.Backend = backend;
        backend.BeginRequest();
        exchange.Begin();
        if (!backend.Counts.TryClaimAddress(backend.Options.Limits, request.Client, ref run.Claims))
        {
            await RefuseAsync(run, 429, RequestOutcome.ClientAddressLimit, "This client address has as many connections as it may.").ConfigureAwait(false);
            return;
        }

        if (backend.IsFull())
        {
            await RefuseFullAsync(run).ConfigureAwait(false);
            return;
        }

        if (backend.Auth is { } auth && await RequestAuth.AskAsync(auth, request, exchange.IsBodyTaken && !_settings.IsLeaving()).ConfigureAwait(false) is { } refusal)
        {
            (run.Outcome, run.Status) = (refusal, refusal == RequestOutcome.ClientGone ? 0 : request.Context.Response.StatusCode);
            return;
        }

        var head = HeadBuffers.Take();
        try
        {
            var facts = new HeadFacts(request.Connection.Peer, request.IsTrusted, request.Connection.IsTls, run.Id) { ClientCertificate = request.Connection.ClientCertificate };
            UpgradeHeads.WritePlain(head, request.Head, in facts, request.Auth, request.Copied);
            if (!TryBind(run, head, out var key))
            {
                await RefuseAsync(run, 429, RequestOutcome.KeyLimit, "This key has as many connections as it may.").ConfigureAwait(false);
                return;
            }

            // Last of all: what decides about a request is what the client has sent, and what the auth service has said.
            if (route.Filters.ChangesRequests && !UpgradeHeads.Filter(head, new RequestHead(HandshakePolicy.MostUpstreamHeaders), route.Filters))
            {
                await RefuseAsync(run, 431, RequestOutcome.BadRequest, "The request head is over 32 KiB with what the route's filters add.").ConfigureAwait(false);
                return;
            }

            await TryEndpointsAsync(run, head, key, random).ConfigureAwait(false);
        }
        finally
        {
            HeadBuffers.Give(head);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask TryEndpointsAsync(RequestRun run, ByteBuffer head, AffinityKey key, Random random)
    {
        var backend = run.Backend!;
        UpstreamException? failure = null;
        while (run.Attempts < HandshakeAttempt.Most)
        {
            var reservation = Reserve(run, key, random, out var endpoint, out var trial);
            if (reservation != Reservation.Taken)
            {
                if (failure is null)
                {
                    await (reservation == Reservation.None
                        ? RefuseAsync(run, 503, RequestOutcome.NoEndpoint, Refusals.DescribeNone(backend))
                        : RefuseFullAsync(run)).ConfigureAwait(false);
                    return;
                }

                break;
            }

            run.Tried[run.Attempts++] = endpoint!.Id;
            run.Endpoint = endpoint;
            try
            {
                await RunAsync(run, endpoint, head, key, trial).ConfigureAwait(false);
                (run.Outcome, run.Status) = (RequestOutcome.Forwarded, run.Exchange!.Status);
                return;
            }
            catch (UpstreamException e) when (e.IsBeforeRequest)
            {
                failure = e;
                if (e.Fault == UpstreamFault.LocalResources)
                    break;
                if (e.IsConnectFailure)
                {
                    backend.Ejections.Failed(endpoint, trial, _runtime.Clock.Milliseconds, isHandshake: false);
                    _pool.Drop(endpoint);
                }
            }
            catch (UpstreamException e)
            {
                await RefuseAsync(run, e).ConfigureAwait(false);
                return;
            }
            catch (ExchangeEndedException e)
            {
                await EndAsync(run, e.End).ConfigureAwait(false);
                return;
            }
            finally
            {
                backend.Ejections.GiveBack(endpoint, trial, _runtime.Clock.Milliseconds);
                endpoint.ReleaseRequest();
            }
        }

        await RefuseAsync(run, failure!).ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask RunAsync(RequestRun run, EndpointState endpoint, ByteBuffer head, AffinityKey key, long trial)
    {
        var exchange = run.Exchange!;
        if (endpoint.Resolved is not { } resolved)
            throw new UpstreamException(UpstreamFault.Unreachable);
        var tls = run.Backend!.Tls;
        (run.Key, run.Trial) = (key, trial);
        while (_pool.TryRent(endpoint, resolved.Address, tls) is { } idle)
        {
            try
            {
                await exchange.RunAsync(idle, head.Memory, run, _answered).ConfigureAwait(false);
                return;
            }
            catch (UpstreamException e) when (e.Fault == UpstreamFault.NotSent)
            {
                // It was closed just now.
            }
        }

        var connection = await ConnectAsync(exchange, endpoint, resolved.Address, tls).ConfigureAwait(false);
        await exchange.RunAsync(connection, head.Memory, run, _answered).ConfigureAwait(false);
    }

    private static ValueTask<UpstreamConnection> ConnectAsync(Exchange exchange, EndpointState endpoint, NativeAddress address, UpstreamTls? tls) =>
        exchange.ConnectAsync(cancel => UpstreamConnection.ConnectAsync(endpoint, address, tls, cancel));

    /// <summary>At the answer's head.</summary>
    private void OnAnswered(RequestRun run)
    {
        var backend = run.Backend!;
        backend.Ejections.Answered(run.Endpoint!, run.Trial, _runtime.Clock.Milliseconds);
        var affinity = backend.Affinity;
        if (!affinity.SetsCookie(in run.Key, run.Endpoint!))
            return;
        var cookie = new ByteBuffer();
        affinity.WriteCookie(cookie, run.Endpoint!, run.Request.IsSecure, _runtime.Time.GetUtcNow().ToUnixTimeSeconds());
        AnswerHeaders.Append(run.Request.Context.Response.Headers, "Set-Cookie", Encoding.Latin1.GetString(cookie.Bytes));
    }

    private Reservation Reserve(RequestRun run, in AffinityKey key, Random random, out EndpointState? endpoint, out long trial)
    {
        var request = new PickRequest(random, _runtime.Clock.Milliseconds, run.Tried.AsSpan(0, run.Attempts)) { IsHandshake = false, Key = key };
        return run.Backend!.Reserve(in request, out endpoint, out trial);
    }

    /// <summary>Claims the request's key and reads its affinity, where there are such, off the head as the endpoint gets it. False: the key has as many as it may.</summary>
    private bool TryBind(RequestRun run, ByteBuffer head, out AffinityKey key)
    {
        key = AffinityKey.None;
        var backend = run.Backend!;
        var affinity = backend.Affinity;
        var limit = backend.Options.Limits.ConnectionsPerKey is { Max: > 0 } given ? given : null;
        if (limit is null && affinity.IsNone)
            return true;
        var sent = new RequestHead(HandshakePolicy.MostUpstreamHeaders);
        if (sent.Parse(head.Bytes) is var fault and not HeadFault.None)
            throw new InvalidOperationException("The head for the endpoint breaks our own rules: " + fault);
        if (limit is not null && !backend.Counts.TryClaimKey(limit, sent, ref run.Claims))
            return false;
        key = affinity.KeyOf(sent.View, run.Request.Client, _runtime.Time.GetUtcNow().ToUnixTimeSeconds());
        return true;
    }
}
