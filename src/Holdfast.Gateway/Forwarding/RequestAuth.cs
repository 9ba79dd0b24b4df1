using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Forwarding.Upstream;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Asks a backend's auth service about plain requests, before anything of a body is read.</summary>
internal static class RequestAuth
{
    /// <summary>Null: the request's headers are as the endpoint may see them. Else: the client has got its answer, or has left.</summary>
    /// <param name="mayKeep">The client's connection may serve another request after a refusal.</param>
    public static async Task<RequestOutcome?> AskAsync(AuthGate auth, PlainRequest request, bool mayKeep)
    {
        AuthAnswer answer;
        try
        {
            answer = await auth.AskInTurnAsync(QuestionOf(auth, request), request.Context.RequestAborted).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return RequestOutcome.ClientGone;
        }

        switch (answer.Verdict)
        {
            case AuthVerdict.Allowed:
                request.Auth = auth;
                request.Copied = answer.Headers;
                return null;
            case AuthVerdict.Refused:
                await RelayAsync(request.Context, answer, mayKeep).ConfigureAwait(false);
                return RequestOutcome.AuthRefused;
            default:
                await RequestRefusals.WriteAsync(request, StatusCodes.Status503ServiceUnavailable, RequestOutcome.AuthFailed, answer.Detail, mayKeep).ConfigureAwait(false);
                return RequestOutcome.AuthFailed;
        }
    }

    private static AuthQuestion QuestionOf(AuthGate auth, PlainRequest request)
    {
        var host = request.IsTrusted && request.Head.TryGet("x-forwarded-host"u8, out var forwarded) ? forwarded : default;
        return AuthQuestion.From(auth, request.View, request.Client, request.IsSecure ? "https" : "http", host);
    }

    private static async Task RelayAsync(HttpContext context, AuthAnswer answer, bool mayKeep)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
            response.Headers.Append(name, value);
        if (!mayKeep)
            AnswerHeaders.SayClose(context);
        response.ContentLength = answer.Body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.BodyWriter.WriteAsync(answer.Body, context.RequestAborted).ConfigureAwait(false);
    }
}
