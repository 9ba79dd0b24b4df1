using System.Net;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;
using Holdfast.Tests.Routing;

namespace Holdfast.Tests.Affinity;

/// <summary>Requests as an affinity sees them, and backends that have one.</summary>
internal static class Requests
{
    public const long Now = 1_800_000_000;

    public static BackendOptions Options(AffinityKind kind, string name = "", AffinityCookieOptions? cookie = null) => new()
    {
        Name = "chat",
        Endpoints = [],
        SlowStart = TimeSpan.Zero,
        Affinity = new AffinityOptions { Kind = kind, Name = name, Cookie = kind == AffinityKind.Cookie ? cookie ?? new AffinityCookieOptions() : null },
    };

    public static AffinityKey KeyOf(this AffinityPlan plan, string query = "", string client = "192.0.2.1:1", long now = Now, params (string, string)[] headers) =>
        plan.KeyOf(
            new RequestView
            {
                Method = "GET"u8,
                Host = "test.example"u8,
                Path = "/ws"u8,
                Query = Encoding.ASCII.GetBytes(query),
                Headers = new HeaderLines(headers),
            },
            NativeAddress.From(IPEndPoint.Parse(client)),
            now);

    /// <summary>The whole value of the Set-Cookie.</summary>
    public static string CookieFor(this AffinityPlan plan, EndpointState endpoint, bool isSecure = false, long now = Now)
    {
        var output = new ByteBuffer();
        plan.WriteCookie(output, endpoint, isSecure, now);
        return Encoding.ASCII.GetString(output.Bytes);
    }

    /// <summary>As a browser that was given the endpoint's cookie.</summary>
    public static AffinityKey Returning(this AffinityPlan plan, EndpointState endpoint, long now = Now) =>
        plan.KeyOf(now: now, headers: [("cookie", plan.CookieFor(endpoint, now: now).Split(';')[0])]);
}
