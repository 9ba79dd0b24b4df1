using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Admin;

/// <summary>JSON answers, and arguments of a query.</summary>
internal static class AdminResponses
{
    public static Task WriteAsync<T>(this HttpContext context, int status, T value, JsonTypeInfo<T> type)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        return JsonSerializer.SerializeAsync(context.Response.BodyWriter, value, type, context.RequestAborted);
    }

    public static Task FailAsync(this HttpContext context, int status, string error) =>
        context.WriteAsync(status, new ErrorView(error), AdminJson.Default.ErrorView);

    /// <summary>The query's limit. Null: it is no number from 1 to <paramref name="most"/>.</summary>
    public static int? Limit(this HttpContext context, int byDefault, int most)
    {
        if (!context.Request.Query.TryGetValue("limit", out var text))
            return byDefault;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit >= 1 && limit <= most ? limit : null;
    }

    public static Task FailLimitAsync(this HttpContext context, int most) =>
        context.FailAsync(StatusCodes.Status400BadRequest, string.Create(CultureInfo.InvariantCulture, $"limit must be a number from 1 to {most}"));
}
