using System.CommandLine;
using System.Runtime.InteropServices;
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

        var output = accessLog ? GatewayHost.OpenAccessLog() : null;
        GatewayHost host;
        try
        {
            host = await GatewayHost.StartAsync(configuration, new GatewayHostOptions { Loops = loops, AccessLog = output, File = content }, cancel);
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync("holdfast: " + e.Message);
            return ExitCodes.Failed;
        }

        var stopped = new TaskCompletionSource<Task>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, atOnce: false));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, atOnce: true));
        using var reload = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            host.Reread();
        });
        await await Task.WhenAny(stopped.Task.Unwrap(), host.Ended);     // The admin API may have asked for it.
        return ExitCodes.Ok;

        void Stop(PosixSignalContext context, bool atOnce)
        {
            context.Cancel = true;
            stopped.TrySetResult(host.StopAsync(atOnce));
        }
    }
}
