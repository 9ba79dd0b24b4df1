using System.Globalization;
using System.Text;
using Holdfast.Gateway.Forwarding.Upstream;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding;

/// <summary>The gateway's own answers to plain requests: as those to handshakes, a line of text, or JSON where a client that means well should come back later.</summary>
internal static class RequestRefusals
{
    /// <summary>Seconds after which it makes sense to try again.</summary>
    private const int RetryAfter = 1;

    /// <param name="mayKeep">False: of the request's body something is still to come, which nobody will read.</param>
    public static async Task WriteAsync(PlainRequest request, int status, RequestOutcome outcome, string detail, bool mayKeep)
    {
        var response = request.Context.Response;
        response.Clear();
        response.StatusCode = status;
        if (!mayKeep)
            AnswerHeaders.SayClose(request.Context);
        if (status is 429 or 503)
            response.Headers.RetryAfter = RetryAfter.ToString(CultureInfo.InvariantCulture);
        var isJson = outcome is RequestOutcome.ClientAddressLimit or RequestOutcome.KeyLimit or RequestOutcome.BackendFull;
        response.ContentType = isJson ? "application/json" : "text/plain; charset=utf-8";
        // The details are the gateway's own words: nothing in them needs escaping.
        var body = Encoding.ASCII.GetBytes(isJson
            ? string.Create(CultureInfo.InvariantCulture, $"{{\"error\":\"{TelemetryNames.Of(outcome)}\",\"message\":\"{detail}\",\"retryAfter\":{RetryAfter}}}\n")
            : detail + "\n");
        response.ContentLength = body.Length;
        if (!request.Head.Method.SequenceEqual("HEAD"u8))
            await response.BodyWriter.WriteAsync(body, CancellationToken.None).ConfigureAwait(false);
    }
}
