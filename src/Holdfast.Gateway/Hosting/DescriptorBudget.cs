namespace Holdfast.Gateway.Hosting;

/// <summary>How many connections fit under the limit of open files.</summary>
internal static class DescriptorBudget
{
    /// <summary>Descriptors kept for everything else: the runtime, loops, listeners, log, admin API, plain requests.</summary>
    private const int Reserve = 256;

    /// <summary>A relayed connection takes two descriptors; a small limit keeps a quarter back.</summary>
    public static int UsableConnections(long limit) => (int)Math.Max(1, (limit - Math.Min(Reserve, limit / 4)) / 2);
}
