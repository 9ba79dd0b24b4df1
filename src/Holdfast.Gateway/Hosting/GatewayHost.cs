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
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Hosting;

/// <summary>
/// A running gateway: loops that own the WebSockets, and one Kestrel for the admin API and for requests that are no upgrades. Start,
/// then <see cref="StopAsync"/> once.
/// </summary>
public sealed partial class GatewayHost : IAsyncDisposable
{
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

        _app = GatewayServer.Build(_runtime, configuration.Admin.Address, options.LogLevel, guards, name => _telemetry?.OnTlsHandshakeFailed(name));
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
        GatewayServer.Use(_app, _server);
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
}
