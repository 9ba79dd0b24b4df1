using System.CommandLine;
using Holdfast.Cli.Admin;
using Spectre.Console;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast top</c>: a running gateway's endpoints, live.</summary>
internal static class TopCommand
{
    public static Command Create()
    {
        var access = new AdminAccess();
        var command = new Command("top", "Shows a running gateway's endpoints with their connections and rates, until Ctrl-C.");
        access.AddTo(command);
        command.SetAction((parsed, _) => access.RunAsync(parsed, admin => RunAsync(admin, parsed.InvocationConfiguration.Output)));
        return command;
    }

    private static async Task RunAsync(AdminClient admin, TextWriter output)
    {
        using var quit = new CancellationTokenSource();
        using var signals = new SignalSet(quit, quit);

        // The first answer decides: a wrong address or a missing token is told at once. What goes away later may come back.
        _ = await admin.SendAsync(HttpMethod.Get, "v1/backends", quit.Token);
        var poller = new AdminPoller(admin, TimeProvider.System);
        var polling = poller.RunAsync(quit.Token);
        if (!Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi)
            await new TopTable(AnsiConsole.Console, admin.Address, TimeProvider.System).RunAsync(poller, quit.Token);
        else
            await new TopLines(output, TimeProvider.System).RunAsync(poller, quit.Token);
        await polling;
    }
}
