using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Links;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Every request that Kestrel has read for a client: refused, brought to a loop, or forwarded. Thread-safe.</summary>
internal sealed class RequestServer(GatewayRuntime runtime, HttpForwarder forwarder, IRequestTelemetry telemetry)
{
    private readonly UpgradeBridge _bridge = new(runtime);
    private int _inFlight;

    /// <summary>Requests that have no whole answer yet, without those that became WebSockets or are to.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    public async Task ServeAsync(HttpContext context, ClientConnection client)
    {
        var listener = runtime.ListenerOf(client.ListenerId);
        using var request = new PlainRequest(context, client, listener.Trusted, listener.Options.Name);
        if (request.Fault == HeadFault.None && UpgradeBridge.IsUpgrade(request))
        {
            if (await _bridge.RunAsync(request).ConfigureAwait(false) is { } outcome)
            {
                Tell(client, outcome, StatusCodes.Status503ServiceUnavailable);
                await request.RefuseAsync(
                    StatusCodes.Status503ServiceUnavailable,
                    outcome == RequestOutcome.Shutdown ? "The gateway stops." : "The gateway has no descriptors left.").ConfigureAwait(false);
            }

            return;
        }

        Interlocked.Increment(ref _inFlight);
        try
        {
            if (runtime.Phase >= GatewayPhase.Draining)
                Leave(context);
            if (request.Fault != HeadFault.None)
                await RefuseAsync(request, Refusals.StatusOf(request.Fault), Refusals.Describe(request.Fault)).ConfigureAwait(false);
            else if (UpgradeBridge.ConnectOf(context) is not null || HttpMethods.IsConnect(context.Request.Method))
                await RefuseAsync(request, StatusCodes.Status501NotImplemented, "Of CONNECT only WebSockets are served.").ConfigureAwait(false);
            else
                await forwarder.ForwardAsync(request).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    /// <summary>A request was refused for what it is. Any thread.</summary>
    public void OnRefused(ClientConnection client, int status) =>
        Tell(client, status == StatusCodes.Status408RequestTimeout ? RequestOutcome.HeadTimeout : RequestOutcome.BadRequest, status);

    private void Tell(ClientConnection client, RequestOutcome outcome, int status) =>
        telemetry.OnRequestEnded(new RequestRecord { Id = RequestRun.NewId(), Client = client.Peer, Outcome = outcome, Status = status, HeadSeconds = -1 });

    private Task RefuseAsync(PlainRequest request, int status, string detail)
    {
        OnRefused(request.Connection, status);
        return request.RefuseAsync(status, detail);
    }

    /// <summary>The gateway goes: this answer is the last of its connection.</summary>
    private static void Leave(HttpContext context)
    {
        if (HttpProtocol.IsHttp2(context.Request.Protocol))
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        else
            context.Response.OnStarting(static state => { ((HttpResponse)state).Headers.Connection = "close"; return Task.CompletedTask; }, context.Response);
    }
}
