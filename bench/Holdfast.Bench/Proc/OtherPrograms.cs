using System.Globalization;

namespace Holdfast.Bench.Proc;

/// <summary>
/// CPU time of all programs on the machine but some, up to one moment: of each, and of its children that have ended, from <c>stat</c>. Its ticks of 10 ms
/// tell a compiler from nothing, which is what it is for. (<c>/proc/stat</c> cannot: it counts too little of what runs in short turns.)
/// </summary>
internal readonly record struct OtherPrograms(double Seconds, long Timestamp)
{
    private const double SecondsPerTick = 0.01;

    /// <param name="ours">With their descendants.</param>
    public static OtherPrograms Now(IEnumerable<int> ours)
    {
        var left = ours.SelectMany(ProcessTree.Of).ToHashSet();
        var ticks = 0L;
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) || left.Contains(pid))
                continue;
            try
            {
                // utime, stime, cutime and cstime are fields 14 to 17 (proc_pid_stat(5)).
                var stat = File.ReadAllText(directory + "/stat");
                ticks += stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[11..15].Sum(field => long.Parse(field, CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        return new OtherPrograms(ticks * SecondsPerTick, TimeProvider.System.GetTimestamp());
    }

    /// <summary>Cores that they kept busy since an earlier moment: 1 is one of them all the time.</summary>
    public double CoresSince(OtherPrograms before) =>
        Math.Max(0, (Seconds - before.Seconds) / TimeProvider.System.GetElapsedTime(before.Timestamp, Timestamp).TotalSeconds);
}
