using System.CommandLine;
using Holdfast.Cli.Dev;
using Spectre.Console;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast dev</c>: an application's replicas and the gateway before them, on this machine.</summary>
internal static class DevCommand
{
    public static Command Create()
    {
        var app = new Option<string?>("--app")
        {
            Description = "A shell command that starts one replica; it reads its port from WEBSOCKET_PORT or PORT. Default: the Showcase.",
            HelpName = "CMD",
        };
        var replicas = new Option<int>("--replicas") { Description = "How many at first.", DefaultValueFactory = _ => 3, HelpName = "N" };
        var port = new Option<int>("--port")
        {
            Description = "Where the gateway takes clients, on 127.0.0.1.",
            DefaultValueFactory = _ => 8080,
            HelpName = "PORT",
        };
        var adminPort = new Option<int>("--admin-port")
        {
            Description = "Where the gateway's admin API answers, on 127.0.0.1.",
            DefaultValueFactory = _ => 9090,
            HelpName = "PORT",
        };
        var health = new Option<string?>("--health")
        {
            Description = "A replica is ready when a GET of this path is answered with 2xx. Default: when its port accepts.",
            HelpName = "PATH",
        };
        var late = new Option<bool>("--late")
        {
            Description = "A replica that ends gets SIGTERM at once, and the gateway hears of it only when it has gone.",
        };
        var config = new Option<string?>("--config", "-c")
        {
            Description = "A gateway configuration (YAML) for routes and backends; the replicas become the endpoints of the backend 'app', or of the only one.",
            HelpName = "FILE",
        };
        var hold = new Option<string?>("--hold")
        {
            Description = "Clients stay connected while a replica is replaced: what they speak is opaque (anything, if replicas keep no state per connection) or graphql-transport-ws.",
            HelpName = "PROTOCOL",
        };
        var mode = new Option<string?>("--mode")
        {
            Description = "With --hold: the old replica stops before the other starts, or both serve for a while. Default: breakFirst.",
            HelpName = "breakFirst|makeFirst",
        };
        Require(replicas, n => n is >= 1 and <= DevOptions.MaxReplicas, $"from 1 to {DevOptions.MaxReplicas}");
        Require(port, IsPort, "a port from 1 to 65535");
        Require(adminPort, IsPort, "a port from 1 to 65535");
        Require(health, IsPath, "a path such as /healthz");
        Require(app, a => a is null || !string.IsNullOrWhiteSpace(a), "a command such as 'node server.js'");

        var dev = new Command("dev", "Runs replicas of an application and the gateway before them, on this machine.")
        {
            app, replicas, port, adminPort, hold, mode, health, late, config,
        };
        dev.Validators.Add(result =>
        {
            if (DevHold.FaultOf(result.GetValue(hold), result.GetValue(mode), result.GetValue(config)) is { } fault)
                result.AddError(fault);
        });
        dev.SetAction((parsed, _) => RunAsync(new DevOptions(
            parsed.GetValue(app), parsed.GetValue(replicas), parsed.GetValue(port), parsed.GetValue(adminPort), parsed.GetValue(health),
            parsed.GetValue(late), parsed.GetValue(config),
            parsed.GetValue(hold) is { } protocol ? new DevHold(protocol, parsed.GetValue(mode) ?? DevHold.BreakFirst)
            : parsed.GetValue(app) is null && parsed.GetValue(config) is null ? DevHold.OfShowcase : null)));
        return dev;
    }

    private static async Task<int> RunAsync(DevOptions options)
    {
        if (options.Port == options.AdminPort)
        {
            await Console.Error.WriteLineAsync("holdfast: --port and --admin-port are the same; they must differ");
            return ExitCodes.BadUsage;
        }

        var (dotnet, tool) = ThisTool.Command();
        try
        {
            var configuration = DevConfiguration.Read(options);
            var command = options.App is { } app ? ReplicaCommand.ForApp(app) : ReplicaCommand.ForShowcase(AppContext.BaseDirectory, dotnet);
            IDevScreen screen = !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi
                ? new TableScreen(AnsiConsole.Console, TimeProvider.System)
                : new PlainScreen(Console.Out, TimeProvider.System);
            using var quit = new CancellationTokenSource();
            using var hurry = new CancellationTokenSource();
            using var signals = new SignalSet(quit, hurry);
            var session = new DevSession(options, configuration, command, tool, screen, KeyReader.Start(), TimeProvider.System, new Random());
            await session.RunAsync(quit.Token, hurry.Token);
            return ExitCodes.Ok;
        }
        catch (DevConfigurationException e)
        {
            foreach (var fault in e.Faults)
                await Console.Error.WriteLineAsync("holdfast: " + fault);
            return ExitCodes.BadUsage;
        }
        catch (Exception e) when (e is DevException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync("holdfast: " + e.Message);
            return ExitCodes.Failed;
        }
    }

    private static bool IsPath(string? path) =>
        path is null || (path.StartsWith('/') && Uri.TryCreate("http://localhost" + path, UriKind.Absolute, out _));

    private static bool IsPort(int port) => port is >= 1 and <= 65535;

    private static void Require<T>(Option<T> option, Func<T?, bool> holds, string good) => option.Validators.Add(result =>
    {
        if (!result.Errors.Any() && !holds(result.GetValue(option)))
            result.AddError($"{option.Name} '{string.Join(' ', result.Tokens)}': {good} is needed");
    });
}
