using System.Globalization;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Affinity;

/// <summary>A backend's <c>affinity</c>, ready for use; made anew when it changes. Thread-safe.</summary>
internal sealed class AffinityPlan
{
    /// <summary>Cookies of the right name and length that are looked at: a request may carry hundreds that a neighbour made up, and each costs a hash.</summary>
    private const int MostCookies = 8;

    private readonly AffinityKind _kind;
    private readonly bool _balancesByHash;
    private readonly byte[] _name;
    private readonly AffinityCookie? _cookie;
    private readonly byte[] _attributes = [];

    /// <param name="secrets">Loaded for a configuration that has these options; null: the cookies' secret is this plan's own.</param>
    public AffinityPlan(BackendOptions options, AffinitySecrets? secrets = null)
    {
        var affinity = options.Affinity;
        _kind = affinity.Kind;
        _balancesByHash = options.LoadBalancing == LoadBalancingPolicy.ConsistentHash;
        // Headers are looked up in lower case.
        _name = Encoding.UTF8.GetBytes(_kind == AffinityKind.Header ? affinity.Name.ToLowerInvariant() : affinity.Name);
        if (_kind != AffinityKind.Cookie)
            return;
        var cookie = affinity.Cookie ?? new AffinityCookieOptions();
        var ttl = (long)Math.Ceiling(cookie.Ttl.TotalSeconds);
        _name = Encoding.ASCII.GetBytes(cookie.Name);
        _cookie = new AffinityCookie(options.Name, (secrets ?? new AffinitySecrets()).Of(cookie), ttl);
        _attributes = Encoding.ASCII.GetBytes(
            "; Path=" + cookie.Path + (ttl > 0 ? "; Max-Age=" + ttl.ToString(CultureInfo.InvariantCulture) : "") + "; HttpOnly; SameSite=" + cookie.SameSite);
    }

    /// <summary>Nothing is to be known of requests.</summary>
    public bool IsNone => _kind == AffinityKind.None && !_balancesByHash;

    /// <summary>Affinity is by cookie.</summary>
    public bool IsByCookie => _cookie is not null;

    /// <summary>What a request is known by.</summary>
    /// <param name="request">The head as the endpoint gets it: what clients may not say is gone, what an auth service said is there.</param>
    /// <param name="client">As trusted proxies say.</param>
    /// <param name="nowSeconds">Seconds since 1970.</param>
    public AffinityKey KeyOf(in RequestView request, in NativeAddress client, long nowSeconds)
    {
        var key = _cookie is null ? new AffinityKey(0, HashOf(in request, in client)) : Find(_cookie, request.Headers, nowSeconds);
        return key.Hash is null && _balancesByHash ? key with { Hash = HashOf(in client) } : key;
    }

    /// <summary>Whether the answer must set a cookie: affinity is by cookie, and the request's names another endpoint, or none.</summary>
    public bool SetsCookie(in AffinityKey key, EndpointState endpoint) => _cookie is not null && key.Tag != _cookie.TagOf(endpoint.Address);

    /// <summary>What a good cookie calls this endpoint; 0 unless affinity is by cookie.</summary>
    public ulong TagOf(EndpointState endpoint) => _cookie?.TagOf(endpoint.Address) ?? 0;

    /// <summary>Appends one <c>Set-Cookie</c> value, without name and line end.</summary>
    /// <param name="isSecure">The client came over TLS.</param>
    public void WriteCookie(ByteBuffer output, EndpointState endpoint, bool isSecure, long nowSeconds)
    {
        if (_cookie is null)
            return;
        output.Append(_name);
        output.Append((byte)'=');
        _cookie.Write(output, _cookie.TagOf(endpoint.Address), nowSeconds);
        output.Append(_attributes);
        if (isSecure)
            output.Append("; Secure"u8);
    }

    private AffinityKey Find(AffinityCookie cookie, IHeaderLookup? headers, long nowSeconds)
    {
        if (headers is null || !headers.TryGet("cookie"u8, out var rest))
            return AffinityKey.None;
        for (var looked = 0; looked < MostCookies && CookieHeader.TryNext(ref rest, _name, out var value);)
        {
            if (value.Length != AffinityCookie.Length)
                continue;
            if (cookie.TryRead(value, nowSeconds, out var tag, out var turn))
                return new AffinityKey(tag, Hash: null, turn);
            looked++;
        }

        return AffinityKey.None;
    }

    /// <summary>Values as they came, percent-encoding untouched, as routes match them. An empty one is none: it would send everybody who has it to one endpoint.</summary>
    private ulong? HashOf(in RequestView request, in NativeAddress client)
    {
        switch (_kind)
        {
            case AffinityKind.Header when request.Headers is { } headers && headers.TryGet(_name, out var value) && !value.IsEmpty:
                return StableHash.Of(value);
            case AffinityKind.Query when Route.TryGetParameter(request.Query, _name, out var value) && !value.IsEmpty:
                return StableHash.Of(value);
            case AffinityKind.ClientAddress:
                return HashOf(in client);
            default:
                return null;
        }
    }

    private static ulong HashOf(in NativeAddress client) => StableHash.Of(ClientKey.KeyOf(in client));
}
