using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Gateway.Admin;

/// <summary>/v1/backends, and the drains of their endpoints.</summary>
internal sealed class BackendHandlers(GatewayRuntime runtime, EndpointDirectory directory)
{
    public Task ListAsync(HttpContext context)
    {
        var known = runtime.KnownBackends;
        var backends = new List<BackendView>(known.Count);
        foreach (var backend in known)
        {
            var endpoints = new List<EndpointView>(backend.Endpoints.Length + backend.Leaving.Length);
            foreach (var endpoint in backend.Endpoints)
                endpoints.Add(ViewOf(endpoint));
            foreach (var endpoint in backend.Leaving)
                endpoints.Add(ViewOf(endpoint));
            backends.Add(new BackendView(backend.Name, PolicyName(backend), directory.RehomedOf(backend), backend.Queue.Count, endpoints));
        }

        return context.WriteAsync(StatusCodes.Status200OK, new BackendsView(backends), AdminJson.Default.BackendsView);
    }

    /// <summary>POST begins a drain, or begins it anew; DELETE cancels it, and other causes stay.</summary>
    public Task DrainAsync(HttpContext context)
    {
        var (name, address) = ((string)context.GetRouteValue("backend")!, (string)context.GetRouteValue("endpoint")!);
        if (runtime.KnownBackends.FirstOrDefault(b => b.Name == name) is not { } backend)
            return context.FailAsync(StatusCodes.Status404NotFound, "there is no backend of this name; GET /v1/backends lists them");
        if (Find(backend, address) is not { } endpoint)
            return context.FailAsync(StatusCodes.Status404NotFound, "the backend has no endpoint of this address (host:port); GET /v1/backends lists them");
        if (HttpMethods.IsPost(context.Request.Method))
            _ = runtime.Drains.Begin(backend, endpoint, DrainCause.Admin);
        else
            runtime.Drains.Cancel(backend, endpoint, DrainCause.Admin);
        return context.WriteAsync(StatusCodes.Status200OK, ViewOf(endpoint), AdminJson.Default.EndpointView);
    }

    private static EndpointState? Find(BackendState backend, string address)
    {
        foreach (var endpoint in (ReadOnlySpan<EndpointState>)[.. backend.Endpoints, .. backend.Leaving])
        {
            if (string.Equals(endpoint.ToString(), address, StringComparison.OrdinalIgnoreCase))
                return endpoint;
        }

        return null;
    }

    private EndpointView ViewOf(EndpointState endpoint)
    {
        var traffic = directory.TrafficOf(endpoint.Id);
        var now = runtime.Clock.Milliseconds;
        return new EndpointView(
            endpoint.Address.ToString(),
            TelemetryNames.Of(endpoint.Phase),
            TelemetryNames.Of(endpoint.Health),
            EndpointDirectory.Relayed(endpoint),
            endpoint.Handshakes,
            directory.OpenedTotal(endpoint.Id),
            directory.LeaversOf(endpoint.Id).Rehomed,
            traffic.MessagesToEndpoint,
            traffic.MessagesToClient,
            traffic.BytesToEndpoint,
            traffic.BytesToClient,
            endpoint.FailuresInARow,
            UnhealthyReasons.Of(endpoint, now) is { } reason ? TelemetryNames.Of(reason) : null,
            UnhealthyReasons.EjectedForMs(endpoint, now),
            endpoint.CheckFailure,
            runtime.Drains.Find(endpoint) is var (causes, starts, ends) ? new DrainView([.. causes.Select(TelemetryNames.Of)], starts, ends) : null);
    }

    /// <summary>As the configuration spells it.</summary>
    private static string PolicyName(BackendState backend)
    {
        var name = backend.Options.LoadBalancing.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
