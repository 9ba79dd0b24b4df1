using System.Text.RegularExpressions;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>What must hold of the headers and trailers of every request that an endpoint sees, whatever a client has sent.</summary>
internal static partial class HeaderRules
{
    /// <summary>A mark in the values that clients give to headers which are not theirs to set.</summary>
    public const string Forged = "forged";

    /// <summary>Names that may not come as trailers: they frame, route or admit (RFC 9110 6.5.1), or are the gateway's own.</summary>
    private static readonly string[] NoTrailers =
    [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect", "authorization", "cookie", "content-type", "content-encoding", "content-range",
        "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "holdfast-connection-id", "holdfast-rehomed", "proxy-connection", "proxy-authorization",
    ];

    public static IEnumerable<string> FaultsOf(StrictRequest request)
    {
        foreach (var once in (string[])["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Holdfast-Connection-Id", "traceparent"])
        {
            if (request.Values(once).Count() != 1)
                yield return $"{request.Values(once).Count()} {once}";
        }

        if (!request.Values("Holdfast-Connection-Id").All(v => ConnectionId().IsMatch(v)))
            yield return "not the gateway's Holdfast-Connection-Id";
        if (!request.Values("X-Forwarded-For").All(v => v == "127.0.0.1"))
            yield return "not the client's address";
        foreach (var field in request.Headers.Concat(request.Trailers))
        {
            if (field.Value.Contains(Forged, StringComparison.Ordinal) && IsTheGateways(field.Name))
                yield return "forged " + field.Name;
        }

        foreach (var hop in (string[])["Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Trailer"])
        {
            if (request.Values(hop).Any())
                yield return "a hop's own " + hop;
        }

        // The one word for endpoints themselves: that trailers are read.
        if (request.Values("TE").Any(static v => v != "trailers"))
            yield return "a hop's own TE";
        foreach (var trailer in request.Trailers)
        {
            if (NoTrailers.Contains(trailer.Name, StringComparer.OrdinalIgnoreCase))
                yield return "trailer " + trailer.Name;
        }
    }

    private static bool IsTheGateways(string name) =>
        name.StartsWith("x-forwarded-", StringComparison.OrdinalIgnoreCase) || name.StartsWith("holdfast-", StringComparison.OrdinalIgnoreCase)
        || name.Equals("forwarded", StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex(@"\A[0-9a-f]{32}\z")]
    private static partial Regex ConnectionId();
}
