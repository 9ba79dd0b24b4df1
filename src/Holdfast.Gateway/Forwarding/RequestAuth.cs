using Holdfast.Gateway.Auth;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Asks a backend's auth service about plain requests, before anything of a body is read.</summary>
internal static class RequestAuth
{
    /// <summary>True: the request's headers are as the endpoint may see them. False: the client has got its answer, or has left.</summary>
    public static async Task<bool> IsAdmittedAsync(AuthGate auth, PlainRequest request)
    {
        AuthAnswer answer;
        try
        {
            answer = await auth.AskInTurnAsync(QuestionOf(auth, request), request.Context.RequestAborted).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        switch (answer.Verdict)
        {
            case AuthVerdict.Allowed:
                request.Auth = auth;
                request.Copied = answer.Headers;
                return true;
            case AuthVerdict.Refused:
                await RelayAsync(request.Context, answer).ConfigureAwait(false);
                return false;
            default:
                await request.RefuseAsync(StatusCodes.Status503ServiceUnavailable, answer.Detail).ConfigureAwait(false);
                return false;
        }
    }

    private static AuthQuestion QuestionOf(AuthGate auth, PlainRequest request)
    {
        var host = request.IsTrusted && request.Head.TryGet("x-forwarded-host"u8, out var forwarded) ? forwarded : default;
        return AuthQuestion.From(auth, request.View, request.Client, request.IsSecure ? "https" : "http", host);
    }

    private static async Task RelayAsync(HttpContext context, AuthAnswer answer)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
            response.Headers.Append(name, value);
        response.ContentLength = answer.Body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.BodyWriter.WriteAsync(answer.Body, context.RequestAborted).ConfigureAwait(false);
    }
}
