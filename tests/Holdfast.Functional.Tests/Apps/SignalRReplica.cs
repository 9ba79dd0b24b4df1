using System.Collections.Concurrent;
using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>An ASP.NET Core application with a hub, as the template makes it, whose connections are in its own memory; and a page with the package's script.</summary>
internal sealed class SignalRReplica : IReplica
{
    private readonly WebApplication _app;
    private int _unknown;

    private SignalRReplica(string name)
    {
        Name = name;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSignalR();
        builder.Services.AddSingleton(this);
        _app = builder.Build();
        _app.UseWebSockets();
        _app.Use(async (context, next) =>
        {
            await next();
            if (context.Request.Path.StartsWithSegments("/hub", StringComparison.Ordinal) && context.Response.StatusCode == StatusCodes.Status404NotFound)
                Interlocked.Increment(ref _unknown);
        });
        _app.MapGet("/", () => Results.Content("<script src='/signalr.js'></script>", "text/html"));
        _app.MapGet("/signalr.js", () => Results.File(Path.Combine(AppParts.Modules, "@microsoft", "signalr", "dist", "browser", "signalr.js"), "text/javascript"));
        _app.MapHub<CountingHub>("/hub");
    }

    public string Name { get; }

    public int Port { get; private set; }

    /// <summary>Questions that were heard, and those heard again.</summary>
    public ConcurrentDictionary<string, int> Asked { get; } = new(StringComparer.Ordinal);

    /// <summary>Requests for connections that another process has.</summary>
    public int Unknown => Volatile.Read(ref _unknown);

    /// <summary>Transports that connections had.</summary>
    public ConcurrentDictionary<string, int> Transports { get; } = new(StringComparer.Ordinal);

    public static async Task<IReplica> StartAsync(string name)
    {
        var replica = new SignalRReplica(name);
        await replica._app.StartAsync();
        replica.Port = new Uri(replica._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        return replica;
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        using (var now = new CancellationTokenSource(TimeSpan.FromSeconds(2)))
            await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private sealed class CountingHub(SignalRReplica replica) : Hub
    {
        private const string Key = "asked";

        public override Task OnConnectedAsync()
        {
            var transport = Context.Features.Get<IHttpTransportFeature>()!.TransportType.ToString();
            replica.Transports.AddOrUpdate(transport, 1, (_, n) => n + 1);
            return base.OnConnectedAsync();
        }

        /// <summary>Says to the caller how often it has asked, and answers the same.</summary>
        public async Task<object> Ask(string id)
        {
            replica.Asked.AddOrUpdate(id, 1, (_, n) => n + 1);
            var asked = (Context.Items.TryGetValue(Key, out var before) ? (int)before! : 0) + 1;
            Context.Items[Key] = asked;
            await Clients.Caller.SendAsync("said", asked, Context.ConnectionAborted);
            return new { server = replica.Name, asked };
        }

        public async IAsyncEnumerable<int> Count([EnumeratorCancellation] CancellationToken cancel)
        {
            for (var n = 1; ; n++)
            {
                yield return n;
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancel);
            }
        }
    }
}
