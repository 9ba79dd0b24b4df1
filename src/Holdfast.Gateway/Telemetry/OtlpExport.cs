using System.Runtime.CompilerServices;
using Microsoft.Extensions.Configuration;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// The metrics over OTLP, as OpenTelemetry's OTEL_* variables say (endpoint, protocol, headers, interval, service name). Without an endpoint
/// nothing of OpenTelemetry is loaded, which keeps 3 MB out of the process.
/// </summary>
internal static class OtlpExport
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string MetricsEndpoint = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

    /// <summary>Starts the export; null when no endpoint is set. Disposing sends what is left, for at most 5 s.</summary>
    /// <param name="configuration">Holds the environment's variables.</param>
    public static IDisposable? Start(IConfiguration configuration) =>
        string.IsNullOrWhiteSpace(configuration[Endpoint]) && string.IsNullOrWhiteSpace(configuration[MetricsEndpoint]) ? null : Build(configuration);

#pragma warning disable CA1859 // A signature that named a type of OpenTelemetry would load it when the caller is compiled.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static IDisposable Build(IConfiguration configuration) => Sdk.CreateMeterProviderBuilder()
        .ConfigureServices(services => Microsoft.Extensions.DependencyInjection.ServiceCollectionServiceExtensions.AddSingleton(services, configuration))
        // The environment last: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
        .ConfigureResource(static resource => resource
            .Clear()
            .AddService("holdfast", serviceVersion: GatewayVersion.Text)
            .AddTelemetrySdk()
            .AddEnvironmentVariableDetector())
        .AddMeter(GatewayMetrics.MeterName)
        .AddOtlpExporter()
        .Build();
#pragma warning restore CA1859
}
