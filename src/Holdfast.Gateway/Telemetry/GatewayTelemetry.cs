using System.Diagnostics.Metrics;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Events;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>All that is told of connections: metrics, access log, recent ends. One per process.</summary>
internal sealed class GatewayTelemetry : IConnectionTelemetry, IRequestTelemetry, IDisposable
{
    private readonly GatewayMetrics _metrics;

    /// <param name="factory">Owns the meter.</param>
    /// <param name="accessLog">Disposed here.</param>
    public GatewayTelemetry(GatewayRuntime runtime, IMeterFactory factory, AccessLog accessLog)
    {
        AccessLog = accessLog;
        Ends = new RecentEnds(runtime.Time);
        Endpoints = new EndpointDirectory(runtime);
        Events = new GatewayEvents(runtime, Endpoints);
        // Before the instruments, so that none publishes unheard.
        Scraper = new MetricAggregator(factory, GatewayMetrics.MeterName);
        _metrics = new GatewayMetrics(factory, runtime, Endpoints, () => accessLog.Dropped);
    }

    public AccessLog AccessLog { get; }

    public RecentEnds Ends { get; }

    public EndpointDirectory Endpoints { get; }

    /// <summary>What /v1/events tells.</summary>
    public GatewayEvents Events { get; }

    /// <summary>What /metrics prints.</summary>
    public MetricAggregator Scraper { get; }

    public void OnHandshakeEnded(in HandshakeRecord record)
    {
        _metrics.OnHandshakeEnded(in record);
        AccessLog.OnHandshakeEnded(in record);
    }

    public void OnRehomed(in RehomeEnd end, BackendState backend)
    {
        _metrics.OnRehomed(in end, backend);
        Endpoints.CountRehome(in end, backend);
        Events.OnRehomed(in end, backend);
    }

    public void OnPairEnded(in PairEnd end, BackendState backend, EndpointState endpoint)
    {
        _metrics.OnPairEnded(in end, backend, endpoint);
        AccessLog.OnPairEnded(in end, backend, endpoint);
        Ends.OnPairEnded(in end, backend, endpoint);
        Endpoints.CountEnd(backend, endpoint, end.Reason);
    }

    public void OnRequestEnded(in RequestRecord record)
    {
        _metrics.OnRequestEnded(in record);
        AccessLog.OnRequestEnded(in record);
    }

    /// <summary>An active check ended; any thread but a loop's.</summary>
    public void OnChecked(BackendState backend, CheckOutcome outcome) => _metrics.OnChecked(backend, outcome);

    /// <summary>Any thread.</summary>
    public void OnTlsHandshakeFailed(string listener) => _metrics.OnTlsHandshakeFailed(listener);

    public void OnLookup(BackendState backend, LookupOutcome outcome) => _metrics.OnLookup(backend, outcome);

    public void Dispose()
    {
        Events.Dispose();
        AccessLog.Dispose();
        Scraper.Dispose();
    }
}
