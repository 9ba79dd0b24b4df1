using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Cryptography;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admin;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Holding;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.Telemetry;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.WebSocket;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Hosting;

/// <summary>What a gateway process is started with, beside its configuration.</summary>
public sealed record GatewayHostOptions
{
    /// <summary>Event loops; 0: one per core.</summary>
    public int Loops { get; init; }

    /// <summary>Where access log lines go; null: nowhere. Written by one thread; not disposed.</summary>
    public Stream? AccessLog { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The clock of loops and load balancing; null: the machine's coarse one. Who sets it wakes the loops when it jumps.</summary>
    internal TimeProvider? LoopTime { get; init; }

    /// <summary>The file that the configuration was read from, watched from the start on; null: it came from elsewhere.</summary>
    public ConfigurationContent? File { get; init; }

    /// <summary>How long a client of plain HTTP may take over one piece of an answer.</summary>
    internal TimeSpan LongestPiece { get; init; } = HttpForwarder.LongestPiece;

    /// <summary>Where names are looked up.</summary>
    internal ResolverSources Names { get; init; } = new();

    /// <summary>Of the gateway's own messages, on standard error.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;
}

/// <summary>
/// A running gateway: loops that own the WebSockets, and one Kestrel for the admin API and for requests that are no upgrades. Start,
/// then <see cref="StopAsync"/> once.
/// </summary>
public sealed class GatewayHost : IAsyncDisposable
{
    /// <summary>A pair's own bound for an end in order is 5 s; after that it is reset.</summary>
    private const int CloseWait = 6_000;

    /// <summary>How long a stop waits for what it must not depend on.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);

    private readonly GatewayRuntime _runtime;
    private readonly ListenerSet _listeners;
    private readonly AdminToken _token;
    private readonly LiveConfiguration? _live;
    private readonly IPEndPoint _adminAddress;
    private readonly WebApplication _app;
    private readonly HttpForwarder _forwarder;
    private readonly RequestServer _server;
    private readonly GatewayTelemetry _telemetry;
    private readonly Resolver _resolver;
    private readonly EndpointDiscovery _discovery;
    private readonly HealthMonitor _health;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopped = new();
    private readonly CancellationTokenSource _hurry = new();
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _applying = new(1);
    private volatile GatewayConfiguration _configuration;
    private Task _forgetting = Task.CompletedTask;
    private Task? _stop;
    private IDisposable? _otlp;

