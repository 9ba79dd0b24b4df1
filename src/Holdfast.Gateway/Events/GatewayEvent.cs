using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Holdfast.Gateway.Events;

/// <summary>Something that happened, as its readers get it: made once for all of them.</summary>
/// <param name="Name">The event's, of server-sent events.</param>
/// <param name="Json">One line of UTF-8.</param>
internal sealed record GatewayEvent(string Name, byte[] Json)
{
    public static GatewayEvent Of(DrainStartedView view) => Of("drain-started", view, EventJson.Default.DrainStartedView);

    public static GatewayEvent Of(DrainEndedView view) => Of("drain-ended", view, EventJson.Default.DrainEndedView);

    public static GatewayEvent Of(RehomesView view) => Of("rehomes", view, EventJson.Default.RehomesView);

    public static GatewayEvent Of(EndpointChangedView view) => Of("endpoint", view, EventJson.Default.EndpointChangedView);

    public static GatewayEvent Of(LostView view) => Of("lost", view, EventJson.Default.LostView);

    private static GatewayEvent Of<T>(string name, T view, JsonTypeInfo<T> type) => new(name, JsonSerializer.SerializeToUtf8Bytes(view, type));
}

/// <param name="Connections">Relayed at that moment.</param>
internal sealed record DrainStartedView(string Time, string Backend, string Endpoint, IReadOnlyList<string> Causes, int Connections);

/// <param name="Outcome"><c>empty</c> or <c>cancelled</c>.</param>
/// <param name="Causes">All that held meanwhile.</param>
/// <param name="Connections">At the start; what came later is in the counts, too.</param>
/// <param name="Rehomed">Another endpoint took over.</param>
/// <param name="Closed">By the drain.</param>
/// <param name="Ended">For any other reason.</param>
/// <param name="Remain">Still there.</param>
internal sealed record DrainEndedView(
    string Time,
    string Backend,
    string Endpoint,
    string Outcome,
    IReadOnlyList<string> Causes,
    long DurationMs,
    int Connections,
    long Rehomed,
    long Closed,
    long Ended,
    int Remain);

/// <summary>Re-homes of a backend that ended since its last such event: by cause, and the same by outcome.</summary>
/// <param name="Unknown">Client messages of which nobody knows whether an endpoint read them.</param>
internal sealed record RehomesView(
    string Time,
    string Backend,
    long Planned,
    long CloseFirst,
    long Crash,
    long Completed,
    long CutShort,
    long Refused,
    long TimedOut,
    long ClientGone,
    long Ended,
    long Unknown);

/// <summary>An endpoint came, went, or is in another phase or health.</summary>
internal sealed record EndpointChangedView(string Time, string Backend, string Endpoint, string Phase, string Health, int Connections);

/// <param name="Events">That this reader was too slow for, since the one before this.</param>
internal sealed record LostView(long Events);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DrainStartedView))]
[JsonSerializable(typeof(DrainEndedView))]
[JsonSerializable(typeof(RehomesView))]
[JsonSerializable(typeof(EndpointChangedView))]
[JsonSerializable(typeof(LostView))]
internal sealed partial class EventJson : JsonSerializerContext;
