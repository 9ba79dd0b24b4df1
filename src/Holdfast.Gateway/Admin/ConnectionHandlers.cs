using System.Globalization;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Pairs;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Admin;

/// <summary>/v1/connections and /v1/connections/{id}.</summary>
internal sealed class ConnectionHandlers(GatewayRuntime runtime)
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1000;

    private readonly ConnectionTable _table = new(runtime);

    public async Task ListAsync(HttpContext context)
    {
        if (context.Limit(DefaultLimit, MaxLimit) is not { } limit)
        {
            await context.FailLimitAsync(MaxLimit);
            return;
        }

        if (ParseCursor(context.Request.Query["after"]) is not { } from)
        {
            await context.FailAsync(StatusCodes.Status400BadRequest, "after must be the value of next from an earlier answer");
            return;
        }

        string? backend = context.Request.Query["backend"], endpoint = context.Request.Query["endpoint"];
        var views = new List<PairView>();
        var next = await _table.ListAsync(views, from, limit, view => IsOf(in view, backend, endpoint), context.RequestAborted);
        var connections = new List<ConnectionView>(views.Count);
        foreach (var view in views)
            connections.Add(ViewOf(in view));
        var cursor = next is { } at ? string.Create(CultureInfo.InvariantCulture, $"{at.Loop}-{at.Position}") : null;
        await context.WriteAsync(StatusCodes.Status200OK, new ConnectionsView(connections, cursor), AdminJson.Default.ConnectionsView);
    }

    public async Task GetAsync(HttpContext context)
    {
        if (ParseId(context) is not { } id)
        {
            await FailIdAsync(context);
            return;
        }

        if (await _table.FindAsync(id, context.RequestAborted) is { } view)
            await context.WriteAsync(StatusCodes.Status200OK, ViewOf(in view), AdminJson.Default.ConnectionView);
        else
            await FailUnknownAsync(context);
    }

    public async Task CloseAsync(HttpContext context)
    {
        if (ParseId(context) is not { } id)
            await FailIdAsync(context);
        else if (await _table.CloseAsync(id, context.RequestAborted))
            await context.WriteAsync(StatusCodes.Status200OK, new ClosedView(Text(id), Closed: true), AdminJson.Default.ClosedView);
        else
            await FailUnknownAsync(context);
    }

    private static Task FailIdAsync(HttpContext context) =>
        context.FailAsync(StatusCodes.Status400BadRequest, "a connection's id is 32 hexadecimal digits");

    private static Task FailUnknownAsync(HttpContext context) =>
        context.FailAsync(StatusCodes.Status404NotFound, "there is no open connection with this id");

    private static UInt128? ParseId(HttpContext context) =>
        context.Request.RouteValues["id"] is string { Length: 32 } text
        && UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id) ? id : null;

    private static string Text(UInt128 id) => id.ToString("x32", CultureInfo.InvariantCulture);

    private ConnectionCursor? ParseCursor(string? text)
    {
        if (text is null)
            return default(ConnectionCursor);
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        return dash > 0
            && int.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var loop)
            && int.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            && loop < runtime.Loops.Count
            ? new ConnectionCursor(loop, position)
            : null;
    }

    private bool IsOf(in PairView view, string? backend, string? endpoint) =>
        (backend is null || runtime.BackendOf(view.BackendId).Name == backend)
        && (endpoint is null || runtime.EndpointOf(view.EndpointId).Address.ToString() == endpoint);

    internal ConnectionView ViewOf(in PairView view) => new(
        Text(view.Id),
        view.Client.ToString(),
        runtime.BackendOf(view.BackendId).Name,
        runtime.EndpointOf(view.EndpointId).Address.ToString(),
        PathText.Of(in view.Path),
        view.AgeMs,
        view.IdleMs,
        view.BytesFromClient,
        view.BytesFromEndpoint,
        view.MessagesFromClient,
        view.MessagesFromEndpoint,
        view.WaitingForClient,
        view.WaitingForEndpoint,
        view.Rehomes,
        view.Rehomes > 0 ? view.RehomeAgeMs : null,
        view.IsHeld,
        view.Unknown);
}
