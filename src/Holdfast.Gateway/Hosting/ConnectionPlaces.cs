using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Hosting;

/// <summary>
/// What a connection takes of the gateway's room. It is kept with the pair, so that the end gives back just what the beginning took.
/// </summary>
/// <param name="IsCounted">Its listener's limit counts the connection that it came on.</param>
/// <param name="IsBridged">Its endpoint is spoken to through a socket pair, which takes two descriptors more.</param>
internal readonly record struct ConnectionPlaces(bool IsCounted, bool IsBridged)
{
    // Beside those of Limits.BackendCounts.
    private const byte CountedKind = 4, BridgedKind = 8;

    /// <summary>Of two descriptors each.</summary>
    public int Count => IsBridged ? 2 : 1;

    public static ConnectionPlaces Of(in PairClaims claims) => new((claims.Kinds & CountedKind) != 0, (claims.Kinds & BridgedKind) != 0);

    public void KeepIn(ref PairClaims claims) => claims.Kinds |= (byte)((IsCounted ? CountedKind : 0) | (IsBridged ? BridgedKind : 0));
}
