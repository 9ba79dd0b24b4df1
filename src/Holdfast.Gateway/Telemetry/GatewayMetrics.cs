using System.Diagnostics.Metrics;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// The gateway's instruments, heard by /metrics and by the OTLP export alike. Counters carry no <c>_total</c> here: both exports add it.
/// Numbers per message are plain longs of the loops, read when asked; only a handshake and an end touch an instrument. Pages of reference:
/// docs/reference/metrics.md.
/// </summary>
internal sealed class GatewayMetrics : IConnectionTelemetry, IRequestTelemetry
{
    public const string MeterName = "Holdfast.Gateway";

    /// <summary>In seconds. From the step of the loop's coarse clock to the default handshake time-out, and to what a long queue may take before it.</summary>
    private static readonly double[] HandshakeBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    /// <summary>In seconds. From what a re-home between two idle processes takes to the default of the hold's patience.</summary>
    private static readonly double[] RehomeBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    /// <summary>In seconds. From a cached answer on the same machine to a long poll's usual 30 s, and beyond.</summary>
    private static readonly double[] RequestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly GatewayRuntime _runtime;
    private readonly EndpointDirectory _endpoints;
    private readonly Counter<long> _ends;
    private readonly Counter<long> _handshakes;
    private readonly Counter<long> _limitRefusals;
    private readonly Counter<long> _checks;
    private readonly Counter<long> _lookups;
    private readonly Counter<long> _tlsFailures;
    private readonly Histogram<double> _handshakeSeconds;
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _requestSeconds;
    private readonly Counter<long> _rehomes;
    private readonly Counter<long> _rehomeUnknown;
    private readonly Histogram<double> _rehomeSeconds;

    /// <param name="factory">Owns the meter and disposes it.</param>
    /// <param name="accessLogDropped">Any thread.</param>
    public GatewayMetrics(IMeterFactory factory, GatewayRuntime runtime, EndpointDirectory endpoints, Func<long> accessLogDropped)
    {
        _runtime = runtime;
        _endpoints = endpoints;
        var meter = factory.Create(MeterName);
        _ends = meter.CreateCounter<long>("holdfast_connection_ends", "{connection}", "Established connections that ended, by first cause and the side it came from.");
        _handshakes = meter.CreateCounter<long>("holdfast_handshakes", "{handshake}", "Handshakes that ended, by outcome; the backend is empty when none was chosen.");
        _limitRefusals = meter.CreateCounter<long>("holdfast_limit_refusals", "{refusal}", "Handshakes and requests refused and connections ended because a limit was reached.");
        _checks = meter.CreateCounter<long>("holdfast_health_checks", "{check}", "Active health checks that ended, by outcome.");
        _handshakeSeconds = meter.CreateHistogram<double>(
            "holdfast_handshake_seconds",
            "s",
            "Time from the accept to the relayed 101, of handshakes that were upgraded.",
            tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = HandshakeBuckets });

