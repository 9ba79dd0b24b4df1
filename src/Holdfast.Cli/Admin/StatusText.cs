using System.Globalization;

namespace Holdfast.Cli.Admin;

/// <summary>What <c>holdfast status</c> prints.</summary>
internal static class StatusText
{
    /// <param name="health">The gateway itself.</param>
    /// <param name="backends">With more than health knows of them, if they could be had.</param>
    /// <param name="address">Where it was asked.</param>
    /// <param name="now">By this machine's clock.</param>
    public static IEnumerable<string> Of(HealthAnswer health, IReadOnlyList<BackendAnswer> backends, Uri address, DateTimeOffset now)
    {
        var up = health.StartedAt is { } since ? ", up " + Shown.Duration(now - since) : "";
        yield return $"gateway        {Shown.Text(health.Phase)}, version {Shown.Text(health.Version)}{up}, admin API {address}";
        if (health.Listeners is { Count: > 0 } listeners)
            yield return "listening      " + string.Join(", ", listeners.Select(l => $"{Shown.Text(l.Address)} ({Shown.Text(l.Name)})"));
        yield return string.Create(CultureInfo.InvariantCulture, $"connections    {health.Connections:#,0} of {health.UsableConnections:#,0} that fit");
        if (backends.Sum(b => b.RehomedTotal) is > 0 and var rehomed)
            yield return string.Create(CultureInfo.InvariantCulture, $"re-homes       {rehomed:#,0}");
        if (health.Memory is { } memory)
            yield return $"memory         {Shown.Bytes(memory.WorkingSet)}, of it managed {Shown.Bytes(memory.ManagedHeap)}";
        foreach (var line in health.Configuration is { } configuration ? Of(configuration, now) : [])
            yield return line;
        foreach (var backend in backends)
        {
            var endpoints = backend.Endpoints ?? [];
            yield return "";
            yield return $"backend {Shown.Text(backend.Name)}: {Shown.Count(endpoints.Sum(e => e.Connections), "connection")}, {Shown.Count(endpoints.Count, "endpoint")}";
            foreach (var line in Shown.Columns(["endpoint", "phase", "health", "connections", "drain"], [3], endpoints.Select(Row)))
                yield return "  " + line;
        }
    }

    public static IEnumerable<string> Of(IReadOnlyList<EndAnswer> ends, DateTimeOffset now)
    {
        yield return "";
        if (ends.Count == 0)
        {
            yield return "no connection has ended yet";
            yield break;
        }

        yield return $"the last {Shown.Count(ends.Count, "end")}, in {Shown.Duration(now - ends[^1].Time)}";
        var reasons = ends.GroupBy(e => (e.Reason, e.Side)).OrderByDescending(g => g.Count()).ThenBy(g => g.Key.Reason, StringComparer.Ordinal);
        foreach (var line in Shown.Columns(["reason", "side", "ends"], [2], reasons.Select(g => (IReadOnlyList<string>)
            [Shown.Text(g.Key.Reason), Shown.Text(g.Key.Side), g.Count().ToString(CultureInfo.InvariantCulture)])))
            yield return "  " + line;
    }

    private static IEnumerable<string> Of(ConfigurationAnswer configuration, DateTimeOffset now)
    {
        var file = configuration.File is { } path ? ", from " + Shown.Text(path) : "";
        var ago = configuration.AppliedAt is { } at ? $" for {Shown.Duration(now - at)}" : "";
        yield return "configuration  " + configuration.State switch
        {
            "in_force" => $"in force{ago}{file}",
            "needs_restart" => $"in force{ago}{file}, but for {string.Join(", ", (configuration.NeedsRestart ?? []).Select(Shown.Text))}: those need a restart",
            "rejected" => $"REJECTED for {Shown.Count(configuration.FaultCount, "fault")}{file}; what was applied last stays in force",
            var other => Shown.Text(other) + file,
        };
        var faults = configuration.Faults ?? [];
        foreach (var fault in faults)
            yield return "  " + Shown.Text(fault);
        if (faults.Count is > 0 and var shown && shown < configuration.FaultCount)
            yield return string.Create(CultureInfo.InvariantCulture, $"  and {configuration.FaultCount - shown} more, in the gateway's log");
    }

    private static IReadOnlyList<string> Row(EndpointAnswer endpoint) =>
    [
        Shown.Text(endpoint.Address), Shown.Text(endpoint.Phase), Shown.Text(endpoint.Health), endpoint.Connections.ToString("#,0", CultureInfo.InvariantCulture),
        Shown.Drain(endpoint.Drain),
    ];
}
