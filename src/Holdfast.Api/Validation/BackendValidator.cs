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
            ValidateEndpoints(backend.Endpoints, key + ".endpoints", faults);
            if (backend.KeepAlive.PongTimeout <= TimeSpan.Zero)
                faults.Invalid(key + ".keepAlive.pongTimeout",
                    "0s would end every pinged connection; write for example 20s (pingInterval: 0s turns pings off)");
            if (backend.Spill < SmallestSpill)
                faults.Invalid(key + ".spill",
                    string.Create(CultureInfo.InvariantCulture, $"{backend.Spill} bytes are less than the least, 4KiB; write for example 1MiB"));
        }
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