    private GatewayHost(GatewayConfiguration configuration, GatewayHostOptions options)
    {
        _configuration = configuration;
        _adminAddress = configuration.Admin.Address;
        _runtime = new GatewayRuntime(options.Time, new LoopClock(options.LoopTime), options.LongestPiece);
        _runtime.Secrets.Load(configuration);
        _runtime.Certificates.Load(configuration);
        _runtime.Apply(configuration);
        _runtime.Certificates.Keep(configuration);
        _runtime.Configuration.Start(null, default, options.Time.GetUtcNow());
        _listeners = new ListenerSet(_runtime, DescriptorBudget.Cap(Sys.DescriptorLimit()));
        _token = new AdminToken(configuration.Admin);
        var guards = new RequestGuards(options.Time);

        // Empty: no settings file, variable or argument but our own decides anything here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, QuietLifetime>());
        builder.Logging.SetMinimumLevel(options.LogLevel).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None)
            // All it would tell of a request is told by the access log; while it may log anything, it makes an activity for each.
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None)
            // What it warns of, any client can bring about.
            .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
        builder.Logging.AddSimpleConsole(o => (o.SingleLine, o.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ "));
        builder.Logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddSingleton<IConnectionListenerFactory, SocketTransportFactory>();
        builder.Services.AddSingleton(s => new HandOffListenerFactory(_runtime, s.GetRequiredService<ILogger<HandOffListenerFactory>>()));
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
            kestrel.Listen(configuration.Admin.Address, static l => l.Protocols = HttpProtocols.Http1);
            kestrel.Listen(new HandOffEndPoint(isTls: false), l => (l.Protocols, _) = (HttpProtocols.Http1, l.Use(guards.Middleware)));
            TlsListening.Limit(kestrel.Limits.Http2);
            kestrel.Listen(new HandOffEndPoint(isTls: true), l => TlsListening.Use(l, _runtime, guards, name => _telemetry?.OnTlsHandshakeFailed(name)));
        });
        _app = builder.Build();
        _logger = _runtime.Logger = _app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Holdfast.Gateway");
        if (options.File is { } file)
            _live = new LiveConfiguration(file, _runtime.Configuration, ApplyAsync, options.Time, _logger);
        var accessLog = new AccessLog(options.AccessLog ?? Stream.Null, options.Time, enabled: options.AccessLog is not null);
        _telemetry = new GatewayTelemetry(_runtime, _app.Services.GetRequiredService<IMeterFactory>(), accessLog);
        _forwarder = new HttpForwarder(_runtime, _telemetry, options.LongestPiece);
        _server = new RequestServer(_runtime, _forwarder, _telemetry);
        guards.OnRefused = _server.OnRefused;
        _resolver = new Resolver(options.Names, options.Time);
        _discovery = new EndpointDiscovery(_runtime, _resolver, _telemetry.OnLookup, _logger);
        _health = new HealthMonitor(_runtime, _telemetry.OnChecked, RandomNumberGenerator.GetInt32(int.MaxValue));
        _app.Use((context, next) => context.Features.Get<ClientConnection>() is { } client ? _server.ServeAsync(context, client) : next(context));
        _app.Use(static (context, next) =>
        {
            // As Kestrel's default, which does not hold here.
            context.Features.Get<IHttpMinResponseDataRateFeature>()?.MinDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            return next(context);
        });
        _app.UseRouting();
        _app.MapAdmin(_runtime, _telemetry, _token, () => _ = StopAsync(atOnce: false));
    }

    /// <summary>Where clients connect, by listener; ports are the real ones.</summary>
    public IReadOnlyList<IPEndPoint> Addresses => [.. _runtime.Listeners.Select(l => l.Address)];

    public IPEndPoint AdminAddress { get; private set; } = new(IPAddress.None, 0);

    /// <summary>Completes when the gateway has stopped, whoever asked for it.</summary>
    public Task Ended => _ended.Task;

    internal GatewayRuntime Runtime => _runtime;

    /// <summary>Connections to endpoints that wait for a plain request.</summary>
    internal int IdleUpstreamConnections => _forwarder.IdleConnections;

    /// <summary>Standard output, as the access log wants it. Not to be disposed.</summary>
    public static Stream OpenAccessLog() => AccessLog.OpenStandardOutput();

    /// <summary>Listens and serves. Throws <see cref="IOException"/> that names the address when it cannot listen, or the key of a secret that it cannot read.</summary>
    public static async Task<GatewayHost> StartAsync(GatewayConfiguration configuration, GatewayHostOptions options, CancellationToken cancel = default)
    {
        var host = new GatewayHost(configuration, options);
        try
        {
            await host.StartAsync(options, cancel).ConfigureAwait(false);
            return host;
        }
        catch
        {
            await host.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Puts another configuration in force for what comes from now on; open connections are not touched. Any thread; calls take turns. Throws
    /// <see cref="IOException"/>, having changed nothing, when a listener cannot be opened or a secret not be read.
    /// </summary>
    public Task ApplyAsync(GatewayConfiguration configuration) => ApplyAsync(configuration, default);

    private async Task ApplyAsync(GatewayConfiguration configuration, ContentIdentity content)
    {
        await _applying.WaitAsync(_stopped.Token).ConfigureAwait(false);
        try
        {
            if (_runtime.Phase is GatewayPhase.Closing or GatewayPhase.Stopped)
                throw new OperationCanceledException("The gateway stops.");
            _runtime.Secrets.Load(configuration);
            _runtime.Certificates.Load(configuration);
            var change = await _listeners.OpenAsync(configuration.Listeners, AdminAddress).ConfigureAwait(false);
            await _discovery.ApplyAsync(configuration, _stopped.Token).ConfigureAwait(false);
            var needsRestart = ApplyAdmin(configuration.Admin);
            _configuration = configuration;
            await _listeners.CommitAsync(change).ConfigureAwait(false);
            _runtime.Certificates.Keep(configuration);
            foreach (var listener in change.Opened)
                HostLog.Listening(_logger, listener.Options.Name, listener.Address.ToString());
            foreach (var listener in change.Removed)
                HostLog.NotListening(_logger, listener.Options.Name, listener.Address.ToString());
            _runtime.Configuration.Apply(content, needsRestart, _runtime.Time.GetUtcNow());
            ConfigurationLog.Applied(_logger, configuration.Listeners.Count, configuration.Routes.Count, configuration.Backends.Count, content.Hash ?? "");
            if (needsRestart.Count > 0)
                ConfigurationLog.NeedsRestart(_logger, string.Join(", ", needsRestart), AdminAddress.ToString());
        }
        finally
        {
            _applying.Release();
        }
    }

    /// <summary>Applies what the configuration file holds now, without waiting for it to settle; any thread. Does not wait for it.</summary>
    public void Reread() => _live?.LookNow();

    /// <summary>
    /// Leaves in order: readiness fails at once, the gateway goes on accepting for shutdown.delay since balancers learn late, then
    /// connections are told 1012 and end, spread over shutdown.duration. A second call, or <paramref name="atOnce"/>, skips the waits.
    /// </summary>
    public Task StopAsync(bool atOnce)
    {
        lock (_gate)
        {
            if (atOnce || _stop is not null)
                _hurry.Cancel();
            return _stop ??= StopAndTellAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopped.IsCancellationRequested)
            return;
        await _stopped.CancelAsync().ConfigureAwait(false);
        // What applies a change posts to loops, and waits for them. Not for ever: it may be a file server that does not answer.
        if (_live is not null)
            await Task.WhenAny(_live.DisposeAsync().AsTask(), Task.Delay(StopPatience, _runtime.Time)).ConfigureAwait(false);
        _ = await _applying.WaitAsync(StopPatience).ConfigureAwait(false);
        // The admin API posts to loops: it goes first.
        _runtime.Phase = GatewayPhase.Stopped;
        using (var patience = new CancellationTokenSource(StopPatience, _runtime.Time))
            await _app.StopAsync(patience.Token).ConfigureAwait(false);
        foreach (var loop in _runtime.Loops)
            loop.Dispose();
        await _health.DisposeAsync().ConfigureAwait(false);
        await _runtime.Certificates.DisposeAsync().ConfigureAwait(false);
        await _forgetting.ConfigureAwait(false);
        await _discovery.DisposeAsync().ConfigureAwait(false);
        _resolver.Dispose();
        _otlp?.Dispose();
        _telemetry.Dispose();
        _forwarder.Dispose();
        _runtime.Links.Dispose();
        foreach (var backend in _runtime.KnownBackends)
        {
            backend.Auth?.Dispose();
            backend.Queue.Dispose();
        }

        await _app.DisposeAsync().ConfigureAwait(false);
        if (_stop is null)
            _ended.TrySetResult();
    }

    private async Task StartAsync(GatewayHostOptions options, CancellationToken cancel)
    {
        var descriptors = Sys.DescriptorLimit();
        var loops = new EventLoop[options.Loops > 0 ? options.Loops : Environment.ProcessorCount];
        _runtime.UsableConnections = DescriptorBudget.UsableConnections(descriptors);
        var handOff = _app.Services.GetRequiredService<HandOffListenerFactory>();
        for (var i = 0; i < loops.Length; i++)
        {
            var random = new Random(RandomNumberGenerator.GetInt32(int.MaxValue));
            var holds = new HoldPlans(loops.Length, _runtime.HoldMemory);
            var rehomes = new RehomePolicy(_runtime, _telemetry, random, OnBug);
            var handshakes = new HandshakePolicy(_runtime, _telemetry, handOff, holds, random, OnBug);
            loops[i] = new EventLoop(i, handshakes, _runtime.Clock, rehomes: rehomes) { DescriptorCap = DescriptorBudget.Cap(descriptors) };
            handshakes.Resume = loops[i].Resume;
        }

        _runtime.Loops = loops;
        _listeners.Start(_configuration.Listeners);
        await _discovery.ApplyAsync(_configuration, cancel).ConfigureAwait(false);
        _forgetting = ForgetGoneAsync(_stopped.Token);
        _health.Start();
        _runtime.Certificates.Start();

        try
        {
            await _app.StartAsync(cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            // The server tells a port in use as one, an address of no interface as the other.
            throw new IOException($"admin API: cannot listen on {_configuration.Admin.Address}: {e.Message}", e);
        }

        AdminAddress = AdminEndPoint();
        foreach (var loop in loops)
            loop.Start();
        _otlp = OtlpExport.Start(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        _runtime.Phase = GatewayPhase.Running;
        foreach (var listener in _runtime.Listeners)
            HostLog.Listening(_logger, listener.Options.Name, listener.Address.ToString());
        HostLog.Admin(_logger, AdminAddress.ToString());
        HostLog.Capacity(_logger, _runtime.UsableConnections, descriptors, loops.Length);
        _live?.Start();
    }

    private async Task StopAndTellAsync()
    {
        try
        {
            await StopCoreAsync().ConfigureAwait(false);
            _ended.TrySetResult();
        }
        catch (Exception e)
        {
            // Whoever waits for the end must hear of it, and so must whoever asked.
            _ended.TrySetException(e);
            throw;
        }
    }

    private async Task StopCoreAsync()
    {
        _runtime.Phase = GatewayPhase.Draining;
        if (!_hurry.IsCancellationRequested)
        {
            HostLog.Draining(_logger, _configuration.Shutdown.Delay, _runtime.Established);
            await DelayAsync(_configuration.Shutdown.Delay, _hurry.Token).ConfigureAwait(false);
        }

        _runtime.Phase = GatewayPhase.Closing;
        HostLog.Closing(_logger, _runtime.Established);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20), _runtime.Time);
        await DrainAsync(timer).ConfigureAwait(false);
        var deadline = _runtime.Clock.Milliseconds + CloseWait;
        do
        {
            // Each time anew: a loop may be given a connection that another had accepted before it stopped listening.
            foreach (var loop in _runtime.Loops)
            {
                loop.Post(static l =>
                {
                    l.StopListening();
                    l.CloseAll(EndReason.Shutdown, CloseCode.ServiceRestart, CloseCode.GoingAway);
                });
            }

            _ = await timer.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false);
        }
        while ((_runtime.Loops.Any(static l => l.Load > 0) || _runtime.Links.Count > 0) && _runtime.Clock.Milliseconds < deadline);

        await DisposeAsync().ConfigureAwait(false);
        HostLog.Stopped(_logger);
    }

    /// <summary>
    /// Spreads the closes over shutdown.duration, so that clients do not all come back at once; plain requests have as long to get their answers. Ends early when hurried.
    /// </summary>
    private async Task DrainAsync(PeriodicTimer timer)
    {
        var start = _runtime.Clock.Milliseconds;
        var plan = new DrainPlan(start, (int)_configuration.Shutdown.Duration.TotalMilliseconds, CloseCode.ServiceRestart);
        foreach (var loop in _runtime.Loops)
        {
            loop.Post(l =>
            {
                l.StopListening();
                l.Drain(endpointId: null, plan);
            });
        }

        while (_runtime.Clock.Milliseconds - start < plan.Duration && _runtime.Established + _server.InFlight > 0 && !_hurry.IsCancellationRequested)
            _ = await timer.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>The keys that wait for a restart.</summary>
    private List<string> ApplyAdmin(AdminOptions admin)
    {
        var needsRestart = new List<string>();
        if (!admin.Address.Equals(_adminAddress))
            needsRestart.Add("admin.address");
        // On its way to loopback the API may do without a token, but it is not there yet.
        if (admin is { Token: null, TokenFile: null } && _token.IsRequired && !IPAddress.IsLoopback(_adminAddress.Address))
            needsRestart.Add("admin.token");
        else
            _token.Apply(admin);
        return needsRestart;
    }

    private IPEndPoint AdminEndPoint()
    {
        foreach (var address in _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [])
        {
            if (Uri.TryCreate(address, UriKind.Absolute, out var uri) && IPAddress.TryParse(uri.Host.Trim('[', ']'), out var ip))
                return new IPEndPoint(ip, uri.Port);
        }

        return _configuration.Admin.Address;
    }

    private async Task ForgetGoneAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), _runtime.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancel).ConfigureAwait(false))
                _runtime.ForgetGone();
        }
        catch (OperationCanceledException)
        {
            // The gateway stops.
        }
    }

    /// <summary>Called on loop threads, which do not log.</summary>
    private void OnBug(Exception exception) => ThreadPool.UnsafeQueueUserWorkItem(
        static state => HostLog.Bug(state._logger, state.exception), (_logger, exception), preferLocal: false);

    private async Task DelayAsync(TimeSpan time, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(time, _runtime.Time, cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Hurried.
        }
    }

    /// <summary>Signals are the command's business: the framework's lifetime would stop the server at the first SIGTERM.</summary>
    private sealed class QuietLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
