using System.Text;
using Holdfast.Gateway.Handshakes;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>Which fields may come behind a body (RFC 9110 6.5.1): not those that decide how a message is framed, routed, authorised or read.</summary>
internal static class TrailerRules
{
    private static readonly HashSet<string> Kept = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Cache-Control", "Expect", "Max-Forwards", "Pragma", "Range",
        "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Authorization", "Cookie", "Set-Cookie", "WWW-Authenticate",
        "Proxy-Authentication-Info", "Authentication-Info", "Age", "Date", "Expires", "Location", "Retry-After", "Vary", "Warning", "Forwarded",
    };

    public static bool MayPass(ReadOnlySpan<byte> name) =>
        !UpgradeHeads.IsHopByHop(name) && !UpgradeHeads.IsHoldfast(name) && !Kept.Contains(Encoding.Latin1.GetString(name));
}
