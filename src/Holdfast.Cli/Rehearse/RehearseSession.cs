using System.Globalization;
using System.Text.Json;
using Holdfast.Cli.Rehearse.Reporting;
using Holdfast.Cli.Rehearse.Systems;
using Holdfast.Relay.Interop;

namespace Holdfast.Cli.Rehearse;

/// <summary>One <c>holdfast rehearse</c>: each system with each protocol, one after the other, and the scoreboard.</summary>
/// <param name="options">What was asked for.</param>
/// <param name="tool">This tool's own command.</param>
/// <param name="findTool">A program of the machine, or null.</param>
/// <param name="json">JSON on the output, instead of the table.</param>
/// <param name="output">For the results.</param>
/// <param name="progress">For everything else.</param>
/// <param name="time">The clock.</param>
/// <param name="random">The source of randomness.</param>
internal sealed class RehearseSession(
    RehearseOptions options,
    IReadOnlyList<string> tool,
    Func<string, string?> findTool,
    bool json,
    TextWriter output,
    TextWriter progress,
    TimeProvider time,
    Random random)
{
    // Beside the clients: those of the runtime, pipes of the children.
    private const int OtherDescriptors = 256;

    /// <exception cref="OperationCanceledException">Told to quit.</exception>
    public async Task<int> RunAsync(CancellationToken quit)
    {
        // The gateway needs two for each connection.
        var needed = 2L * options.Connections + OtherDescriptors;
        if (needed > Sys.DescriptorLimit())
        {
            await progress.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"holdfast: {options.Connections} connections need about {needed} file descriptors, and the limit is {Sys.DescriptorLimit()} (see ulimit -n)"));
            return ExitCodes.Failed;
        }

        var folder = options.Keep is { } keep ? Directory.CreateDirectory(keep) : Directory.CreateTempSubdirectory("holdfast-rehearse-");
        try
        {
            var results = new List<SystemResult>();
            foreach (var protocol in options.Protocols)
            {
                foreach (var system in (IEnumerable<string>)["holdfast", .. options.Against])
                    results.Add(await RunAsync(system, protocol, folder.FullName, quit));
            }

            await ReportAsync(results);
            return results.TrueForAll(r => r.IsGood) ? ExitCodes.Ok : ExitCodes.FaultsFound;
        }
        finally
        {
            if (options.Keep is null)
                folder.Delete(recursive: true);
        }
    }

    private async Task<SystemResult> RunAsync(string system, RehearseProtocol protocol, string folder, CancellationToken quit)
    {
        var own = Directory.CreateDirectory(Path.Combine(folder, $"{system}-{protocol.NameOf()}")).FullName;
        Say(system, string.Create(
            CultureInfo.InvariantCulture,
            $"{protocol.NameOf()}, {options.Replicas} replicas, drain.duration {options.DrainDuration.TotalSeconds:0.#} s{(options.Late ? ", SIGTERM is the first news" : "")}"));
        var run = new SystemRun(options, protocol, setting => Make(system, setting), own, tool, findTool, text => Say(system, text), time, random);
        var result = await run.RunAsync(system, quit);
        if (result.Failed is { } failed)
            Say(system, "failed: " + failed);
        return result;
    }

    private IFrontSystem Make(string system, SystemSetting setting) => system switch
    {
        "nginx" => new NginxSystem(setting),
        "haproxy" => new HaproxySystem(setting),
        _ => new HoldfastSystem(setting, tool),
    };

    private void Say(string system, string text) =>
        progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.GetLocalNow():HH:mm:ss}  {system}: {text}"));

    private async Task ReportAsync(IReadOnlyList<SystemResult> results)
    {
        if (json)
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(new RehearseReport(results), RehearseJson.Default.RehearseReport));
            return;
        }

        await output.WriteLineAsync();
        foreach (var line in Scoreboard.Lines(results))
            await output.WriteLineAsync(line);
    }
}
