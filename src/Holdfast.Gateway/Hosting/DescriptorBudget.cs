namespace Holdfast.Gateway.Hosting;

/// <summary>How many connections fit under the limit of open files.</summary>
internal static class DescriptorBudget
{
    /// <summary>Descriptors kept for everything else: the runtime (some 150 for its libraries), loops, listeners, log, admin API, plain requests.</summary>
    private const int Reserve = 256;

    /// <summary>A relayed connection takes two descriptors.</summary>
    public static int UsableConnections(long limit) => (int)Math.Clamp((limit - Reserve) / 2, 1, int.MaxValue);
}
