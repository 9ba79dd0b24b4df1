using System.Collections.Concurrent;
using System.Globalization;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>Real processes, and waiting for what they do.</summary>
internal static class Processes
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Where the tool under test was built, its Showcase included.</summary>
    public static string ToolDirectory { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Holdfast.Cli", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory))));

    public static ReplicaCommand Showcase { get; } = ReplicaCommand.ForShowcase(ToolDirectory, "dotnet");

    public static ChildSpec Shell(string script, params (string Name, string Value)[] environment) =>
        new("/bin/sh", ["-c", script], environment.ToDictionary(e => e.Name, e => e.Value, StringComparer.Ordinal));

    public static int FreePort() => FreePorts.Pick(1, new Random())[0];

    /// <summary>Whether the process runs; a zombie nobody has reaped does not.</summary>
    public static bool IsAlive(int id)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            return stat[(stat.LastIndexOf(')') + 2)..][0] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Waits for a condition that something outside of this process brings about.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!condition())
        {
            Assert.False(limit.IsCancellationRequested, "waited in vain until " + what);
            await Task.Delay(TimeSpan.FromMilliseconds(10), CancellationToken.None);
        }
    }
}

/// <summary>Lines as they come, and waiting for one.</summary>
internal sealed class Lines
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyList<string> All => [.. _lines];

    public void Add(string line) => _lines.Enqueue(line);

    public async Task<string> FirstAsync(Func<string, bool> which)
    {
        await Processes.UntilAsync(() => _lines.Any(which), "a certain line was printed; there are: " + string.Join(" | ", _lines));
        return _lines.First(which);
    }

    /// <summary>The numbers printed as <c>label=number</c>.</summary>
    public async Task<int> NumberAsync(string label) =>
        int.Parse((await FirstAsync(l => l.StartsWith(label + "=", StringComparison.Ordinal)))[(label.Length + 1)..], CultureInfo.InvariantCulture);
}
