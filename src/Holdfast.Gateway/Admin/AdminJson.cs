using System.Text.Json.Serialization;

namespace Holdfast.Gateway.Admin;

/// <summary>What the admin API says. The names are a contract: users script against them.</summary>
internal sealed record ErrorView(string Error);

internal sealed record ReadyView(string Status, string Phase);

internal sealed record HealthView(
    string Status,
    string Phase,
    string Version,
    string StartedAt,
    int Connections,
    int UsableConnections,
    ConfigurationView Configuration,
    MemoryView Memory,
    List<LoopView> Loops,
    List<ListenerView> Listeners,
    List<BackendHealthView> Backends);

/// <param name="File">Null: from no file.</param>
/// <param name="Hash">Of the content in force: the start of its SHA-256.</param>
/// <param name="NeedsRestart">Keys.</param>
/// <param name="Faults">The first of the rejected content; none for those without the admin token.</param>
internal sealed record ConfigurationView(
    string State,
    string? File,
    string Hash,
    string AppliedAt,
    IReadOnlyList<string> NeedsRestart,
    int FaultCount,
    IReadOnlyList<string> Faults);

/// <summary>Bytes.</summary>
internal sealed record MemoryView(long WorkingSet, long ManagedHeap);

/// <param name="LongestTurnMs">Since /health was last asked.</param>
internal sealed record LoopView(int Number, int Connections, long WakeUps, long AcceptPauses, long LongestTurnMs);

internal sealed record ListenerView(string Name, string Address);

/// <param name="Discovery">Null: the endpoints are listed.</param>
internal sealed record BackendHealthView(string Name, int Connections, DiscoveryView? Discovery, List<EndpointHealthView> Endpoints);

/// <param name="FullName">With the search domain that it was found in; null before the first answer.</param>
/// <param name="LastGoodAt">ISO 8601, UTC, milliseconds; null: never yet.</param>
/// <param name="LastOutcome">Null: the first look-up is under way.</param>
/// <param name="Addresses">Of the last good answer.</param>
/// <param name="TimeToLive">Seconds, of that answer.</param>
internal sealed record DiscoveryView(string Name, string? FullName, string? LastGoodAt, string? LastOutcome, int Addresses, int TimeToLive);

internal sealed record EndpointHealthView(string Address, string Phase, string Health, int Connections);

internal sealed record BackendsView(List<BackendView> Backends);

/// <param name="RehomedTotal">Connections that another endpoint took over, since the gateway's start.</param>
internal sealed record BackendView(string Name, string Policy, long RehomedTotal, int WaitingHandshakes, List<EndpointView> Endpoints);

/// <param name="RehomedTotal">Connections that another endpoint took over from it.</param>
/// <param name="UnhealthyReason">Null: it is healthy.</param>
/// <param name="EjectedForMs">Until a handshake may try it; 0: it is not ejected, or half-open.</param>
/// <param name="CheckFailure">Why its last active check failed; null: it passed, or none was made.</param>
internal sealed record EndpointView(
    string Address,
    string Phase,
    string Health,
    int Connections,
    int InFlightHandshakes,
    long OpenedTotal,
    long RehomedTotal,
    long MessagesToEndpoint,
    long MessagesToClient,
    long BytesToEndpoint,
    long BytesToClient,
    int FailuresInARow,
    string? UnhealthyReason,
    long EjectedForMs,
    string? CheckFailure,
    DrainView? Drain);

/// <param name="Causes">Why it is drained; it returns when none is left.</param>
/// <param name="StartsInMs">Until the first close; negative: so long ago.</param>
/// <param name="EndsInMs">Until the last.</param>
internal sealed record DrainView(IReadOnlyList<string> Causes, long StartsInMs, long EndsInMs);

/// <param name="Next">For <c>after=</c>; null at the end.</param>
internal sealed record ConnectionsView(List<ConnectionView> Connections, string? Next);

/// <param name="WaitingForClient">Bytes waiting for a slow client.</param>
/// <param name="WaitingForEndpoint">Bytes waiting for a slow endpoint.</param>
/// <param name="Rehomes">Times that another endpoint took over.</param>
/// <param name="RehomeAgeMs">Since the last; null, and left out: never.</param>
/// <param name="Held">No endpoint serves it at the moment, or its messages wait for another.</param>
/// <param name="Unknown">Client messages of which nobody knows whether an endpoint read them.</param>
internal sealed record ConnectionView(
    string Id,
    string Client,
    string Backend,
    string Endpoint,
    string Path,
    long AgeMs,
    long IdleMs,
    long BytesFromClient,
    long BytesFromEndpoint,
    long MessagesFromClient,
    long MessagesFromEndpoint,
    int WaitingForClient,
    int WaitingForEndpoint,
    int Rehomes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? RehomeAgeMs,
    bool Held,
    long Unknown);

internal sealed record ClosedView(string Id, bool Closed);

internal sealed record EndsView(List<EndView> Ends);

/// <param name="Time">ISO 8601, UTC, milliseconds: as in the access log.</param>
/// <param name="Rehomes">Times that another endpoint took over.</param>
/// <param name="Unknown">Client messages of which nobody knows whether an endpoint read them.</param>
internal sealed record EndView(
    string Id,
    string Time,
    string Backend,
    string Endpoint,
    string Client,
    string Reason,
    string Side,
    int CloseCode,
    long DurationMs,
    int Rehomes,
    long Unknown);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ErrorView))]
[JsonSerializable(typeof(ReadyView))]
[JsonSerializable(typeof(HealthView))]
[JsonSerializable(typeof(BackendsView))]
[JsonSerializable(typeof(EndpointView))]
[JsonSerializable(typeof(ConnectionsView))]
[JsonSerializable(typeof(ConnectionView))]
[JsonSerializable(typeof(ClosedView))]
[JsonSerializable(typeof(EndsView))]
internal sealed partial class AdminJson : JsonSerializerContext;
