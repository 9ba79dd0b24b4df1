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
    /// <param name="drain">Begins the gateway's own drain.</param>
    public static void MapAdmin(
        this IEndpointRouteBuilder endpoints, GatewayRuntime runtime, GatewayTelemetry telemetry, AdminToken token, Action drain)
    {
        var health = new HealthHandlers(runtime, token);
        var metrics = new MetricsHandler(telemetry.Scraper);
        var backends = new BackendHandlers(runtime, telemetry.Endpoints);
        var connections = new ConnectionHandlers(runtime);
        var events = new EventHandlers(telemetry.Events, runtime.Time);
        var ends = new EndHandlers(telemetry.Ends);

        endpoints.Open("/health/live", health.LiveAsync);
        endpoints.Open("/health/ready", health.ReadyAsync);
        endpoints.Open("/health", health.StatusAsync);
        endpoints.Open("/metrics", metrics.ScrapeAsync);
        endpoints.Guarded("/v1/backends", token, new Methods(Get: backends.ListAsync));
        endpoints.Guarded("/v1/backends/{backend}/endpoints/{endpoint}/drain", token, new Methods(Post: backends.DrainAsync, Delete: backends.DrainAsync));
        endpoints.Guarded("/v1/connections", token, new Methods(Get: connections.ListAsync));
        endpoints.Guarded("/v1/connections/{id}", token, new Methods(Get: connections.GetAsync, Delete: connections.CloseAsync));
        endpoints.Guarded("/v1/drain", token, new Methods(Post: context =>
        {
            drain();
            return context.WriteAsync(StatusCodes.Status202Accepted, new ReadyView("draining", TelemetryNames.Of(runtime.Phase)), AdminJson.Default.ReadyView);
        }));
        endpoints.Guarded("/v1/events", token, new Methods(Get: events.StreamAsync));
        endpoints.Guarded("/v1/ends", token, new Methods(Get: ends.ListAsync));
        endpoints.Map("/{**path}", context => token.Accepts(context.Request.Headers.Authorization)
            ? context.FailAsync(StatusCodes.Status404NotFound, "there is nothing at this path")
            : RefuseAsync(context)).WithOrder(int.MaxValue);
    }

    private static void Open(this IEndpointRouteBuilder endpoints, string pattern, RequestDelegate get) =>
        endpoints.Map(pattern, context => AnswerAsync(context, new Methods(Get: get)));

    private static void Guarded(this IEndpointRouteBuilder endpoints, string pattern, AdminToken token, Methods methods) =>
        endpoints.Map(pattern, context => token.Accepts(context.Request.Headers.Authorization) ? AnswerAsync(context, methods) : RefuseAsync(context));

    private static async Task AnswerAsync(HttpContext context, Methods methods)
    {
        if (methods.Find(context.Request.Method) is not { } handler)
        {
            context.Response.Headers.Allow = methods.Allowed;
            await context.FailAsync(StatusCodes.Status405MethodNotAllowed, "this method is not allowed here");
            return;
        }

        // A page in a browser on this machine reaches loopback too, and may send a POST to anyone: nothing that a page sends changes anything.
        if (handler != methods.Get && context.Request.Headers.Origin.Count > 0)
        {
            await context.FailAsync(StatusCodes.Status403Forbidden, "requests of web pages (with an Origin header) change nothing here");
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

    /// <summary>What a path does, by method; HEAD is answered as GET.</summary>
    private sealed record Methods(RequestDelegate? Get = null, RequestDelegate? Post = null, RequestDelegate? Delete = null)
    {
        public string Allowed => string.Join(", ", ((string?[])[Get is null ? null : "GET, HEAD", Post is null ? null : "POST", Delete is null ? null : "DELETE"]).OfType<string>());

        public RequestDelegate? Find(string method) =>
            HttpMethods.IsGet(method) || HttpMethods.IsHead(method) ? Get
            : HttpMethods.IsPost(method) ? Post
            : HttpMethods.IsDelete(method) ? Delete
            : null;
    }
}
