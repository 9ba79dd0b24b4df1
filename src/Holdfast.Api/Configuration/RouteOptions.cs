namespace Holdfast.Api.Configuration;

/// <summary>What requests go to which backend. All conditions must hold; the most specific route wins, in Gateway API's order (HTTPRoute).</summary>
public sealed record RouteOptions
{
    /// <summary>Names of the listeners that it serves. Empty, the default: all (Gateway API HTTPRoute <c>parentRefs</c>).</summary>
    public IReadOnlyList<string> Listeners { get; init; } = [];

    /// <summary>
    /// Lower-case host names, without port: exact (<c>chat.example.com</c>) or wildcard (<c>*.example.com</c>, which matches one or more
    /// labels, never the bare domain). Empty, the default: any host (Gateway API HTTPRoute <c>hostnames</c>).
    /// </summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>Default: prefix <c>/</c>, every path (Gateway API's default match).</summary>
    public PathMatch Path { get; init; } = PathMatch.Any;

    /// <summary>All must be present with exactly this value; names ignore case. At most 16 (Gateway API).</summary>
    public IReadOnlyList<NameValueMatch> Headers { get; init; } = [];

    /// <summary>Query parameters that must be present with exactly this value; names are case-sensitive. At most 16 (Gateway API).</summary>
    public IReadOnlyList<NameValueMatch> Query { get; init; } = [];

    /// <summary>
    /// Any of these methods, case-sensitive (RFC 9110 9.1). Empty, the default: every method. A WebSocket handshake over HTTP/1.1 is a GET.
    /// </summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>
    /// Origins (RFC 6454) that upgrades may come from: <c>https://app.example.com</c>, with <c>*</c> for a whole label (<c>https://*.example.com</c>), the scheme or the
    /// port left open (<c>app.example.com</c>, <c>http://localhost:*</c>), <c>null</c>, or <c>*</c> for all. Empty, the default: the same host name as the request's, scheme
    /// and port ignored. Requests without an Origin come from no browser and pass.
    /// </summary>
    public IReadOnlyList<string> Origins { get; init; } = [];

    public RouteFilters Filters { get; init; } = new();

    public RouteTimeouts Timeouts { get; init; } = new();

    /// <summary>At least one, unless the route redirects; chosen by weight. The YAML's <c>backend: chat</c> is one entry of weight 1.</summary>
    public required IReadOnlyList<WeightedBackend> Backends { get; init; }
}

/// <summary>How <see cref="PathMatch.Value"/> is compared.</summary>
public enum PathMatchKind
{
    /// <summary>
    /// By whole path elements: <c>/ws</c> matches <c>/ws</c>, <c>/ws/</c> and <c>/ws/x</c>, not <c>/wsx</c>. A trailing '/' is ignored.
    /// </summary>
    Prefix,

    /// <summary>Byte for byte.</summary>
    Exact,
}

/// <summary>A condition on the raw path of the request target: case-sensitive, before '?', percent-encoding untouched.</summary>
/// <param name="Kind">Prefix or exact.</param>
/// <param name="Value">Starts with '/'; visible ASCII without '?' and '#'; at most 1024 characters (Gateway API).</param>
public sealed record PathMatch(PathMatchKind Kind, string Value)
{
    /// <summary>Prefix <c>/</c>.</summary>
    public static PathMatch Any { get; } = new(PathMatchKind.Prefix, "/");
}

/// <summary>A header or query parameter and the exact value it must have.</summary>
public sealed record NameValueMatch(string Name, string Value);

/// <summary>A backend's name and its share of the route's requests.</summary>
/// <param name="Name">Names a <see cref="BackendOptions"/>.</param>
/// <param name="Weight">0 to 1,000,000 (Gateway API), 1 by default; 0 is never chosen. Not all of a route's weights are 0.</param>
public sealed record WeightedBackend(string Name, int Weight = 1);

/// <summary>Time-outs of one route.</summary>
public sealed record RouteTimeouts
{
    /// <summary>
    /// A whole plain HTTP request, answer included. Default 0: none, since long polls and server-sent events are endless (Gateway API
    /// leaves it open).
    /// </summary>
    public TimeSpan Request { get; init; } = TimeSpan.Zero;

    /// <summary>
    /// One TCP connect to an endpoint. Default 5 s (as Envoy's cluster connect_timeout). More than 0, at most <see cref="Handshake"/>.
    /// </summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// From the dial to the endpoint's 101, retries included; neither queue nor auth. Default 10 s: two connect time-outs, and the time
    /// nginx and most servers grant a request head. More than 0.
    /// </summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(10);
}
