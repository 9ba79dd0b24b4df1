using System.CommandLine;
using Holdfast.Cli.Load;

namespace Holdfast.Cli.Commands;

/// <summary>
/// <c>holdfast load URL</c>. Exit code 0 when every connection opened and nothing was lost, duplicated, reordered, corrupted or disconnected;
/// 1 when something was; 2 bad usage; 3 when no connection could be opened.
/// </summary>
internal static class LoadCommand
{
    public static Command Create()
    {
        var url = new Argument<string>("URL") { Description = "Where to connect: ws://host:port/path." };
        var connections = new Option<int>("--connections", "-n") { Description = "How many connections.", DefaultValueFactory = _ => 100 };
        var rate = new Option<double?>("--rate", "-r")
        {
            Description = "Messages per second over all connections; 0 keeps them idle. Default: one per connection and second.",
        };
        var duration = new Option<string>("--duration", "-d")
        {
            Description = "How long to send, such as 10s, 5m or 500ms.",
            DefaultValueFactory = _ => "10s",
        };
        var size = new Option<int>("--size", "-s") { Description = "Payload bytes of a message.", DefaultValueFactory = _ => 64 };
        var check = new Option<string>("--check")
        {
            Description = "echo: every message comes back as sent. sequence: the server sends a numbered stream.",
            DefaultValueFactory = _ => "echo",
        };
        check.AcceptOnlyFromAmong("echo", "sequence");
        var json = new Option<bool>("--json") { Description = "Print one JSON object on standard output, and nothing else." };
        var connectRate = new Option<int>("--connect-rate") { Description = "New connections per second.", DefaultValueFactory = _ => 1000 };
        var header = new Option<string[]>("--header", "-H")
        {
            Description = "A header of the handshake, as 'Name: value'; may be given several times.",
        };
        var origin = new Option<string?>("--origin") { Description = "The Origin header of the handshake." };
        var source = new Option<string[]>("--source")
        {
            Description = "A local address to dial from; may be given several times, to have more than 28,000 ports.",
        };
        var threads = new Option<int>("--threads") { Description = "Threads that share the connections.", DefaultValueFactory = _ => 1 };

        var command = new Command("load", "Puts checked load on a WebSocket server: latency, gaps, duplicates, reorders, disconnects.")
        {
            url, connections, rate, duration, size, check, json, connectRate, header, origin, source, threads,
        };
        command.SetAction((parsed, _) =>
        {
            var input = new LoadInput
            {
                Url = parsed.GetRequiredValue(url),
                Connections = parsed.GetValue(connections),
                Rate = parsed.GetValue(rate),
                Duration = parsed.GetValue(duration)!,
                Size = parsed.GetValue(size),
                Check = parsed.GetValue(check)!,
                ConnectRate = parsed.GetValue(connectRate),
                Headers = parsed.GetValue(header) ?? [],
                Origin = parsed.GetValue(origin),
                Sources = parsed.GetValue(source) ?? [],
                Threads = parsed.GetValue(threads),
            };
            var faults = new List<string>();
            var options = input.Read(faults);
            return options is null
                ? RefuseAsync(faults)
                : new LoadSession(options, parsed.GetValue(json), Console.Out, Console.Error, TimeProvider.System).RunAsync();
        });
        return command;
    }

    private static async Task<int> RefuseAsync(List<string> faults)
    {
        foreach (var fault in faults)
            await Console.Error.WriteLineAsync("holdfast: " + fault);
        return ExitCodes.BadUsage;
    }
}
