using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Affinity;

/// <summary>A backend's <c>affinity</c>, ready for use; made anew when it changes. Thread-safe.</summary>
internal sealed class AffinityPlan
{
    public AffinityPlan(BackendOptions options) => _ = options;

    /// <summary>What a request is known by.</summary>
    /// <param name="request">The head as the endpoint gets it: what clients may not say is gone, what an auth service said is there.</param>
    /// <param name="client">As trusted proxies say.</param>
    /// <param name="nowSeconds">Seconds since 1970.</param>
    public AffinityKey KeyOf(in RequestView request, in NativeAddress client, long nowSeconds)
    {
        _ = (request.Path.Length, client, nowSeconds);
        return AffinityKey.None;
    }

    /// <summary>Whether the answer must set a cookie: affinity is by cookie, and the request's names another endpoint, or none.</summary>
    public bool SetsCookie(in AffinityKey key, EndpointState endpoint)
    {
        _ = (key, endpoint);
        return false;
    }

    /// <summary>Appends one <c>Set-Cookie</c> value, without name and line end.</summary>
    /// <param name="isSecure">The client came over TLS.</param>
    public void WriteCookie(ByteBuffer output, EndpointState endpoint, bool isSecure, long nowSeconds) => _ = (output, endpoint, isSecure, nowSeconds);
}
