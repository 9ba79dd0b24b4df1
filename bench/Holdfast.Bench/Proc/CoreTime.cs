using System.Globalization;

namespace Holdfast.Bench.Proc;

/// <summary>What the machine's cores did up to one moment, from <c>/proc/stat</c>.</summary>
internal readonly record struct CoreTime(long Total, long Steal)
{
    public static CoreTime Now()
    {
        // cpu user nice system idle iowait irq softirq steal guest guest_nice; guest time is in user time already (proc_stat(5)).
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(field => long.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return new CoreTime(fields.Sum(), fields[7]);
    }

    /// <summary>The share of time since an earlier moment that the host took for others, 0 to 1.</summary>
    public double StealSince(CoreTime before) => Total == before.Total ? 0 : (double)(Steal - before.Steal) / (Total - before.Total);
}
