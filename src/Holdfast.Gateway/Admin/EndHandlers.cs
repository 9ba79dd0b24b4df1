using System.Globalization;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Admin;

/// <summary>/v1/ends: the last ends, newest first.</summary>
internal sealed class EndHandlers(RecentEnds recent)
{
    private const int DefaultLimit = 100;

    public Task ListAsync(HttpContext context)
    {
        if (context.Limit(DefaultLimit, RecentEnds.Capacity) is not { } limit)
            return context.FailLimitAsync(RecentEnds.Capacity);
        var newest = recent.Newest(limit);
        var ends = new List<EndView>(newest.Count);
        foreach (var end in newest)
            ends.Add(ViewOf(in end));
        return context.WriteAsync(StatusCodes.Status200OK, new EndsView(ends), AdminJson.Default.EndsView);
    }

    private static EndView ViewOf(in RecentEnd end) => new(
        end.End.Id.ToString("x32", CultureInfo.InvariantCulture),
        UtcTime.Text(end.Time),
        end.Backend.Name,
        end.Endpoint.Address.ToString(),
        end.End.Client.ToString(),
        TelemetryNames.Of(end.End.Reason),
        TelemetryNames.Of(end.End.Side),
        end.End.CloseCode,
        end.End.DurationMs,
        end.End.Rehomes,
        end.End.Unknown);
}
