using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>
/// The application that is rehearsed with, one replica of it: an ordinary server on Kestrel, which knows nothing of gateways. On SIGTERM it stops listening,
/// closes each connection with 1001 and ends.
/// </summary>
internal sealed class ReplicaApp(RehearseProtocol protocol, Journal journal, RunClock clock, Random random, TimeProvider time)
{
    /// <summary>An answer takes up to this, at random.</summary>
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>More streams than one process has.</summary>
    private const long StreamsOfProcess = 1_000_000;

    private readonly Lock _lock = new();
    private long _streams = Environment.ProcessId * StreamsOfProcess;

    public Journal Journal => journal;

    public RunClock Clock => clock;

    public TimeProvider Time => time;

    public TimeSpan NextDelay()
    {
        lock (_lock)
            return LongestDelay * random.NextDouble();
    }

    /// <summary>Until SIGTERM.</summary>
    /// <exception cref="IOException">The port is in use.</exception>
    public async Task RunAsync(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(4));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(o => o.Listen(IPAddress.Loopback, port));
        await using var app = builder.Build();
        app.UseWebSockets();
        app.Run(context => ServeAsync(context, app.Lifetime.ApplicationStopping));
        await app.StartAsync();
        await app.WaitForShutdownAsync();
    }

    private async Task ServeAsync(HttpContext context, CancellationToken stopping)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        using var connection = Make(socket, Interlocked.Increment(ref _streams));
        await connection.ServeAsync(stopping);
    }

    private ReplicaSocket Make(WebSocket socket, long stream) =>
        protocol == RehearseProtocol.Json ? new JsonSocket(socket, stream, this) : new OpaqueSocket(socket, stream, this);
}
