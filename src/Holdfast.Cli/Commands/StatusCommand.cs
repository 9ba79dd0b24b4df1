using System.CommandLine;
using System.Text;
using Holdfast.Cli.Admin;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast status</c>: a running gateway at a glance.</summary>
internal static class StatusCommand
{
    /// <summary>As many as a gateway remembers.</summary>
    private const int Ends = 256;

    public static Command Create()
    {
        var access = new AdminAccess();
        var json = new Option<bool>("--json") { Description = "Print the gateway's own answer of /health and nothing else." };
        var command = new Command("status", "Shows a running gateway: its phase, backends, endpoints, connections, and why the last ones ended.") { json };
        access.AddTo(command);
        command.SetAction((parsed, cancel) => access.RunAsync(
            parsed, admin => RunAsync(admin, parsed.GetValue(json), parsed.InvocationConfiguration.Output, TimeProvider.System, cancel)));
        return command;
    }

    private static async Task RunAsync(AdminClient admin, bool json, TextWriter output, TimeProvider time, CancellationToken cancel)
    {
        var body = await admin.SendAsync(HttpMethod.Get, "health", cancel);
        var health = admin.Read(body, AdminJson.Default.HealthAnswer);
        if (json)
        {
            await output.WriteLineAsync(Encoding.UTF8.GetString(body));
            return;
        }

        // Health needs no token, and the rest may: what could be had is shown first.
        AdminException? missing = null;
        IReadOnlyList<BackendAnswer> backends = health.Backends ?? [];
        IReadOnlyList<EndAnswer> ends = [];
        try
        {
            backends = (await admin.GetAsync("v1/backends", AdminJson.Default.BackendList, cancel)).Backends ?? [];
            ends = (await admin.GetAsync(FormattableString.Invariant($"v1/ends?limit={Ends}"), AdminJson.Default.EndList, cancel)).Ends ?? [];
        }
        catch (AdminException e)
        {
            missing = e;
        }

        foreach (var line in StatusText.Of(health, backends, admin.Address, time.GetUtcNow()))
            await output.WriteLineAsync(line);
        if (missing is not null)
            throw missing;
        foreach (var line in StatusText.Of(ends, time.GetUtcNow()))
            await output.WriteLineAsync(line);
    }
}
