using Holdfast.Gateway.Forwarding.Upstream;

namespace Holdfast.Gateway.Forwarding;

/// <summary>What the gateway answers itself: redirects, refusals, and the ends of exchanges that have no answer of an endpoint's.</summary>
internal sealed partial class HttpForwarder
{
    private static void Redirect(RequestRun run, int status, string location)
    {
        var response = run.Request.Context.Response;
        response.StatusCode = status;
        response.Headers.Location = location;
        response.ContentLength = 0;
        if (!run.Exchange!.IsBodyTaken)
            AnswerHeaders.SayClose(run.Request.Context);
        (run.Outcome, run.Status) = (RequestOutcome.Redirected, status);
    }

    private Task RefuseFullAsync(RequestRun run) =>
        RefuseAsync(run, 503, RequestOutcome.BackendFull, "Every endpoint has as many connections as it may.");

    private Task RefuseAsync(RequestRun run, UpstreamException failure)
    {
        var (status, outcome) = failure.Fault switch
        {
            UpstreamFault.ConnectTimeout => (504, RequestOutcome.ConnectTimeout),
            UpstreamFault.LocalResources => (503, RequestOutcome.GatewayFull),
            _ when failure.IsBeforeRequest => (502, RequestOutcome.ConnectFailed),
            UpstreamFault.NoAnswer => (502, RequestOutcome.NoAnswer),
            UpstreamFault.BodyCut => (502, RequestOutcome.AnswerCut),
            _ => (502, RequestOutcome.BadAnswer),
        };
        return RefuseAsync(run, status, outcome, failure.Message);
    }

    /// <summary>The exchange was ended from the client's side, or by the clock.</summary>
    private Task EndAsync(RequestRun run, ExchangeEnd end)
    {
        var exchange = run.Exchange!;
        switch (end)
        {
            case ExchangeEnd.RequestTimeout:
                return RefuseAsync(run, 504, RequestOutcome.RequestTimeout, exchange switch
                {
                    { IsSent: false } => "The request's time ran out while an endpoint was connected to.",
                    { IsBodyTaken: false } => "The request's time ran out while its body was sent.",
                    _ => "The endpoint did not answer in time.",
                });
            case ExchangeEnd.BadBody when exchange.BodyFault == 408:
                return RefuseAsync(run, 408, RequestOutcome.BodyTimeout, "The request's body comes too slowly.");
            case ExchangeEnd.BadBody when !run.Request.IsBodyMalformed:
                // Mostly its sender has left; one that has only ended its direction is told.
                return RefuseAsync(run, exchange.BodyFault, RequestOutcome.ClientGone, "The request's body breaks off.");
            case ExchangeEnd.BadBody:
                return RefuseAsync(run, exchange.BodyFault, RequestOutcome.BadRequest, "The request's body is malformed.");
            case ExchangeEnd.Bug:
                throw new InvalidOperationException("The request's body could not be passed on.", exchange.Bug);
            default:
                run.Outcome = end == ExchangeEnd.ClientStalled ? RequestOutcome.ClientStalled : RequestOutcome.ClientGone;
                run.Status = exchange.Status;
                // Whatever is left of an answer must not look whole.
                run.Request.Context.Abort();
                return Task.CompletedTask;
        }
    }

    /// <summary>The gateway's own answer; an answer that has begun is cut, so that the client cannot take it for a whole one.</summary>
    private Task RefuseAsync(RequestRun run, int status, RequestOutcome outcome, string detail)
    {
        run.Outcome = outcome;
        if (run.Request.Context.Response.HasStarted)
        {
            run.Status = run.Exchange!.Status;
            run.Request.Context.Abort();
            return Task.CompletedTask;
        }

        run.Status = status;
        var mayKeep = (run.Exchange?.IsBodyTaken ?? !(run.Request.Head.IsChunked || run.Request.Head.ContentLength > 0)) && !_settings.IsLeaving();
        return RequestRefusals.WriteAsync(run.Request, status, outcome, detail, mayKeep);
    }
}
