using System.CommandLine;
using System.Globalization;
using Holdfast.Api.Configuration;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast check --config FILE</c>: every fault on stderr, one line each; or one line of summary on stdout.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var config = new Option<string>("--config", "-c") { Description = "The configuration file (YAML).", HelpName = "FILE", Required = true };
        var command = new Command("check", "Validates a configuration.") { config };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(config), parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error));
        return command;
    }

    internal static int Run(string path, TextWriter output, TextWriter error)
    {
        var result = ConfigurationReader.ReadFile(path);
        if (result.Configuration is not { } configuration)
        {
            foreach (var fault in result.Faults)
                error.WriteLine(fault.ToString());
            return ExitCodes.BadUsage;
        }

        output.WriteLine($"{path}: ok: " + string.Join(", ",
            Count(configuration.Listeners.Count, "listener"),
            Count(configuration.Routes.Count, "route"),
            Count(configuration.Backends.Count, "backend"),
            Count(configuration.Backends.Sum(b => b.Endpoints.Count), "endpoint")));
        return ExitCodes.Ok;
    }

    private static string Count(int count, string what) => count.ToString(CultureInfo.InvariantCulture) + " " + what + (count == 1 ? "" : "s");
}
