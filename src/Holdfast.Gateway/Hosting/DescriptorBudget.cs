namespace Holdfast.Gateway.Hosting;

/// <summary>How many connections fit under the limit of open files.</summary>
internal static class DescriptorBudget
{
    /// <summary>Descriptors kept for everything else: the runtime (some 180 with its libraries), loops, listeners, log, admin API, checks.</summary>
    private const int Reserve = 384;

    /// <summary>Of them, free ones that no connection may take: without one the runtime cannot load a library, and the process dies.</summary>
    private const int Untouched = 96;

    /// <summary>Loops keep no descriptor from this number on. A limit too small for it is left to itself.</summary>
    public static int Cap(long limit) => limit > Reserve ? (int)Math.Min(limit - Untouched, int.MaxValue) : int.MaxValue;

    /// <summary>
    /// A relayed connection takes two descriptors, and so does one that Kestrel serves (its own and one to an endpoint). An upgrade on such a one is another connection: with the
    /// pair of sockets to its loop these are four. An endpoint that is spoken to by TLS takes a pair of sockets more.
    /// </summary>
    public static int UsableConnections(long limit) => (int)Math.Clamp((limit - Reserve) / 2, 1, int.MaxValue);
}
