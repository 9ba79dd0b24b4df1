namespace Holdfast.Gateway.Discovery;

/// <summary>How the look-ups of a backend's name go, as /health and the metrics tell it. Immutable, swapped whole.</summary>
/// <param name="FullName">The name that answered last, with its search domain; null before the first answer.</param>
/// <param name="Since">When this name was first asked for.</param>
/// <param name="LastGoodAt">When both families answered last; null: never yet.</param>
/// <param name="LastOutcome">Null: the first look-up is under way.</param>
/// <param name="Addresses">Of the last good answer.</param>
/// <param name="TimeToLive">Of that answer.</param>
internal sealed record DiscoveryStatus(
    string Name,
    string? FullName,
    DateTimeOffset Since,
    DateTimeOffset? LastGoodAt,
    LookupOutcome? LastOutcome,
    int Addresses,
    TimeSpan TimeToLive);
