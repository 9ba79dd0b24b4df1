using System.CommandLine;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Hosting;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast gateway</c>: the gateway alone, in the foreground.</summary>
internal static class GatewayCommand
{
    public static Command Create()
    {
        var config = new Option<FileInfo>("--config", "-c") { Description = "The configuration file (YAML).", Required = true, HelpName = "FILE" };
        var loops = new Option<int>("--loops") { Description = "Event loops; 0: one per core.", HelpName = "N" };
        loops.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > 1024)
                result.AddError("--loops must be from 0 (one per core) to 1024, for example --loops 2");
        });
        var accessLog = new Option<bool>("--no-access-log") { Description = "Write no line per connection on standard output." };
        var command = new Command("gateway", "Runs the gateway.") { config, loops, accessLog };
        command.SetAction((parsed, cancel) =>
            RunAsync(parsed.GetRequiredValue(config).FullName, parsed.GetValue(loops), !parsed.GetValue(accessLog), cancel));
        return command;
    }

    private static async Task<int> RunAsync(string file, int loops, bool accessLog, CancellationToken cancel)
    {
        var content = ConfigurationContent.ReadAtStart(file);
        var read = content.Parse();
        if (read.Configuration is not { } configuration)
        {
            foreach (var fault in read.Faults)
                await Console.Error.WriteLineAsync("holdfast: " + fault);
            return ExitCodes.BadUsage;
        }

        // Before the start, which takes a while: a signal that came unheard would kill a gateway that has connections already.
        using var signals = new GatewaySignals();
        using var starting = CancellationTokenSource.CreateLinkedTokenSource(cancel, signals.Starting);
        GatewayHost host;
        try
        {
            SocketCompletions.RunInline();
            var output = accessLog ? GatewayHost.OpenAccessLog() : null;
            host = await GatewayHost.StartAsync(configuration, new GatewayHostOptions { Loops = loops, AccessLog = output, File = content }, starting.Token);
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync("holdfast: " + e.Message);
            return ExitCodes.Failed;
        }
        catch (OperationCanceledException) when (signals.Starting.IsCancellationRequested)
        {
            return ExitCodes.Ok;
        }

        signals.Attach(host);
        await host.Ended;
        return ExitCodes.Ok;
    }
}
