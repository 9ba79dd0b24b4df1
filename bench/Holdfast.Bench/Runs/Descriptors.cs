using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Runs;

/// <summary>The limit of open files that all processes of a bench have. The runtime raises the soft one to the hard one; the hard one is the machine's.</summary>
internal static class Descriptors
{
    // Of the runtime, its libraries and the admin address.
    private const int Others = 512;

    /// <summary>For the page.</summary>
    public static string Told => $"File descriptors: {Sys.DescriptorLimit()} for each process (`ulimit -Hn`; more could not be had without a privilege).";

    /// <exception cref="BenchException">The limit is too low for so many in the system, or in a crowd.</exception>
    public static void Require(int system, int crowd)
    {
        var needed = Math.Max(system, crowd) + Others;
        if (Sys.DescriptorLimit() < needed)
            throw new BenchException($"{needed} file descriptors are needed, and the limit is {Sys.DescriptorLimit()} (ulimit -n)");
    }
}
