using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>What clients are known by, and the cookie that browsers must take.</summary>
internal static class AffinityValidator
{
    private const int LongestName = 256;

    /// <summary>Browsers ignore longer attributes (RFC 6265bis 5.6).</summary>
    private const int LongestPath = 1024;

    private const string WhenSecure = "which is set only for clients over TLS: no listener of its routes has tls, nor trustedProxies whose X-Forwarded-Proto could say so";

    /// <param name="mayBeSecure">Whether a client can have come over TLS.</param>
    public static void Validate(AffinityOptions affinity, string key, bool mayBeSecure, FaultCollector faults)
    {
        if (affinity.Kind == AffinityKind.Header && HeaderNames.FaultOfKey(affinity.Name, "x-session", "clientAddress: {}") is { } fault)
            faults.Invalid(key + ".header.name", fault);
        if (affinity.Kind == AffinityKind.Query && !Syntax.IsQueryName(affinity.Name))
            faults.Invalid(key + ".query.name",
                $"{Printable.Quote(affinity.Name)} can never match: "
                + "write 1 to 256 visible ASCII characters without '&', '=' and '#', percent-encoded as in the request, for example session");
        if (affinity.Cookie is { } cookie)
            ValidateCookie(cookie, key + ".cookie", mayBeSecure, faults);
    }

    private static void ValidateCookie(AffinityCookieOptions cookie, string key, bool mayBeSecure, FaultCollector faults)
    {
        if (!Syntax.IsToken(cookie.Name) || cookie.Name.Length > LongestName)
            faults.Invalid(key + ".name", $"{Printable.Quote(cookie.Name)} is not a cookie's name; write for example holdfast");
        else if (Prefix(cookie.Name) is { } prefix && !mayBeSecure)
            faults.Invalid(key + ".name", $"browsers drop a cookie whose name starts with {prefix} without Secure, {WhenSecure}; write for example holdfast");
        if (cookie.Ttl > TimeSpan.Zero && cookie.Ttl < TimeSpan.FromSeconds(1))
            faults.Invalid(key + ".ttl", $"{Units.Format(cookie.Ttl)} is under the least that a browser can be told, 1s; write for example 1h, or 0s for as long as its session lasts");
        if (cookie.SameSite == SameSitePolicy.None && !mayBeSecure)
            faults.Invalid(key + ".sameSite", $"browsers drop a cookie with SameSite=None without Secure, {WhenSecure}; write for example Lax");
        if (cookie.Path.Length > LongestPath || !cookie.Path.StartsWith('/') || !Syntax.IsVisible(cookie.Path) || cookie.Path.AsSpan().ContainsAny(";?#"))
            faults.Invalid(key + ".path",
                $"{Printable.Quote(cookie.Path)} is not a cookie's path; up to 1024 characters of visible ASCII without ';', '?' and '#' that start with '/', for example /ws");
        else if (cookie.Path.Length > 1 && cookie.Name.StartsWith("__Host-", StringComparison.OrdinalIgnoreCase))
            faults.Invalid(key + ".path", "browsers drop a cookie whose name starts with __Host- for any other path than '/'; write /, or another name");
    }

    /// <summary>RFC 6265bis 4.1.3; browsers compare without case.</summary>
    private static string? Prefix(string name) => Array.Find((string[])["__Host-", "__Secure-", "__Http-"], p => name.StartsWith(p, StringComparison.OrdinalIgnoreCase));
}
