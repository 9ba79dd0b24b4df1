using System.Text;
using Holdfast.Gateway.Filters;
using Holdfast.Gateway.Handshakes;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>An endpoint's answer head as Kestrel's: what concerns one hop stays here, the rest goes on as it came, but for the route's filters.</summary>
internal static class AnswerHeaders
{
    /// <param name="idle">How long the connection may wait for another request; changed where the endpoint says how long it keeps it.</param>
    public static void Write(in ResponseHead head, HttpResponse response, FilterPlan filters, ref TimeSpan idle)
    {
        response.StatusCode = head.Status;
        // Kestrel has the usual ones ready as bytes.
        if (!(head.Status == 200 && head.Reason.SequenceEqual("OK"u8)) && !Ascii.Equals(head.Reason, ReasonPhrases.GetReasonPhrase(head.Status)) && Ascii.IsValid(head.Reason))
            response.HttpContext.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = Encoding.ASCII.GetString(head.Reason);
        var headers = response.Headers;
        var hasOptions = head.HasConnectionOptions;
        foreach (var line in head)
        {
            var name = line.Name;
            if (HeadRules.NameEquals(name, "keep-alive"u8))
                idle = IdleOf(line.Value, idle);
            if ((UpgradeHeads.IsHopByHop(name) && !(head.Status == 426 && HeadRules.NameEquals(name, "upgrade"u8))) || UpgradeHeads.IsHoldfast(name)
                || (hasOptions && head.Lists(ResponseHeader.Connection, name)) || filters.DropsResponseHeader(name))
                continue;
            if (HeaderLineIsLength(name))
            {
                // A 204 has none (RFC 9110 8.6).
                if (head.Status != 204)
                    response.ContentLength = head.ContentLength;
                continue;
            }

            Append(headers, RecentText.Of(name), RecentText.Of(line.Value));
        }

        foreach (var (name, value) in filters.ResponseHeaders)
            Append(headers, name, value);
    }

    public static void Append(IHeaderDictionary headers, string name, string value) =>
        headers[name] = headers.TryGetValue(name, out var before) ? StringValues.Concat(before, value) : new StringValues(value);

    /// <summary>The client's connection ends with this answer. HTTP/2 has no word for it in a head.</summary>
    public static void SayClose(HttpContext context)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
    }

    /// <summary>A second less than the endpoint says, so that it does not close as a request comes.</summary>
    private static TimeSpan IdleOf(ReadOnlySpan<byte> value, TimeSpan usual)
    {
        while (!value.IsEmpty)
        {
            var comma = value.IndexOf((byte)',');
            var element = (comma < 0 ? value : value[..comma]).Trim(" \t"u8);
            value = comma < 0 ? default : value[(comma + 1)..];
            var equals = element.IndexOf((byte)'=');
            if (equals > 0 && HeadRules.NameEquals(element[..equals].TrimEnd(" \t"u8), "timeout"u8)
                && HeadRules.TryParseContentLength(element[(equals + 1)..].Trim(" \t\""u8), out var seconds))
                return TimeSpan.FromSeconds(Math.Clamp(seconds - 1, 0, (long)UpstreamPool.LongestIdle.TotalSeconds));
        }

        return usual;
    }

    private static bool HeaderLineIsLength(ReadOnlySpan<byte> name) => name.Length == 14 && HeadRules.NameEquals(name, "content-length"u8);
}
