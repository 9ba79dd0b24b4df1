using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;

namespace Holdfast.Functional.Tests.Container;

/// <summary>A command that must succeed.</summary>
internal static class ShellCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);

    /// <param name="script">For /bin/sh; <c>$1</c> and so on are the arguments.</param>
    public static async Task RunAsync(string script, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var lines = new Lines();
        await using var process = ChildProcess.Start(
            new ChildSpec("/bin/sh", ["-ec", script, "sh", .. arguments], environment ?? new Dictionary<string, string>(StringComparer.Ordinal)), lines.Add, TimeProvider.System);
        var exit = await process.Exited.WaitAsync(Patience);
        Assert.True(exit == 0, $"exit code {exit} of: {script}\n" + string.Join('\n', lines.All.TakeLast(40)));
    }
}
