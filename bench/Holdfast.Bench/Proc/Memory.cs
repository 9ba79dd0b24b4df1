using System.Globalization;

namespace Holdfast.Bench.Proc;

/// <summary>User memory of a process and its descendants, in bytes, from <c>smaps_rollup</c>.</summary>
internal readonly record struct Memory(long PrivateDirty, long Resident)
{
    public static Memory Of(int pid)
    {
        long dirty = 0, resident = 0;
        foreach (var line in ProcessTree.Of(pid).SelectMany(process => File.ReadLines($"/proc/{process}/smaps_rollup")))
        {
            if (line.StartsWith("Private_Dirty:", StringComparison.Ordinal))
                dirty += KiloBytes(line);
            else if (line.StartsWith("Rss:", StringComparison.Ordinal))
                resident += KiloBytes(line);
        }

        return new Memory(dirty, resident);
    }

    /// <summary>Resident bytes of one process, which cost it less to be asked for (<c>statm</c>).</summary>
    public static long ResidentOf(int process) =>
        long.Parse(File.ReadAllText($"/proc/{process}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    private static long KiloBytes(string line) =>
        1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
