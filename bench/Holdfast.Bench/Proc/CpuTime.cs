using System.Globalization;

namespace Holdfast.Bench.Proc;

/// <summary>
/// The CPU time of a process and all its descendants at one moment: nanoseconds of every thread from <c>schedstat</c>, which is exact
/// where <c>stat</c> has hundredths of a second; <c>stat</c>, which keeps the time of ended threads, stands in when a thread has ended.
/// </summary>
internal sealed class CpuTime
{
    // USER_HZ is 100 on every Linux that .NET runs on.
    private const double SecondsPerTick = 0.01;
    private readonly Dictionary<string, double> _threads = new(StringComparer.Ordinal);
    private double _ticks;

    public static CpuTime Of(int pid)
    {
        var time = new CpuTime();
        foreach (var process in ProcessTree.Of(pid))
        {
            try
            {
                time.Add(process);
            }
            catch (IOException)
            {
                // It ended between the two look-ups.
            }
        }

        return time;
    }

    /// <summary>Of no process.</summary>
    public static CpuTime None { get; } = new();

    public static CpuTime OfThisProcess()
    {
        var time = new CpuTime();
        time.Add(Environment.ProcessId);
        return time;
    }

    /// <summary>Seconds used since an earlier moment.</summary>
    public double Since(CpuTime before)
    {
        if (before._threads.Keys.Any(thread => !_threads.ContainsKey(thread)))
            return _ticks - before._ticks;
        return _threads.Sum(thread => thread.Value - before._threads.GetValueOrDefault(thread.Key));
    }

    private void Add(int pid)
    {
        // After the last ')': the name may hold anything. utime and stime are fields 14 and 15, the state is 3 (proc_pid_stat(5)).
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        _ticks += (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) * SecondsPerTick;
        foreach (var task in Directory.GetDirectories($"/proc/{pid}/task"))
        {
            try
            {
                var run = File.ReadAllText(task + "/schedstat").Split(' ')[0];
                _threads[task] = long.Parse(run, CultureInfo.InvariantCulture) / 1e9;
            }
            catch (IOException)
            {
                // The thread ended between the two look-ups.
            }
        }
    }
}
