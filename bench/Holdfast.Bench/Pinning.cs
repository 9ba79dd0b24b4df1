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
        string[] program = ["dotnet", typeof(Pinning).Assembly.Location, .. args];

        // Benches that compare the tails of two phases in one run: whatever else wakes on the load's core must not make load or backend late in one of them.
        if (args[0] is "storm" or "loris")
            program = ["chrt", "--fifo", "10", .. program];
        var start = Taskset(LoadCore, program[0], program.Skip(1));
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

    /// <summary>taskset becomes the program, so that its process id is the program's.</summary>
    public static ProcessStartInfo Taskset(int core, string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("taskset") { UseShellExecute = false };
        foreach (var argument in new[] { "-c", core.ToString(CultureInfo.InvariantCulture), program }.Concat(arguments))
            start.ArgumentList.Add(argument);
        return start;
    }
}
