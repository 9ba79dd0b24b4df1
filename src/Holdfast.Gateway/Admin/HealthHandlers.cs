using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Admin;

/// <summary>
/// /health and its probes. Ready means listening, configured and not shutting down; never that an application is up, or one bad deploy would
/// take every gateway out of service.
/// </summary>
internal sealed class HealthHandlers(GatewayRuntime runtime, AdminToken token)
{
    /// <summary>Hexadecimal digits of the configuration's hash: enough to compare with `sha256sum` by eye.</summary>
    private const int HashLength = 12;

    public Task LiveAsync(HttpContext context) =>
        context.WriteAsync(StatusCodes.Status200OK, new ReadyView("ok", TelemetryNames.Of(runtime.Phase)), AdminJson.Default.ReadyView);

    public Task ReadyAsync(HttpContext context)
    {
        var phase = runtime.Phase;
        var isReady = phase == GatewayPhase.Running;
        return context.WriteAsync(
            isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
            new ReadyView(isReady ? "ok" : "unavailable", TelemetryNames.Of(phase)),
            AdminJson.Default.ReadyView);
    }

    public Task StatusAsync(HttpContext context)
    {
        var phase = runtime.Phase;
        var loops = new List<LoopView>(runtime.Loops.Count);
        foreach (var loop in runtime.Loops)
            loops.Add(new LoopView(loop.Number, loop.Established, loop.WakeUps, loop.AcceptPauses, loop.TakeLongestTurn()));
        var listeners = new List<ListenerView>(runtime.Listeners.Count);
        foreach (var listener in runtime.Listeners)
            listeners.Add(new ListenerView(listener.Options.Name, listener.Address.ToString()));
        var view = new HealthView(
            phase == GatewayPhase.Running ? "ok" : "unavailable",
            TelemetryNames.Of(phase),
            GatewayVersion.Text,
            UtcTime.Text(runtime.StartedAt),
            runtime.Established,
            runtime.UsableConnections,
            ViewOf(runtime.Configuration.Report, context),
            new MemoryView(Environment.WorkingSet, GC.GetTotalMemory(forceFullCollection: false)),
            loops,
            listeners,
            Backends());
        return context.WriteAsync(StatusCodes.Status200OK, view, AdminJson.Default.HealthView);
    }

    /// <summary>A fault quotes the file, and a file put there by mistake may hold anything: who may read /v1 may read it.</summary>
    private ConfigurationView ViewOf(ConfigurationReport report, HttpContext context) => new(
        TelemetryNames.Of(report.State),
        report.File,
        report.Hash[..Math.Min(HashLength, report.Hash.Length)],
        UtcTime.Text(report.AppliedAt),
        report.NeedsRestart,
        report.FaultCount,
        report.FaultCount > 0 && token.Accepts(context.Request.Headers.Authorization) ? report.Faults : []);

    private List<BackendHealthView> Backends()
    {
        var known = runtime.KnownBackends;
        var backends = new List<BackendHealthView>(known.Count);
        foreach (var backend in known)
        {
            var sum = 0;
            var endpoints = new List<EndpointHealthView>(backend.Endpoints.Length + backend.Leaving.Length);
            foreach (var endpoint in (ReadOnlySpan<EndpointState>)[.. backend.Endpoints, .. backend.Leaving])
            {
                var connections = EndpointDirectory.Relayed(endpoint);
                sum += connections;
                endpoints.Add(ViewOf(endpoint, connections));
            }

            backends.Add(new BackendHealthView(backend.Name, sum, ViewOf(backend.Discovery), endpoints));
        }

        return backends;
    }

    private static DiscoveryView? ViewOf(DiscoveryStatus? status) => status is null ? null : new DiscoveryView(
        status.Name,
        status.FullName,
        status.LastGoodAt is { } at ? UtcTime.Text(at) : null,
        status.LastOutcome is { } outcome ? TelemetryNames.Of(outcome) : null,
        status.Addresses,
        (int)status.TimeToLive.TotalSeconds);

    private static EndpointHealthView ViewOf(EndpointState endpoint, int connections) =>
        new(endpoint.Address.ToString(), TelemetryNames.Of(endpoint.Phase), TelemetryNames.Of(endpoint.Health), connections);
}
