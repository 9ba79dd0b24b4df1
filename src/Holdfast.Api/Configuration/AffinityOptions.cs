namespace Holdfast.Api.Configuration;

/// <summary>What a client that comes back is known by.</summary>
public enum AffinityKind
{
    /// <summary>Every handshake is balanced by itself.</summary>
    None,

    /// <summary>A cookie of the gateway's, which names the endpoint.</summary>
    Cookie,

    /// <summary>A request header; its value is hashed over the endpoints.</summary>
    Header,

    /// <summary>A query parameter; its value is hashed over the endpoints.</summary>
    Query,

    /// <summary>The client's address, hashed over the endpoints; of IPv6 its /64, which is one subscriber's (RFC 6177).</summary>
    ClientAddress,
}

/// <summary>How the same client gets the same endpoint.</summary>
public sealed record AffinityOptions
{
    public AffinityKind Kind { get; init; }

    /// <summary>Of the header (a token, any case) or the query parameter (case-sensitive); empty with other kinds.</summary>
    public string Name { get; init; } = "";

    /// <summary>With <see cref="AffinityKind.Cookie"/>, and only then.</summary>
    public AffinityCookieOptions? Cookie { get; init; }
}

/// <summary>The cookie: <c>HttpOnly</c>, <c>Path=/</c>, and <c>Secure</c> when the client came over TLS. Its value is authenticated and tells nothing of the endpoint.</summary>
public sealed record AffinityCookieOptions
{
    /// <summary>A token (RFC 6265 4.1.1). Default holdfast.</summary>
    public string Name { get; init; } = "holdfast";

    /// <summary>
    /// For how long it binds from when it was set, as its <c>Max-Age</c> too; 0, the default: while the browser's session lasts (as HAProxy's and nginx' sticky cookies).
    /// </summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.Zero;

    /// <summary>Default Lax, the browsers' own. <see cref="SameSitePolicy.None"/> needs a client over TLS.</summary>
    public SameSitePolicy SameSite { get; init; } = SameSitePolicy.Lax;

    /// <summary>The path that the cookie is for. Default /.</summary>
    public string Path { get; init; } = "/";

    /// <summary>
    /// File with the secret (at least 32 bytes after trimming white space) that authenticates the value, read when the configuration is applied; gateways that share
    /// cookies share it. Null, the default: random for this process, so that a restart balances everyone anew.
    /// </summary>
    public string? SecretFile { get; init; }
}

/// <summary>When a browser sends a cookie along with requests that come from other sites.</summary>
public enum SameSitePolicy
{
    Lax,
    Strict,
    None,
}
