using System.Diagnostics;

namespace Holdfast.Bench.Proc;

/// <summary>Facts of the machine that a result means nothing without.</summary>
internal static class Machine
{
    public static IEnumerable<string> Facts()
    {
        var cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim();
        var cores = File.ReadLines("/proc/cpuinfo").Count(l => l.StartsWith("processor", StringComparison.Ordinal));
        yield return $"CPU: {cpu ?? "unknown"}, {cores} cores; proxy on core {Pinning.ProxyCore}, load and backend on core {Pinning.LoadCore}";
        yield return "memory: " + File.ReadLines("/proc/meminfo").First().Split(':')[1].Trim();
        yield return "kernel: " + File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        yield return ".NET: " + Environment.Version;
        yield return "nginx: " + FirstLine("nginx", "-v");
        yield return "haproxy: " + FirstLine("haproxy", "-v");
    }

    private static string FirstLine(string command, string arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments)
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
            process.WaitForExit();
            return text.Split('\n')[0].Trim();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "not installed";
        }
    }
}
