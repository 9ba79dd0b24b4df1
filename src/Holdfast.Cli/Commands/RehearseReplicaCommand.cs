using System.CommandLine;
using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Replicas;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast rehearse-replica</c>: one replica of the application that <c>holdfast rehearse</c> starts. Nobody else needs it, so it is in no help.</summary>
internal static class RehearseReplicaCommand
{
    public const string Name = "rehearse-replica";

    public static Command Create()
    {
        var protocol = new Option<string>("--protocol") { Required = true };
        protocol.AcceptOnlyFromAmong("opaque", "json");
        var journal = new Option<string>("--journal") { Required = true };
        var replica = new Option<string>("--name") { Required = true };
        var port = new Option<int>("--port") { Required = true };
        var command = new Command(Name, "A replica of the application to rehearse with.") { protocol, journal, replica, port };
        command.Hidden = true;
        command.SetAction((parsed, _) => RunAsync(
            RehearseProtocols.Find(parsed.GetRequiredValue(protocol))!.Value, parsed.GetRequiredValue(journal), parsed.GetRequiredValue(replica), parsed.GetValue(port)));
        return command;
    }

    private static async Task<int> RunAsync(RehearseProtocol protocol, string folder, string replica, int port)
    {
        try
        {
            var clock = new RunClock(TimeProvider.System);
            using var journal = new Journal(folder, replica, Environment.ProcessId, clock);
            await new ReplicaApp(protocol, journal, clock, new Random(), TimeProvider.System).RunAsync(port);
            return ExitCodes.Ok;
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync("holdfast: " + e.Message);
            return ExitCodes.Failed;
        }
    }
}
