using Holdfast.Gateway.Telemetry;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Health;

/// <summary>A GET that 200 to 299 answers. No redirect is followed, and the body is not read: the status says it all.</summary>
internal static class HttpCheck
{
    /// <summary>How an endpoint's log tells these requests from users'.</summary>
    public static string UserAgent { get; } = "holdfast-health/" + GatewayVersion.Text;

    public static async Task<CheckResult> RunAsync(CheckStream stream, string host, string path, CancellationToken cancel)
    {
        await stream.SendAsync(
            $"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {UserAgent}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            cancel).ConfigureAwait(false);
        var (head, broken) = await stream.ReadHeadAsync(cancel).ConfigureAwait(false);
        if (broken is not null)
            return broken.Value;
        var fault = ResponseHead.TryParse(head, out var response);
        if (fault != ResponseFault.None)
            return new CheckResult(CheckOutcome.BadAnswer, "it answered no valid HTTP: " + fault);
        return response.Status switch
        {
            >= 200 and < 300 => CheckResult.Passed,
            >= 300 and < 400 => new CheckResult(CheckOutcome.BadStatus, FormattableString.Invariant($"it answered {response.Status}, and redirects are not followed")),
            _ => new CheckResult(CheckOutcome.BadStatus, FormattableString.Invariant($"it answered {response.Status}")),
        };
    }
}
