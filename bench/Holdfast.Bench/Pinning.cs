using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Holdfast.Bench;

/// <summary>The proxy has one core to itself; load, backend and this program share the other.</summary>
internal static class Pinning
{
    public const int ProxyCore = 0, LoadCore = 1;
    private const string Mark = "HOLDFAST_BENCH_PINNED";

    /// <summary>Whether this process is the pinned one; else <see cref="RunAgainAsync"/> makes one.</summary>
    public static bool IsPinned => Environment.GetEnvironmentVariable(Mark) is not null;

    public static async Task<int> RunAgainAsync(string[] args)
    {
        var start = Taskset(LoadCore, "dotnet", [typeof(Pinning).Assembly.Location, .. args]);
        start.Environment[Mark] = "1";
        using var process = Process.Start(start)!;

        // The child stops its proxies, and this waits for it. An interrupt reaches both, being one process group.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        });
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    /// <summary>
    /// Lets the threads of this process with a name go before all else on their core (SCHED_FIFO). For benches that compare the tails of two phases of one run: what else wakes there, this
    /// process' own looks at the system included, must not make the load late in one of them.
    /// </summary>
    public static async Task GoFirstAsync(string threads)
    {
        foreach (var task in Directory.GetDirectories("/proc/self/task").Where(t => File.ReadAllText(t + "/comm").TrimEnd() == threads))
        {
            using var chrt = Process.Start("chrt", ["--fifo", "--pid", "10", Path.GetFileName(task)]);
            await chrt.WaitForExitAsync();
            if (chrt.ExitCode != 0)
                throw new BenchException("The load's thread may not be given priority (chrt --fifo): that takes CAP_SYS_NICE");
        }
    }

    /// <summary>taskset becomes the program, so that its process id is the program's.</summary>
    public static ProcessStartInfo Taskset(int core, string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("taskset") { UseShellExecute = false };
        foreach (var argument in new[] { "-c", core.ToString(CultureInfo.InvariantCulture), program }.Concat(arguments))
            start.ArgumentList.Add(argument);
        return start;
    }
}
