using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admin;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Tests.Telemetry;
using Holdfast.Wire.WebSocket;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Holdfast.Tests.Admin;

/// <summary>The admin API on a real listener, with loops that hold real pairs of sockets.</summary>
internal sealed class AdminFixture : IAsyncDisposable
{
    private int _drains;
    private readonly List<Socket> _sockets = [];
    private WebApplication _app = null!;

    public TelemetryFixture Gateway { get; } = new();

    /// <summary>Released once for every request that arrives.</summary>
    public SemaphoreSlim Requests { get; } = new(0);

    public HttpClient Client { get; private set; } = null!;

    /// <summary>How often the gateway's own drain was asked for.</summary>
    public int Drains => Volatile.Read(ref _drains);

    public static async Task<AdminFixture> StartAsync(AdminOptions? options = null)
    {
        var fixture = new AdminFixture();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(o => o.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        fixture._app = builder.Build();
        fixture._app.Use(async (_, next) =>
        {
            fixture.Requests.Release();
            await next();
        });
        fixture._app.MapAdmin(fixture.Gateway.Runtime, fixture.Gateway.Telemetry, new AdminToken(options ?? new AdminOptions()), () => Interlocked.Increment(ref fixture._drains));
        await fixture._app.StartAsync();
        fixture.Client = new HttpClient { BaseAddress = new Uri(fixture._app.Urls.Single()) };
        fixture.Gateway.Runtime.Phase = GatewayPhase.Running;
        return fixture;
    }

    public void StartLoops()
    {
        foreach (var loop in Gateway.Runtime.Loops)
            loop.Start();
    }

    /// <summary>Puts an established pair on a loop, as after a handshake; its client's and its endpoint's far ends.</summary>
    public async Task<(Socket Client, Socket Endpoint)> ConnectAsync(int loop, ulong id, int endpoint = 0)
    {
        var (client, down) = await SocketsAsync();
        var (server, up) = await SocketsAsync();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var downFd = (int)down.SafeHandle.DangerousGetHandle();
        var upFd = (int)up.SafeHandle.DangerousGetHandle();
        // The loop owns the descriptors from here on.
        down.SafeHandle.SetHandleAsInvalid();
        up.SafeHandle.SetHandleAsInvalid();
        var state = Gateway.Chat.Endpoints[endpoint];
        var backendId = Gateway.Chat.Id;
        Gateway.Runtime.Loops[loop].Post(l =>
        {
            var index = l.Core.Rent();
            ref var pair = ref l.Core.Pairs[index];
            pair.Id = id;
            pair.State = PairState.Relaying;
            pair.Client = NativeAddress.From(new IPEndPoint(IPAddress.Parse("10.0.0.9"), (int)id));
            pair.Settings = new PairSettings { SpillCap = 65536, PongTimeout = 20_000, BackendId = backendId, EndpointId = state.Id };
            pair.EstablishedAt = pair.LastRelayed = l.Core.Now;
            pair.Path = TelemetryFixture.Path("/chat"u8);
            pair.Legs[0].Scanner = new FrameScanner(FrameSender.Client, ReservedBits.Refused);
            pair.Legs[1].Scanner = new FrameScanner(FrameSender.Server, ReservedBits.Refused);
            pair.Down.Fd = downFd;
            pair.Up.Fd = upFd;
            Assert.True(l.Core.Register(index, Side.Downstream) && l.Core.Register(index, Side.Upstream));
            l.Core.CountEstablished(state.Id, 1);
            done.SetResult();
        });
        await done.Task;
        state.Reserve();
        return (client, server);
    }

    public async Task<(HttpStatusCode Status, JsonElement Json)> SendAsync(string method, string path, string? authorization = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var response = await Client.SendAsync(request);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        return (response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    public Task<(HttpStatusCode Status, JsonElement Json)> GetAsync(string path) => SendAsync("GET", path);

    /// <summary>As a host does: with time to end what is in flight.</summary>
    public Task StopAsync(CancellationToken cancel) => _app.StopAsync(cancel);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        Gateway.Dispose();
        foreach (var socket in _sockets)
            socket.Dispose();
    }

    private async Task<(Socket Far, Socket Near)> SocketsAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await far.ConnectAsync(listener.LocalEndPoint!);
        var near = await listener.AcceptAsync();
        near.Blocking = false;
        _sockets.Add(far);
        return (far, near);
    }
}
