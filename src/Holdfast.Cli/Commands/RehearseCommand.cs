using System.CommandLine;
using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Cli.Dev;
using Holdfast.Cli.Rehearse;

namespace Holdfast.Cli.Commands;

/// <summary>
/// <c>holdfast rehearse</c>: exit code 0 when every run was valid and every promise kept, 1 when not, or when a system could not be run; 2 bad usage.
/// </summary>
internal static class RehearseCommand
{
    public static Command Create()
    {
        var connections = new Option<int>("--connections", "-n") { Description = "How many clients.", DefaultValueFactory = _ => 200, HelpName = "N" };
        var rolls = new Option<int>("--rolls") { Description = "How often all replicas are replaced, one after the other.", DefaultValueFactory = _ => 3, HelpName = "K" };
        var replicas = new Option<int>("--replicas") { Description = "How many replicas.", DefaultValueFactory = _ => 3, HelpName = "N" };
        var protocol = new Option<string>("--protocol") { Description = "What the clients speak; all: one run with each.", DefaultValueFactory = _ => "opaque", HelpName = "P" };
        protocol.AcceptOnlyFromAmong("opaque", "json", "graphql-transport-ws", "all");
        var mode = new Option<string?>("--mode") { Description = "Which upstream comes first, where the protocol can have two. Default: makeFirst." };
        mode.AcceptOnlyFromAmong("breakFirst", "makeFirst");
        var late = new Option<bool>("--late") { Description = "A replica that ends gets SIGTERM at once: its own close is the first news of it." };
        var planted = new Option<bool>("--planted-only") { Description = "Only plant faults, and see whether exactly these are found." };
        var against = new Option<string?>("--against") { Description = "Peers to put into the same scoreboard: nginx, haproxy, or both with a comma between.", HelpName = "PEERS" };
        var json = new Option<bool>("--json") { Description = "Print one JSON object on standard output, and nothing else there." };
        var drain = new Option<double?>("--drain")
        {
            Description = "Seconds over which the connections of a replica are moved. Default: 2, and longer for more than 500 connections of a replica.",
            HelpName = "S",
        };
        var keep = new Option<string?>("--keep") { Description = "A new folder in which journals, configurations and output stay. Default: none.", HelpName = "FOLDER" };
        var noHold = new Option<bool>("--no-hold") { Description = "Leave hold out of the gateway's configuration, to see what is reported then." };

        Require(connections, n => n is >= 1 and <= RehearseOptions.MaxConnections, $"from 1 to {RehearseOptions.MaxConnections}");
        Require(rolls, n => n is >= 1 and <= RehearseOptions.MaxRolls, $"from 1 to {RehearseOptions.MaxRolls}");
        Require(replicas, n => n is >= 2 and <= DevOptions.MaxReplicas, $"from 2 to {DevOptions.MaxReplicas}");
        Require(drain, s => s is null or (>= 0 and <= 300), "from 0 to 300");
        Require(against, a => a is null || Peers(a).All(RehearseOptions.KnownPeers.Contains), "nginx, haproxy, or both with a comma between");
        Require(keep, k => k is null || (!string.IsNullOrWhiteSpace(k) && !Path.Exists(k)), "a folder that does not exist yet");

        var command = new Command("rehearse", "Rolls and kills the replicas of an application under checked load, and tells what the clients noticed.")
        {
            connections, rolls, replicas, protocol, mode, late, planted, against, json, drain, keep, noHold,
        };
        command.SetAction((parsed, _) => RunAsync(
            new RehearseOptions
            {
                Connections = parsed.GetValue(connections),
                Rolls = parsed.GetValue(rolls),
                Replicas = parsed.GetValue(replicas),
                Protocols = parsed.GetValue(protocol) is { } name and not "all" ? [RehearseProtocols.Find(name)!.Value] : Enum.GetValues<RehearseProtocol>(),
                Mode = parsed.GetValue(mode) switch { "breakFirst" => HoldMode.BreakFirst, "makeFirst" => HoldMode.MakeFirst, _ => null },
                Late = parsed.GetValue(late),
                PlantedOnly = parsed.GetValue(planted),
                Against = parsed.GetValue(against) is { } peers ? Peers(peers) : [],
                Drain = parsed.GetValue(drain) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                Keep = parsed.GetValue(keep),
                Hold = !parsed.GetValue(noHold),
            },
            parsed.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(RehearseOptions options, bool json)
    {
        using var quit = new CancellationTokenSource();
        using var hurry = new CancellationTokenSource();
        using var signals = new SignalSet(quit, hurry);
        try
        {
            var session = new RehearseSession(
                options, ThisTool.Command().Tool, Tools.Find, json, Console.Out, Console.Error, TimeProvider.System, new Random());
            return await session.RunAsync(quit.Token);
        }
        catch (OperationCanceledException) when (quit.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("holdfast: stopped; there is no result");
            return ExitCodes.Failed;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync("holdfast: " + e.Message);
            return ExitCodes.Failed;
        }
    }

    private static string[] Peers(string list) => [.. list.Split(',').Select(p => p.Trim()).Distinct(StringComparer.Ordinal)];

    private static void Require<T>(Option<T> option, Func<T?, bool> holds, string good) => option.Validators.Add(result =>
    {
        if (!result.Errors.Any() && !holds(result.GetValue(option)))
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} '{string.Join(' ', result.Tokens)}': {good} is needed"));
    });
}
