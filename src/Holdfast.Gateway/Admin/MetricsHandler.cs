using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Holdfast.Gateway.Admin;

/// <summary>/metrics: OpenMetrics 1.0 for who asks for it, else Prometheus text 0.0.4.</summary>
internal sealed class MetricsHandler(MetricAggregator scraper)
{
    public async Task ScrapeAsync(HttpContext context)
    {
        var format = FormatOf(context.Request.Headers.Accept);
        context.Response.ContentType = OpenMetricsWriter.ContentType(format);
        var text = new TextBuffer();
        try
        {
            scraper.Write(text, format);
            context.Response.ContentLength = text.Written.Length;
            await context.Response.BodyWriter.WriteAsync(text.Written, context.RequestAborted);
        }
        finally
        {
            text.Reset();
        }
    }

    /// <summary>OpenMetrics when it is named and wanted no less than plain text (RFC 9110 12.5.1).</summary>
    internal static MetricsFormat FormatOf(IList<string?> accept)
    {
        if (!MediaTypeHeaderValue.TryParseList([.. accept.OfType<string>()], out var ranges))
            return MetricsFormat.Prometheus;
        double openMetrics = 0, plain = 0;
        foreach (var range in ranges)
        {
            var quality = range.Quality ?? 1;
            if (range.MediaType.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase) && IsVersionOne(range))
                openMetrics = Math.Max(openMetrics, quality);
            else if (range.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
                plain = Math.Max(plain, quality);
        }

        return openMetrics > 0 && openMetrics >= plain ? MetricsFormat.OpenMetrics : MetricsFormat.Prometheus;
    }

    private static bool IsVersionOne(MediaTypeHeaderValue range)
    {
        foreach (var parameter in range.Parameters)
        {
            if (parameter.Name.Equals("version", StringComparison.OrdinalIgnoreCase))
                return parameter.GetUnescapedValue().Equals("1.0.0", StringComparison.Ordinal);
        }

        return true;
    }
}
