using Holdfast.Gateway.Health;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Admin;

/// <summary>/v1/backends.</summary>
internal sealed class BackendHandlers(GatewayRuntime runtime, EndpointDirectory directory)
{
    public Task ListAsync(HttpContext context)
    {
        var backends = new List<BackendView>(runtime.Backends.Count);
        foreach (var backend in runtime.Backends)
        {
            var endpoints = new List<EndpointView>(backend.Endpoints.Length);
            foreach (var endpoint in backend.Endpoints)
                endpoints.Add(ViewOf(endpoint));
            backends.Add(new BackendView(backend.Name, PolicyName(backend), endpoints));
        }

        return context.WriteAsync(StatusCodes.Status200OK, new BackendsView(backends), AdminJson.Default.BackendsView);
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
            traffic.MessagesToEndpoint,
            traffic.MessagesToClient,
            traffic.BytesToEndpoint,
            traffic.BytesToClient,
            endpoint.FailuresInARow,
            UnhealthyReasons.Of(endpoint, now) is { } reason ? TelemetryNames.Of(reason) : null,
            UnhealthyReasons.EjectedForMs(endpoint, now),
            endpoint.CheckFailure);
    }

    /// <summary>As the configuration spells it.</summary>
    private static string PolicyName(BackendState backend)
    {
        var name = backend.Options.LoadBalancing.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
