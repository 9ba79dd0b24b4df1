namespace Holdfast.Api.Configuration.Reading;

/// <summary>The keys of what a route changes in requests and answers.</summary>
internal static class FilterSchema
{
    public static readonly SchemaSection RequestHeaders = Headers("routes[].filters[].requestHeaders", "{set: {x-gateway: holdfast}}");

    public static readonly SchemaSection ResponseHeaders = Headers("routes[].filters[].responseHeaders", "{remove: [server]}");

    public static readonly SchemaSection RewritePath = Path("routes[].filters[].rewrite.path");

    public static readonly SchemaSection Rewrite = new(
        "routes[].filters[].rewrite",
        "{path: {prefix: /}}",
        new SchemaKey("host", "host or host:port"),
        new SchemaKey("path", "mapping", Section: RewritePath));

    public static readonly SchemaSection RedirectPath = Path("routes[].filters[].redirect.path");

    public static readonly SchemaSection Redirect = new(
        "routes[].filters[].redirect",
        "{scheme: https, status: 308}",
        new SchemaKey("scheme", "scheme"),
        new SchemaKey("host", "host"),
        new SchemaKey("port", "port"),
        new SchemaKey("path", "mapping", Section: RedirectPath),
        new SchemaKey("status", "number", "302"));

    public static readonly SchemaSection Filter = new(
        "routes[].filters[]",
        "{requestHeaders: {set: {x-gateway: holdfast}}}",
        new SchemaKey("requestHeaders", "mapping", Section: RequestHeaders),
        new SchemaKey("responseHeaders", "mapping", Section: ResponseHeaders),
        new SchemaKey("rewrite", "mapping", Section: Rewrite),
        new SchemaKey("redirect", "mapping", Section: Redirect));

    private static SchemaSection Headers(string path, string example) => new(
        path,
        example,
        new SchemaKey("set", "mapping from names"),
        new SchemaKey("add", "mapping from names"),
        new SchemaKey("remove", "list of names", "[]"));

    private static SchemaSection Path(string path) => new(path, "{prefix: /}", new SchemaKey("prefix", "path"), new SchemaKey("full", "path"));
}
