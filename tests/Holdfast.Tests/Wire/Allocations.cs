using Xunit;

namespace Holdfast.Tests.Wire;

internal static class Allocations
{
    /// <summary>Demands that the action, once warm, allocates nothing on this thread.</summary>
    public static void AssertNone(Action action)
    {
        const int warmUp = 100;
        const int counted = 1000;
        for (int i = 0; i < warmUp; i++)
            action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < counted; i++)
            action();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
