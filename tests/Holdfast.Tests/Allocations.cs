using Xunit;

namespace Holdfast.Tests;

/// <summary>What code allocates on the thread that runs it.</summary>
internal static class Allocations
{
    private const int Rounds = 10;

    /// <summary>Demands that the action, once warm, allocates nothing on this thread.</summary>
    /// <param name="action">Called 11,000 times at most.</param>
    public static void AssertNone(Action action)
    {
        const int WarmUp = 1000, Counted = 1000;
        for (var i = 0; i < WarmUp; i++)
            action();
        Assert.Equal(0, Least(() =>
        {
            for (var i = 0; i < Counted; i++)
                action();
        }));
    }

    /// <summary>
    /// The bytes that a round allocates on this thread, in the cheapest of ten: what the runtime makes once, when code is compiled again or a collection takes
    /// the thread's buffer away, comes in one round; what each turn of the code costs comes in all.
    /// </summary>
    public static long Least(Action round)
    {
        var least = long.MaxValue;
        for (var i = 0; i < Rounds && least != 0; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            round();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
