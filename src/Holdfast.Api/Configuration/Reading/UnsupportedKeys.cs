using System.Collections.Frozen;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>
/// Keys and values that a configuration may have in a later version: refused by name, so that nobody believes a policy is in force that is
/// not. Whoever implements one deletes it here.
/// </summary>
internal static class UnsupportedKeys
{
    private static readonly FrozenSet<string> Keys = FrozenSet.Create(
        StringComparer.Ordinal,
        "cluster",
        "backends.*.user");

    public static IReadOnlyCollection<string> All => Keys;

    /// <summary>A protocol to hold connections in, like the above.</summary>
    public static bool IsProtocol(string text) => text is "socket.io" or "signalr" or "mqtt";

    public static bool Contains(string schemaPath) => Keys.Contains(schemaPath);
}
