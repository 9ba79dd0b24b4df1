namespace Holdfast.Api.Configuration;

/// <summary>What a route changes in the requests and answers that take it, WebSocket handshakes included (Gateway API HTTPRouteFilter).</summary>
public sealed record RouteFilters
{
    public HeaderChanges RequestHeaders { get; init; } = new();

    /// <summary>Of the endpoint's answers; the gateway's own refusals stay as they are.</summary>
    public HeaderChanges ResponseHeaders { get; init; } = new();

    /// <summary>Null: host and path go on as they came.</summary>
    public RewriteFilter? Rewrite { get; init; }

    /// <summary>Not null: requests are answered with it, and no endpoint is asked.</summary>
    public RedirectFilter? Redirect { get; init; }
}

/// <summary>Changes of header lines, names ignoring case: first those to remove, then those to set, then those to add.</summary>
public sealed record HeaderChanges
{
    /// <summary>In place of all lines of the name.</summary>
    public IReadOnlyList<NameValueMatch> Set { get; init; } = [];

    /// <summary>Beside the lines of the name.</summary>
    public IReadOnlyList<NameValueMatch> Add { get; init; } = [];

    public IReadOnlyList<string> Remove { get; init; } = [];

    public bool IsNone => Set.Count == 0 && Add.Count == 0 && Remove.Count == 0;
}

/// <param name="Host">The Host that the endpoint sees, with or without port; null: the client's.</param>
/// <param name="Path">Null: the client's.</param>
public sealed record RewriteFilter(string? Host, PathRewrite? Path);

/// <summary>The path that the endpoint sees; the query stays.</summary>
/// <param name="Kind">Whether it replaces the whole path, or the prefix that the route matched.</param>
/// <param name="Value">Starts with '/'.</param>
public sealed record PathRewrite(PathRewriteKind Kind, string Value);

public enum PathRewriteKind
{
    Full,
    Prefix,
}

/// <param name="Scheme">http or https; null: the request's.</param>
/// <param name="Host">Null: the request's.</param>
/// <param name="Port">Null: the scheme's own where a scheme is given, else the request's.</param>
/// <param name="Path">Null: the request's.</param>
/// <param name="Status">301, 302, 303, 307 or 308. Default 302 (Gateway API).</param>
public sealed record RedirectFilter(string? Scheme, string? Host, int? Port, PathRewrite? Path, int Status = 302);
