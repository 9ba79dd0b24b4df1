using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>Everything that may refuse or delay a handshake: origins, limits, the queue; affinity and auth have their own validators.</summary>
internal static class AdmissionValidator
{
    private const int MostOrigins = 1024;

    /// <summary>Of handshakes that wait: at a few KiB each, some GiB. Rates beyond it are no bound.</summary>
    private const int Most = 1_000_000;

    private const double LeastBoundedLoad = 1.01;
    private const double MostBoundedLoad = 100;

    public static void Validate(GatewayConfiguration configuration, FaultCollector faults)
    {
        for (var i = 0; i < configuration.Routes.Count && !faults.IsFull; i++)
            ValidateOrigins(configuration.Routes[i].Origins, Say($"routes[{i}].origins"), faults);

        foreach (var backend in configuration.Backends)
        {
            if (faults.IsFull)
                return;
            var key = "backends." + backend.Name;
            if (!(backend.BoundedLoad is >= LeastBoundedLoad and <= MostBoundedLoad))
                faults.Invalid(key + ".boundedLoad", Say($"{backend.BoundedLoad} is not from {LeastBoundedLoad} to {MostBoundedLoad}; write for example 1.25"));
            AffinityValidator.Validate(backend.Affinity, key + ".affinity", backend.Affinity.Cookie is null || MayBeSecure(backend, configuration, faults), faults);
            if (backend.Limits.ConnectionsPerKey is { } perKey && HeaderNames.FaultOfKey(perKey.Header, "x-tenant", "connectionsPerClientAddress") is { } fault)
                faults.Invalid(key + ".limits.connectionsPerKey.header", fault);
            ValidateHandshakes(backend, key + ".handshakes", faults);
            if (backend.Auth is { } auth)
                AuthValidator.Validate(auth, key + ".auth", faults);
        }
    }

    /// <summary>Whether a client of the backend can have come over TLS, to the gateway or to a proxy before it. Of listeners and routes that could not be read that is not known.</summary>
    private static bool MayBeSecure(BackendOptions backend, GatewayConfiguration configuration, FaultCollector faults)
    {
        if (faults.IsDamaged("listeners") || faults.IsDamaged("routes"))
            return true;
        var routes = configuration.Routes.Where(r => r.Backends.Any(b => string.Equals(b.Name, backend.Name, StringComparison.Ordinal))).ToList();
        var isAnywhere = routes.Count == 0 || routes.Exists(static r => r.Listeners.Count == 0);
        var names = routes.SelectMany(static r => r.Listeners).ToHashSet(StringComparer.Ordinal);
        return configuration.Listeners.Any(l => (l.Tls is not null || l.TrustedProxies.Count > 0) && (isAnywhere || names.Contains(l.Name)));
    }

    private static void ValidateOrigins(IReadOnlyList<string> origins, string key, FaultCollector faults)
    {
        if (origins.Count > MostOrigins)
        {
            faults.Invalid(key, Say($"has {origins.Count} entries; at most {MostOrigins} are allowed; write for example https://*.example.com"));
            return;
        }

        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < origins.Count; i++)
        {
            var item = Say($"{key}[{i}]");
            if (!OriginPattern.TryParse(origins[i], out var pattern, out var problem))
                faults.Invalid(item, problem);
            else if (!seen.TryAdd(pattern.ToString(), i))
                faults.Invalid(item, Say($"{Printable.Quote(origins[i])} means the same as {key}[{seen[pattern.ToString()]}]; remove one"));
            else if (pattern.IsAny && origins.Count > 1)
                faults.Invalid(item, "'*' allows every origin, so that the others say nothing; remove it, or them");
        }
    }

    private static void ValidateHandshakes(BackendOptions backend, string key, FaultCollector faults)
    {
        var handshakes = backend.Handshakes;
        AtMost(handshakes.RatePerSecond, "300", key + ".ratePerSecond", faults);
        AtMost(handshakes.Burst, "300", key + ".burst", faults);
        AtMost(handshakes.InFlightPerEndpoint, "64", key + ".inFlightPerEndpoint", faults);
        AtMost(handshakes.Queue, "1024", key + ".queue", faults);
        if (handshakes is { Burst: > 0, RatePerSecond: 0 } && !faults.IsDamaged(key + ".ratePerSecond"))
            faults.Invalid(key + ".burst", "without a rate any number may leave at once; write for example `ratePerSecond: 300` beside it, or remove it");
        if (handshakes.QueueTimeout <= TimeSpan.Zero)
            faults.Invalid(key + ".queueTimeout", "0s would let nobody wait; write for example 10s (queue: 0 turns waiting off)");
        if (handshakes.FairByHeader is not { } header)
            return;
        if (HeaderNames.FaultOfKey(header, "x-tenant", "fairBy: clientAddress") is { } fault)
            faults.Invalid(key + ".fairBy.header", fault);
        else if (backend.Auth?.CopyHeaders.Contains(header, StringComparer.OrdinalIgnoreCase) == true)
            faults.Invalid(key + ".fairBy.header",
                $"{Printable.Quote(header)} is one of auth.copyHeaders and so unknown before the auth service has answered, which is after the queue; write clientAddress, or another header");
    }

    private static void AtMost(int value, string example, string key, FaultCollector faults)
    {
        if (value is < 0 or > Most)
            faults.Invalid(key, Say($"{value} is not from 0 to {Most}; write for example {example}"));
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
