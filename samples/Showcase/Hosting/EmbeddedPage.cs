using System.Net.Mime;

namespace Showcase.Hosting;

/// <summary>Serves a page's files out of the assembly. The content security policy allows nothing from elsewhere.</summary>
internal static class EmbeddedPage
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; "
        + "base-uri 'none'; form-action 'self'";

    /// <summary>Maps <paramref name="file"/>, an embedded resource, at <paramref name="path"/>.</summary>
    public static void MapPageFile(this IEndpointRouteBuilder routes, string path, string file)
    {
        var content = Read(file);
        var contentType = Path.GetExtension(file) switch
        {
            ".html" => MediaTypeNames.Text.Html,
            ".css" => MediaTypeNames.Text.Css,
            ".js" => MediaTypeNames.Text.JavaScript,
            var other => throw new NotSupportedException($"No content type is known for '{other}'."),
        };
        routes.MapGet(path, async (HttpContext context) =>
        {
            var response = context.Response;
            response.ContentType = contentType + "; charset=utf-8";
            response.ContentLength = content.Length;
            response.Headers.CacheControl = "no-cache";
            response.Headers.ContentSecurityPolicy = Policy;
            response.Headers.XContentTypeOptions = "nosniff";
            await response.Body.WriteAsync(content, context.RequestAborted);
        });
    }

    private static byte[] Read(string file)
    {
        using var stream = typeof(EmbeddedPage).Assembly.GetManifestResourceStream(file)
            ?? throw new InvalidOperationException($"The page file '{file}' is not embedded.");
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
