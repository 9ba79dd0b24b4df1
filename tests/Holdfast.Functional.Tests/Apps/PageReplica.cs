using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>An ASP.NET Core application with a page, an upload, events and a WebSocket that answers each question.</summary>
internal sealed class PageReplica : IReplica
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<Guid, Channel<string>> _streams = new();

    private PageReplica(string name)
    {
        Name = name;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.UseWebSockets();
        _app.MapGet("/", () => Results.Content("<title>page</title>", "text/html"));
        _app.MapGet("/who", () => Results.Text(Name));
        _app.MapPost("/upload", async (HttpRequest request) => Convert.ToHexStringLower(await SHA256.HashDataAsync(request.Body)));
        _app.MapGet("/events", EventsAsync);
        _app.MapPost("/next", (int n) =>
        {
            foreach (var stream in _streams.Values)
                stream.Writer.TryWrite(n.ToString(CultureInfo.InvariantCulture));
            return Results.NoContent();
        });
        _app.Map("/ws", AnswerAsync);
    }

    public string Name { get; }

    public int Port { get; private set; }

    public static async Task<IReplica> StartAsync(string name)
    {
        var replica = new PageReplica(name);
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

    /// <summary>The first event at once, the others when they are asked for.</summary>
    private async Task EventsAsync(HttpContext context)
    {
        var (id, stream) = (Guid.NewGuid(), Channel.CreateUnbounded<string>());
        _streams[id] = stream;
        stream.Writer.TryWrite("0");
        context.Response.ContentType = "text/event-stream";
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _app.Lifetime.ApplicationStopping);
        try
        {
            await foreach (var data in stream.Reader.ReadAllAsync(end.Token))
            {
                await context.Response.WriteAsync($"data: {data}\n\n", end.Token);
                await context.Response.Body.FlushAsync(end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The client has left, or the application stops.
        }
        finally
        {
            _streams.TryRemove(id, out _);
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
            {
                var answer = Encoding.UTF8.GetBytes($"{Name} {Encoding.UTF8.GetString(buffer, 0, received.Count)}");
                await socket.SendAsync(answer, WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
            }

            await socket.CloseAsync(socket.CloseStatus ?? WebSocketCloseStatus.NormalClosure, "", context.RequestAborted);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // The peer left without a word.
        }
    }
}
