using System.Text.Json;
using System.Text.Json.Serialization;

namespace Holdfast.Cli.Admin;

/// <summary>The answer of <c>/health</c>, as far as it is used here. Everything may be missing: another version may answer.</summary>
internal sealed record HealthAnswer(
    string? Phase,
    string? Version,
    DateTimeOffset? StartedAt,
    long Connections,
    long UsableConnections,
    ConfigurationAnswer? Configuration,
    MemoryAnswer? Memory,
    IReadOnlyList<ListenerAnswer>? Listeners,
    IReadOnlyList<BackendAnswer>? Backends);

/// <param name="State"><c>in_force</c>, <c>rejected</c> or <c>needs_restart</c>.</param>
/// <param name="NeedsRestart">Keys.</param>
/// <param name="Faults">The first of them; none without the admin token, where there is one.</param>
internal sealed record ConfigurationAnswer(
    string? State, string? File, DateTimeOffset? AppliedAt, IReadOnlyList<string>? NeedsRestart, int FaultCount, IReadOnlyList<string>? Faults);

/// <summary>Bytes.</summary>
internal sealed record MemoryAnswer(long WorkingSet, long ManagedHeap);

internal sealed record ListenerAnswer(string? Name, string? Address);

/// <summary>The answer of <c>/v1/backends</c>.</summary>
internal sealed record BackendList(IReadOnlyList<BackendAnswer>? Backends);

/// <param name="RehomedTotal">Connections that another endpoint took over.</param>
internal sealed record BackendAnswer(string? Name, IReadOnlyList<EndpointAnswer>? Endpoints, long RehomedTotal = 0);

/// <summary>One endpoint as the gateway sees it. Counters grow from the gateway's start; <c>/health</c> leaves them out.</summary>
internal sealed record EndpointAnswer(
    string? Address, string? Phase, string? Health, long Connections, long OpenedTotal, long MessagesToEndpoint, long MessagesToClient, DrainAnswer? Drain = null);

/// <param name="Causes">Why it is drained.</param>
/// <param name="StartsInMs">Until the first close; negative: so long ago.</param>
/// <param name="EndsInMs">Until the last.</param>
internal sealed record DrainAnswer(IReadOnlyList<string>? Causes, long StartsInMs, long EndsInMs);

/// <summary>The answer of <c>/v1/ends</c>, newest first.</summary>
internal sealed record EndList(IReadOnlyList<EndAnswer>? Ends);

internal sealed record EndAnswer(
    string? Id, DateTimeOffset Time, string? Endpoint, string? Client, string? Reason, string? Side, int? CloseCode, double DurationMs);

/// <summary>The answer to anything that failed.</summary>
internal sealed record ErrorAnswer(string? Error);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(BackendList))]
[JsonSerializable(typeof(EndList))]
[JsonSerializable(typeof(EndpointAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
internal sealed partial class AdminJson : JsonSerializerContext;
