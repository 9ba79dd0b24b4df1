using System.Text.Json;
using System.Text.Json.Serialization;

namespace Holdfast.Cli.Dev;

/// <summary>The answer of <c>/v1/backends</c>.</summary>
internal sealed record BackendList(IReadOnlyList<BackendView>? Backends);

internal sealed record BackendView(string? Name, IReadOnlyList<EndpointView>? Endpoints);

/// <summary>One endpoint as the gateway sees it. Counters grow from the gateway's start.</summary>
internal sealed record EndpointView(
    string Address, string? Phase, string? Health, long Connections, long OpenedTotal, long MessagesToEndpoint, long MessagesToClient);

/// <summary>The answer of <c>/v1/ends</c>, newest first.</summary>
internal sealed record EndList(IReadOnlyList<EndView>? Ends);

internal sealed record EndView(
    string? Id, DateTimeOffset Time, string? Endpoint, string? Client, string? Reason, string? Side, int? CloseCode, double DurationMs);

/// <summary>What the gateway said last.</summary>
/// <param name="Answers">False while the admin API cannot be reached.</param>
/// <param name="Endpoints">By address.</param>
/// <param name="Ends">Newest first.</param>
/// <param name="Rates">Messages per second by endpoint.</param>
internal sealed record AdminView(
    bool Answers, IReadOnlyDictionary<string, EndpointView> Endpoints, IReadOnlyList<EndView> Ends, IReadOnlyDictionary<string, MessageRate> Rates)
{
    public static AdminView None { get; } = new(
        false, new Dictionary<string, EndpointView>(StringComparer.Ordinal), [], new Dictionary<string, MessageRate>(StringComparer.Ordinal));
}

/// <summary>Messages per second.</summary>
internal readonly record struct MessageRate(double ToEndpoint, double ToClient);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(BackendList))]
[JsonSerializable(typeof(EndList))]
internal sealed partial class AdminJson : JsonSerializerContext;
