using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Gateway.Admin;

/// <summary>Health, metrics and the admin API (docs/reference/admin-api.md).</summary>
internal static class AdminEndpoints
{
    /// <summary>Maps everything, a JSON 404 for all other paths included: the admin listener's application holds nothing else.</summary>
    public static void MapAdmin(this IEndpointRouteBuilder endpoints, GatewayRuntime runtime, GatewayTelemetry telemetry, AdminToken token)
    {
        var health = new HealthHandlers(runtime, token);
        var metrics = new MetricsHandler(telemetry.Scraper);
        var backends = new BackendHandlers(runtime, telemetry.Endpoints);
        var connections = new ConnectionHandlers(runtime);
        var ends = new EndHandlers(telemetry.Ends);

        endpoints.Open("/health/live", health.LiveAsync);
        endpoints.Open("/health/ready", health.ReadyAsync);
        endpoints.Open("/health", health.StatusAsync);
        endpoints.Open("/metrics", metrics.ScrapeAsync);
        endpoints.Guarded("/v1/backends", token, backends.ListAsync);
        endpoints.Guarded("/v1/connections", token, connections.ListAsync);
        endpoints.Guarded("/v1/connections/{id}", token, connections.GetAsync, connections.CloseAsync);
        endpoints.Guarded("/v1/ends", token, ends.ListAsync);
        endpoints.Map("/{**path}", context => token.Accepts(context.Request.Headers.Authorization)
            ? context.FailAsync(StatusCodes.Status404NotFound, "there is nothing at this path")
            : RefuseAsync(context)).WithOrder(int.MaxValue);
    }

    private static void Open(this IEndpointRouteBuilder endpoints, string pattern, RequestDelegate get) =>
        endpoints.Map(pattern, context => AnswerAsync(context, get, delete: null));

    private static void Guarded(this IEndpointRouteBuilder endpoints, string pattern, AdminToken token, RequestDelegate get, RequestDelegate? delete = null) =>
        endpoints.Map(pattern, context =>
            token.Accepts(context.Request.Headers.Authorization) ? AnswerAsync(context, get, delete) : RefuseAsync(context));

    private static async Task AnswerAsync(HttpContext context, RequestDelegate get, RequestDelegate? delete)
    {
        var method = context.Request.Method;
        var handler = HttpMethods.IsGet(method) || HttpMethods.IsHead(method) ? get : HttpMethods.IsDelete(method) ? delete : null;
        if (handler is null)
        {
            context.Response.Headers.Allow = delete is null ? "GET, HEAD" : "GET, HEAD, DELETE";
            await context.FailAsync(StatusCodes.Status405MethodNotAllowed, "this method is not allowed here");
            return;
        }

        try
        {
            await handler(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to answer.
        }
        catch (TimeoutException) when (!context.Response.HasStarted)
        {
            await context.FailAsync(StatusCodes.Status503ServiceUnavailable, "a loop did not answer in time");
        }
    }

    private static Task RefuseAsync(HttpContext context)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return context.FailAsync(StatusCodes.Status401Unauthorized, "this needs the admin token: Authorization: Bearer TOKEN");
    }
}
