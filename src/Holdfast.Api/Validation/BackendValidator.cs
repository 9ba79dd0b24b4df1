using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>Each backend by itself.</summary>
internal static class BackendValidator
{
    /// <summary>A frame header and a little payload must fit, or a slow side could not be bridged at all.</summary>
    public const int SmallestSpill = 4 * 1024;

    public static void Validate(IReadOnlyList<BackendOptions> backends, FaultCollector faults)
    {
        foreach (var backend in backends)
        {
            var key = "backends." + backend.Name;
            if (!Syntax.IsName(backend.Name, 253))
                faults.Invalid(key,
                    $"{Printable.Quote(backend.Name)} is not a name; at most 253 letters, digits, '-', '_' and '.', for example chat");
            if (backend.Dns is { } dns)
                ValidateDns(dns, key + ".dns", faults);
            else
                ValidateEndpoints(backend.Endpoints, key + ".endpoints", faults);
            if (backend.Tls is { } tls)
                TlsValidator.Validate(tls, key + ".tls", faults);
            ValidateHealth(backend.Health, key + ".health", faults);
            if (backend.Drain.CloseCode is not (1000 or 1001 or 1012 or 1013 or (>= 3000 and <= 4999)))
                faults.Invalid(key + ".drain.closeCode",
                    string.Create(CultureInfo.InvariantCulture, $"{backend.Drain.CloseCode} does not tell a client to come back; write 1012 (or 1000, 1001, 1013, 3000 to 4999)"));
            if (backend.KeepAlive.PongTimeout <= TimeSpan.Zero)
                faults.Invalid(key + ".keepAlive.pongTimeout",
                    "0s would end every pinged connection; write for example 20s (pingInterval: 0s turns pings off)");
            HoldValidator.Validate(backend.Hold, key + ".hold", faults);
            if (backend.Spill < SmallestSpill)
                faults.Invalid(key + ".spill",
                    string.Create(CultureInfo.InvariantCulture, $"{backend.Spill} bytes are less than the least, 4KiB; write for example 1MiB"));
        }
    }

    private static void ValidateDns(DnsOptions dns, string key, FaultCollector faults)
    {
        if (dns.Name.Length > 0 && (!Syntax.IsDnsName(dns.Name) || System.Net.IPAddress.TryParse(dns.Name.AsSpan().TrimEnd('.'), out _)))
            faults.Invalid(key + ".name", $"{Printable.Quote(dns.Name)} is not a DNS name; write for example chat.default.svc");
        if (dns.Port is < 1 or > 65535)
            faults.Invalid(key + ".port", string.Create(CultureInfo.InvariantCulture, $"{dns.Port} is not a port; write 1 to 65535, for example 8080"));
        ValidateInterval(dns.Interval, key + ".interval", faults);
    }

    private static void ValidateHealth(HealthOptions health, string key, FaultCollector faults)
    {
        if (health.Eject.For <= TimeSpan.Zero)
            faults.Invalid(key + ".eject.for", "0s would never eject; write for example 30s (afterFailures: 0 turns ejection off)");
        if (health.Eject.MaxPercent > 100)
            faults.Invalid(key + ".eject.maxPercent",
                string.Create(CultureInfo.InvariantCulture, $"{health.Eject.MaxPercent} is not a percentage; write 0 to 100, for example 50"));
        if (health.Check is not { } check)
            return;
        ValidateInterval(check.Interval, key + ".interval", faults);
        if (check.Timeout <= TimeSpan.Zero)
            faults.Invalid(key + ".timeout", "0s would fail every check; write for example 1s");
        if (check.UnhealthyAfter == 0)
            faults.Invalid(key + ".unhealthyAfter", "at least 1 failure is needed; write for example 3");
        if (check.HealthyAfter == 0)
            faults.Invalid(key + ".healthyAfter", "at least 1 success is needed; write for example 2");
        if (check.Kind != HealthCheckKind.Tcp && !Syntax.IsRequestPath(check.Path))
            faults.Invalid(key + (check.Kind == HealthCheckKind.Http ? ".http.path" : ".websocket.path"),
                $"{Printable.Quote(check.Path)} is not a request path; visible ASCII that starts with '/', for example /healthz");
    }

    /// <summary>More often than that it would be load, not a question.</summary>
    private static void ValidateInterval(TimeSpan interval, string key, FaultCollector faults)
    {
        if (interval < TimeSpan.FromMilliseconds(100))
            faults.Invalid(key, $"{Units.Format(interval)} is less than the least, 100ms; write for example 5s");
    }

    private static void ValidateEndpoints(IReadOnlyList<EndpointAddress> endpoints, string key, FaultCollector faults)
    {
        if (endpoints.Count == 0)
            faults.Invalid(key, "at least one endpoint is needed; write for example [127.0.0.1:9001]");

        var seen = new Dictionary<EndpointAddress, int>();
        for (var i = 0; i < endpoints.Count; i++)
        {
            var item = string.Create(CultureInfo.InvariantCulture, $"{key}[{i}]");
            // A placeholder is no duplicate of another, nor of a real one of that name.
            if (ReferenceEquals(endpoints[i], Placeholders.Endpoint))
                continue;
            if (!seen.TryAdd(endpoints[i], i))
                faults.Invalid(item,
                    string.Create(CultureInfo.InvariantCulture, $"{endpoints[i]} is already {key}[{seen[endpoints[i]]}]; remove one"));
        }
    }
}