        _requests = meter.CreateCounter<long>("holdfast_requests", "{request}", "Plain HTTP requests that ended, by the class of the status sent; the backend is empty when none was chosen.");
        _requestSeconds = meter.CreateHistogram<double>(
            "holdfast_request_seconds",
            "s",
            "Time from a plain request's head to the head of the endpoint's answer.",
            tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = RequestBuckets });

        _rehomes = meter.CreateCounter<long>("holdfast_rehomes", "{rehome}", "Re-homes of held connections that ended, by cause and outcome.");
        _rehomeSeconds = meter.CreateHistogram<double>(
            "holdfast_rehome_seconds",
            "s",
            "Time that a held client's messages waited until another endpoint took over.",
            tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = RehomeBuckets });
        _rehomeUnknown = meter.CreateCounter<long>("holdfast_rehome_unknown_messages", "{message}", "Client messages sent to an endpoint that was lost, of which nobody knows whether it read them.");

        _lookups = meter.CreateCounter<long>("holdfast_discovery_lookups", "{lookup}", "Look-ups of names that endpoints are found by, by outcome.");

        _tlsFailures = meter.CreateCounter<long>("holdfast_tls_handshake_failures", "{handshake}", "TLS handshakes with clients that failed, or that clients gave up.");

        _ = meter.CreateObservableUpDownCounter("holdfast_connections", Connections, "{connection}", "Connections relayed now.");
        _ = meter.CreateObservableCounter("holdfast_connections_opened", Opened, "{connection}", "Connections established: the endpoint's 101 was verified and relayed.");
        _ = meter.CreateObservableUpDownCounter("holdfast_handshake_queue", Queues, "{handshake}", "Handshakes that wait for an endpoint now.");
        _ = meter.CreateObservableUpDownCounter("holdfast_requests_in_flight", RequestsInFlight, "{request}", "Plain HTTP requests under way now.");
        _ = meter.CreateObservableCounter("holdfast_messages", Messages, "{message}", "Messages relayed, counted at the last frame of each.");
        _ = meter.CreateObservableCounter("holdfast_bytes", Bytes, "By", "Bytes received from one side for the other, frame headers and control frames included.");
        _ = meter.CreateObservableGauge("holdfast_endpoint_state", States, null, "1 for the phase and health that the endpoint is in.");
        _ = meter.CreateObservableCounter("holdfast_ejections", Ejections, "{ejection}", "Times an endpoint was ejected since handshakes failed there, renewed ejections included.");
        _ = meter.CreateObservableGauge("holdfast_backend_imbalance", Imbalances, null, "The most connections of a ready endpoint over the mean of all ready ones; 1 is even.");
        _ = meter.CreateObservableGauge("holdfast_discovery_addresses", DiscoveredAddresses, "{address}", "Addresses of the last good answer for the backend's name.");
        _ = meter.CreateObservableGauge("holdfast_discovery_age_seconds", DiscoveryAges, "s", "Time since the last good answer for the backend's name; since it was first asked for while there is none.");
        _ = meter.CreateObservableGauge("holdfast_certificate_expiration_timestamp_seconds", Expirations, "s", "When the certificate in force expires, or what is between it and the root if that is sooner, in seconds since 1970.");
        _ = meter.CreateObservableCounter("holdfast_loop_wakeups", WakeUps, "{wakeup}", "Times the loop's wait for events returned.");
        _ = meter.CreateObservableCounter("holdfast_accept_pauses", AcceptPauses, "{pause}", "Times accepting paused for want of file descriptors.");
        _ = meter.CreateObservableCounter("holdfast_access_log_dropped", accessLogDropped, "{line}", "Access log lines lost because the output was slow, full or closed.");
        _ = meter.CreateObservableCounter("holdfast_config_reloads", Reloads, "{change}", "Changes of the configuration since the start, by what became of them.");
        _ = meter.CreateObservableGauge("holdfast_config_in_force", () => _runtime.Configuration.Report.State == ConfigurationState.InForce ? 1 : 0, null, "1 when what is on disk is in force, 0 when it is rejected or needs a restart.");
        _ = meter.CreateObservableGauge("holdfast_config_applied_timestamp_seconds", () => _runtime.Configuration.Report.AppliedAt.ToUnixTimeMilliseconds() / 1000.0, "s", "When the configuration in force was applied, in seconds since 1970.");
        _ = meter.CreateObservableGauge("holdfast_usable_connections", () => _runtime.UsableConnections, "{connection}", "Relayed connections that fit under the limit of open files.");
        _ = meter.CreateObservableGauge("holdfast_managed_heap_bytes", static () => GC.GetTotalMemory(forceFullCollection: false), "By", "Bytes of the managed heap, garbage included.");
        _ = meter.CreateObservableGauge("process_resident_memory_bytes", static () => Environment.WorkingSet, "By", "Resident memory of the process.");
        _ = meter.CreateObservableGauge("process_start_time_seconds", () => _runtime.StartedAt.ToUnixTimeMilliseconds() / 1000.0, "s", "Start of the gateway, in seconds since 1970.");
    }

    public void OnHandshakeEnded(in HandshakeRecord record)
    {
        var backend = new Tag("backend", record.Backend?.Name ?? "");
        _handshakes.Add(1, backend, new Tag("outcome", TelemetryNames.Of(record.Outcome)));
        if (LimitKinds.Of(record.Outcome) is { } limit)
            _limitRefusals.Add(1, backend, new Tag("limit", TelemetryNames.Of(limit)));
        if (record.Outcome != HandshakeOutcome.Upgraded)
            return;
        _handshakeSeconds.Record(record.DurationMs / 1000.0, backend);
        if (record is { Backend: not null, Endpoint: not null })
            _endpoints.CountOpened(record.Backend, record.Endpoint);
    }

    public void OnRequestEnded(in RequestRecord record)
    {
        var backend = new Tag("backend", record.Backend?.Name ?? "");
        _requests.Add(1, backend, new Tag("code", CodeOf(record.Status)));
        if (LimitKinds.Of(record.Outcome) is { } limit)
            _limitRefusals.Add(1, backend, new Tag("limit", TelemetryNames.Of(limit)));
        if (record.HeadSeconds >= 0)
            _requestSeconds.Record(record.HeadSeconds, backend);
    }

    public void OnRehomed(in RehomeEnd end, BackendState backend)
    {
        var tag = new Tag("backend", backend.Name);
        _rehomes.Add(1, tag, new Tag("cause", TelemetryNames.Of(end.Cause)), new Tag("outcome", TelemetryNames.Of(end.Outcome)));
        // With the first re-home, also when it is 0: a rule for alerts then has a line to watch.
        _rehomeUnknown.Add(end.Unknown, tag);
        if (end.Outcome is RehomeOutcome.Completed or RehomeOutcome.CutShort)
            _rehomeSeconds.Record(end.HeldMs / 1000.0, tag);
    }

    public void OnPairEnded(in PairEnd end, BackendState backend, EndpointState endpoint)
    {
        var tag = new Tag("backend", backend.Name);
        _ends.Add(1, tag, new Tag("reason", TelemetryNames.Of(end.Reason)), new Tag("side", TelemetryNames.Of(end.Side)));
        if (LimitKinds.Of(end.Reason) is { } limit)
            _limitRefusals.Add(1, tag, new Tag("limit", TelemetryNames.Of(limit)));
    }

    public void OnChecked(BackendState backend, CheckOutcome outcome) =>
        _checks.Add(1, new Tag("backend", backend.Name), new Tag("outcome", TelemetryNames.Of(outcome)));

    public void OnTlsHandshakeFailed(string listener) => _tlsFailures.Add(1, new Tag("listener", listener));

    public void OnLookup(BackendState backend, LookupOutcome outcome) =>
        _lookups.Add(1, new Tag("backend", backend.Name), new Tag("outcome", TelemetryNames.Of(outcome)));

    private List<Measurement<long>> Connections()
    {
        var measurements = new List<Measurement<long>>();
        // Namespace and pod are known inside Kubernetes only.
        _endpoints.VisitEndpoints(e => measurements.Add(new Measurement<long>(
            e.Connections,
            [new Tag("backend", e.Backend.Name), new Tag("endpoint", e.Address), new Tag("namespace", ""), new Tag("pod", "")])));
        return measurements;
    }

    private List<Measurement<long>> Opened()
    {
        var measurements = new List<Measurement<long>>();
        _endpoints.VisitBackends(totals => measurements.Add(new Measurement<long>(totals.Opened, [new Tag("backend", totals.Backend.Name)])));
        return measurements;
    }

    private static string CodeOf(int status) => (status / 100) switch
    {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        0 => "none",
        _ => "other",
    };

    private List<Measurement<long>> RequestsInFlight()
    {
        var measurements = new List<Measurement<long>>();
        foreach (var backend in _runtime.Backends)
            measurements.Add(new Measurement<long>(backend.RequestsInFlight, [new Tag("backend", backend.Name)]));
        return measurements;
    }

    private List<Measurement<long>> Queues()
    {
        var measurements = new List<Measurement<long>>();
        foreach (var backend in _runtime.Backends)
            measurements.Add(new Measurement<long>(backend.Queue.Count, [new Tag("backend", backend.Name)]));
        return measurements;
    }

    private List<Measurement<long>> States()
    {
        var measurements = new List<Measurement<long>>();
        _endpoints.VisitEndpoints(e => measurements.Add(new Measurement<long>(
            1,
            [
                new Tag("backend", e.Backend.Name), new Tag("endpoint", e.Address),
                new Tag("phase", TelemetryNames.Of(e.Newest.Phase)), new Tag("health", TelemetryNames.Of(e.Newest.Health)),
            ])));
        return measurements;
    }

    private List<Measurement<long>> Ejections()
    {
        var measurements = new List<Measurement<long>>();
        _endpoints.VisitBackends(totals => measurements.Add(new Measurement<long>(totals.Backend.Ejections.Total, [new Tag("backend", totals.Backend.Name)])));
        return measurements;
    }

    private List<Measurement<long>> Messages() => ByDirection(static t => t.MessagesToEndpoint, static t => t.MessagesToClient);

    private List<Measurement<long>> Bytes() => ByDirection(static t => t.BytesToEndpoint, static t => t.BytesToClient);

    private List<Measurement<long>> ByDirection(Func<EndpointTraffic, long> toEndpoint, Func<EndpointTraffic, long> toClient)
    {
        var measurements = new List<Measurement<long>>();
        _endpoints.VisitBackends(totals =>
        {
            var tag = new Tag("backend", totals.Backend.Name);
            measurements.Add(new Measurement<long>(toClient(totals.Traffic), [tag, new Tag("direction", "to_client")]));
            measurements.Add(new Measurement<long>(toEndpoint(totals.Traffic), [tag, new Tag("direction", "to_endpoint")]));
        });
        return measurements;
    }

    private List<Measurement<double>> Imbalances()
    {
        var measurements = new List<Measurement<double>>();
        foreach (var backend in _runtime.Backends)
            measurements.Add(new Measurement<double>(Imbalance(backend), [new Tag("backend", backend.Name)]));
        return measurements;
    }

    /// <summary>Draining and starting endpoints say nothing of how well new connections are spread. Without a connection: even, 1.</summary>
    private static double Imbalance(BackendState backend)
    {
        long most = 0, sum = 0, endpoints = 0;
        foreach (var endpoint in backend.Endpoints)
        {
            if (endpoint.Phase != EndpointPhase.Ready)
                continue;
            var connections = EndpointDirectory.Relayed(endpoint);
            most = Math.Max(most, connections);
            sum += connections;
            endpoints++;
        }

        return sum == 0 ? 1 : (double)most * endpoints / sum;
    }

    private Measurement<long>[] Reloads() =>
    [
        new(_runtime.Configuration.Applied, new Tag("outcome", "applied")),
        new(_runtime.Configuration.Rejected, new Tag("outcome", "rejected")),
    ];

    private List<Measurement<long>> DiscoveredAddresses() => OfDiscovery(static status => (long)status.Addresses);

    private List<Measurement<double>> DiscoveryAges()
    {
        var now = _runtime.Time.GetUtcNow();
        return OfDiscovery(status => Math.Max(0, (now - (status.LastGoodAt ?? status.Since)).TotalSeconds));
    }

    private List<Measurement<T>> OfDiscovery<T>(Func<DiscoveryStatus, T> value)
        where T : struct
    {
        var measurements = new List<Measurement<T>>();
        foreach (var backend in _runtime.Backends)
        {
            if (backend.Discovery is { } status)
                measurements.Add(new Measurement<T>(value(status), [new Tag("backend", backend.Name)]));
        }

        return measurements;
    }

    private List<Measurement<double>> Expirations()
    {
        var measurements = new List<Measurement<double>>();
        foreach (var listener in _runtime.Listeners)
        {
            if (listener.Options.Tls is not { } tls)
                continue;
            foreach (var certificate in _runtime.Certificates.Of(tls).Certificates.DistinctBy(static c => c.ToString(), StringComparer.Ordinal))
                measurements.Add(new Measurement<double>(certificate.ExpiresAt.ToUnixTimeSeconds(), [new Tag("listener", listener.Options.Name), new Tag("certificate", certificate.ToString())]));
        }

        return measurements;
    }

    private List<Measurement<long>> WakeUps() => ByLoop(static l => l.WakeUps);

    private List<Measurement<long>> AcceptPauses() => ByLoop(static l => l.AcceptPauses);

    private List<Measurement<long>> ByLoop(Func<Relay.EventLoop.EventLoop, long> value)
    {
        var measurements = new List<Measurement<long>>();
        foreach (var loop in _runtime.Loops)
            measurements.Add(new Measurement<long>(value(loop), [new Tag("loop", loop.Number)]));
        return measurements;
    }
}
