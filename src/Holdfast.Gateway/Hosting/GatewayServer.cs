using System.Net;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Tls;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Hosting;

/// <summary>How Kestrel is set up: for the admin API, and for the connections that loops hand to it.</summary>
internal static class GatewayServer
{
    /// <param name="onTlsFailed">Told the listener's name; any thread.</param>
    public static WebApplication Build(GatewayRuntime runtime, IPEndPoint adminAddress, LogLevel level, RequestGuards guards, Action<string> onTlsFailed)
    {
        // Empty: no settings file, variable or argument but our own decides anything here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, QuietLifetime>());
        builder.Logging.SetMinimumLevel(level).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None)
            // All it would tell of a request is told by the access log; while it may log anything, it makes an activity for each.
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None)
            // What it warns of, any client can bring about.
            .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
        builder.Logging.AddSimpleConsole(o => (o.SingleLine, o.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ "));
        builder.Logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddSingleton<IConnectionListenerFactory, SocketTransportFactory>();
        builder.Services.AddSingleton(s => new HandOffListenerFactory(runtime, s.GetRequiredService<ILogger<HandOffListenerFactory>>()));
        builder.Services.AddSingleton<IConnectionListenerFactory>(static s => s.GetRequiredService<HandOffListenerFactory>());
        builder.Services.AddRoutingCore();
        builder.Services.AddMetrics();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.AllowResponseHeaderCompression = false;
            kestrel.Limits.MaxRequestBodySize = null;       // The endpoint's to limit.
            // Above our own (RequestGuard, Http2Head, the trailers of ChunkedScanner), so that these decide, and say why: a second net.
            kestrel.Limits.MaxRequestLineSize = kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 256;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 32 * 1024;
            // Whoever writes an answer bounds its time; on HTTP/2 the server would end a whole connection for one stream that is not read.
            kestrel.Limits.MinResponseDataRate = null;
            // Values are the peers' bytes, to be passed on as they are.
            kestrel.RequestHeaderEncodingSelector = kestrel.ResponseHeaderEncodingSelector = static _ => System.Text.Encoding.Latin1;
            kestrel.Listen(adminAddress, static l => l.Protocols = HttpProtocols.Http1);
            kestrel.Listen(new HandOffEndPoint(isTls: false), l => (l.Protocols, _) = (HttpProtocols.Http1, l.Use(guards.Middleware)));
            TlsListening.Limit(kestrel.Limits.Http2);
            kestrel.Listen(new HandOffEndPoint(isTls: true), l => TlsListening.Use(l, runtime, guards, onTlsFailed));
        });
        return builder.Build();
    }

    /// <summary>What stands before the admin API's routes: clients' requests, which go to the forwarder.</summary>
    public static void Use(WebApplication app, RequestServer server)
    {
        app.Use((context, next) => context.Features.Get<ClientConnection>() is { } client ? server.ServeAsync(context, client) : next(context));
        app.Use(static (context, next) =>
        {
            // As Kestrel's default, which does not hold here.
            context.Features.Get<IHttpMinResponseDataRateFeature>()?.MinDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            return next(context);
        });
    }

    /// <summary>Signals are the command's business: the framework's lifetime would stop the server at the first SIGTERM.</summary>
    private sealed class QuietLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
