using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Admin;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Events;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.EventLoop;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Events;

/// <summary>The events of a gateway without loops, on a real listener and a clock that stands still.</summary>
internal sealed class EventServer : IAsyncDisposable
{
    private WebApplication _app = null!;

    private EventServer()
    {
        Runtime = new GatewayRuntime(Time, new LoopClock());
        Runtime.Apply(new GatewayConfiguration { Listeners = [], Backends = [new BackendOptions { Name = "chat", Endpoints = [new EndpointAddress("127.0.0.1", 9001)] }] });
        Events = new GatewayEvents(Runtime, new EndpointDirectory(Runtime));
    }

    public ManualTime Time { get; } = new();

    public GatewayRuntime Runtime { get; }

    public GatewayEvents Events { get; }

    public BackendState Chat => Runtime.Backends[0];

    public EndpointState Endpoint => Chat.Endpoints[0];

    public EndPoint Address { get; private set; } = null!;

    public static async Task<EventServer> StartAsync()
    {
        var server = new EventServer();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(o => o.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        server._app = builder.Build();
        server._app.Map("/v1/events", new EventHandlers(server.Events, server.Time).StreamAsync);
        await server._app.StartAsync();
        var address = new Uri(server._app.Urls.Single());
        server.Address = new IPEndPoint(IPAddress.Loopback, address.Port);
        return server;
    }

    /// <summary>Two events.</summary>
    public void DrainAndCancel()
    {
        Assert.True(Runtime.Drains.Begin(Chat, Endpoint, DrainCause.Admin));
        Runtime.Drains.Cancel(Chat, Endpoint, DrainCause.Admin);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Events.Dispose();
    }
}
