using System.CommandLine;
using System.Net;
using Holdfast.Cli.Admin;

namespace Holdfast.Cli.Commands;

/// <summary><c>holdfast drain BACKEND/ENDPOINT</c>: an endpoint of a running gateway, or the gateway itself.</summary>
internal static class DrainCommand
{
    public static Command Create()
    {
        var access = new AdminAccess();
        var endpoint = new Argument<string[]>("ENDPOINT")
        {
            Description = "BACKEND/HOST:PORT or BACKEND HOST:PORT, as `holdfast status` names them.",
            Arity = new ArgumentArity(0, 2),
        };
        var cancelDrain = new Option<bool>("--cancel") { Description = "End the drain: the endpoint takes new connections again." };
        var gateway = new Option<bool>("--gateway") { Description = "Drain the gateway itself, as SIGTERM does: it ends when its connections have." };
        var command = new Command("drain", "Takes an endpoint of a running gateway out of service and closes its connections at the drain's pace.")
        {
            endpoint, cancelDrain, gateway,
        };
        access.AddTo(command);
        command.Validators.Add(result =>
        {
            var isGateway = result.GetValue(gateway);
            if (isGateway && (result.GetValue(cancelDrain) || result.GetValue(endpoint) is { Length: > 0 }))
                result.AddError("--gateway stands alone: a gateway's own drain names no endpoint and cannot be cancelled");
            else if (!isGateway && Read(result.GetValue(endpoint) ?? []) is null)
                result.AddError("an endpoint is needed, such as chat/10.1.0.11:8080 (`holdfast status` lists them), or --gateway");
        });
        command.SetAction((parsed, cancel) => access.RunAsync(parsed, admin => parsed.GetValue(gateway)
            ? DrainGatewayAsync(admin, parsed.InvocationConfiguration.Output, cancel)
            : DrainAsync(admin, Read(parsed.GetValue(endpoint) ?? [])!.Value, parsed.GetValue(cancelDrain), parsed.InvocationConfiguration.Output, cancel)));
        return command;
    }

    /// <summary>No backend's name holds a slash.</summary>
    private static (string Backend, string Endpoint)? Read(string[] words)
    {
        var parts = words.Length == 1 ? words[0].Split('/', 2) : words;
        return parts.Length == 2 && parts.All(p => p.Length > 0) ? (parts[0], parts[1]) : null;
    }

    private static async Task DrainGatewayAsync(AdminClient admin, TextWriter output, CancellationToken cancel)
    {
        _ = await admin.SendAsync(HttpMethod.Post, "v1/drain", cancel);
        await output.WriteLineAsync($"the gateway at {admin.Address} is draining");
    }

    private static async Task DrainAsync(AdminClient admin, (string Backend, string Endpoint) which, bool isCancelled, TextWriter output, CancellationToken cancel)
    {
        byte[] body;
        try
        {
            body = await admin.SendAsync(isCancelled ? HttpMethod.Delete : HttpMethod.Post, AdminClient.DrainPath(which.Backend, which.Endpoint), cancel);
        }
        catch (AdminException e) when (e.Status == HttpStatusCode.NotFound)
        {
            throw new AdminException(e.Status, $"there is no endpoint {which.Backend}/{which.Endpoint}; there are: {await ListAsync(admin, cancel)}");
        }

        var endpoint = admin.Read(body, AdminJson.Default.EndpointAnswer);
        await output.WriteLineAsync(
            $"{which.Backend}/{which.Endpoint}: {Shown.Text(endpoint.Phase)}, {Shown.Count(endpoint.Connections, "connection")}"
            + (endpoint.Drain is { } drain ? $"; {Shown.Drain(drain)}" : ""));
    }

    private static async Task<string> ListAsync(AdminClient admin, CancellationToken cancel)
    {
        var backends = (await admin.GetAsync("v1/backends", AdminJson.Default.BackendList, cancel)).Backends ?? [];
        var all = backends.SelectMany(b => (b.Endpoints ?? []).Select(e => Shown.Text($"{b.Name}/{e.Address}"))).ToList();
        return all.Count == 0 ? "none" : string.Join(", ", all);
    }
}
