using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>A command that must succeed.</summary>
internal static class ShellCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);

    /// <summary>For the .NET SDK: its build servers would outlive the test.</summary>
    public static IReadOnlyDictionary<string, string> BuildEnvironment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["MSBUILDDISABLENODEREUSE"] = "1",
        ["UseSharedCompilation"] = "false",
        ["DOTNET_NOLOGO"] = "1",
        ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
    };

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
