using System.CommandLine;
using Holdfast.Cli.Commands;

namespace Holdfast.Cli;

internal static class Program
{
    internal static RootCommand Root() => new("Keeps WebSockets connected on Kubernetes.")
    {
        CheckCommand.Create(),
        DevCommand.Create(),
        DrainCommand.Create(),
        GatewayCommand.Create(),
        LintCommand.Create(),
        LoadCommand.Create(),
        RehearseCommand.Create(),
        RehearseReplicaCommand.Create(),
        StatusCommand.Create(),
        TopCommand.Create(),
    };

    private static async Task<int> Main(string[] args)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                await Console.Error.WriteLineAsync("holdfast: " + error.Message);
            return ExitCodes.BadUsage;
        }

        // Null: no signal is caught for us, so a drain is never cut at the default of two seconds.
        return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }
}
