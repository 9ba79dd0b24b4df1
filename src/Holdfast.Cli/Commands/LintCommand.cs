using System.CommandLine;
using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Output;

namespace Holdfast.Cli.Commands;

/// <summary>
/// <c>holdfast lint PATH…</c>. Exit code 0 when nothing of the asked severity was found, 1 when something was or a manifest could not be read, 2 bad
/// usage or configuration, 3 when a fix could not be written.
/// </summary>
internal static class LintCommand
{
    private static readonly string[] Formats = ["text", "json", "sarif"];
    private static readonly string[] Severities = ["error", "warning", "advice", "none"];

    public static Command Create()
    {
        var paths = new Argument<string[]>("PATH") { Description = "Files and folders with manifests; - for what is piped in.", Arity = ArgumentArity.ZeroOrMore };
        var format = new Option<string>("--format") { Description = "How to report: text, json or sarif.", DefaultValueFactory = _ => Formats[0] };
        format.AcceptOnlyFromAmong(Formats);
        var failOn = new Option<string>("--fail-on")
        {
            Description = "The least severity that makes the exit code 1: error, warning, advice or none.",
            DefaultValueFactory = _ => Severities[0],
        };
        failOn.AcceptOnlyFromAmong(Severities);
        var explain = new Option<string?>("--explain") { Description = "Explain a rule, by id or name, and do nothing else.", HelpName = "ID" };
        var fix = new Option<bool>("--fix") { Description = "Write mechanical fixes into the files, keeping comments and style." };
        var webSocket = new Option<string[]>("--websocket")
        {
            Description = "A workload or Service that uses WebSockets, as namespace/name; may be given several times.",
            HelpName = "NS/NAME",
        };
        var config = new Option<string?>("--config", "-c")
        {
            Description = "What to assume and to ignore. Default: .holdfast-lint.yaml in the working directory, if it is there.",
            HelpName = "FILE",
        };

        var command = new Command("lint", "Finds what will drop WebSockets in Kubernetes manifests.") { paths, format, failOn, explain, fix, webSocket, config };
        command.SetAction(parsed =>
        {
            var options = new LintOptions
            {
                Paths = parsed.GetValue(paths) ?? [],
                Format = parsed.GetValue(format) switch { "json" => LintFormat.Json, "sarif" => LintFormat.Sarif, _ => LintFormat.Text },
                FailOn = parsed.GetValue(failOn) switch { "none" => null, "advice" => Severity.Advice, "warning" => Severity.Warning, _ => Severity.Error },
                Explain = parsed.GetValue(explain),
                Fix = parsed.GetValue(fix),
                WebSocket = parsed.GetValue(webSocket) ?? [],
                Config = parsed.GetValue(config),
                Color = IsColorful(parsed.InvocationConfiguration.Output),
                Version = typeof(LintCommand).Assembly.GetName().Version?.ToString(3) ?? "0.0.0",
            };
            var outcome = new LintSession(options, Console.In, parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error).Run();
            return outcome switch
            {
                LintOutcome.Clean => ExitCodes.Ok,
                LintOutcome.FaultsFound => ExitCodes.FaultsFound,
                LintOutcome.BadUsage => ExitCodes.BadUsage,
                _ => ExitCodes.Failed,
            };
        });
        return command;
    }

    /// <summary>Only on a terminal, and not when the user has asked for none (no-color.org).</summary>
    private static bool IsColorful(TextWriter output) => ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";
}
